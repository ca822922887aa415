// Looks up the articles and laws that the question names (docs/design/0009).
//
// Articles. Chunks that hold a named article come first, ordered by how many of its parts they hold and then by score.
// A question about several articles, or about one that several laws have, gets the beginning of each before the rest of
// any; one about an inciso or an alínea gets the chunk where it begins, and the words that it stands below. If no chunk
// holds any of the named articles, chunks that hold another article of the same law are removed: Art. 75 is no answer
// to a question about Art. 72. An article without a law is one of the law that the question names elsewhere.
//
// Laws without an article ("a multa da LGPD"). The question is also searched for within the law, whose best chunks may
// lie behind the lists of the whole index. Both rankings count by half, so a text about the law can still come first.
#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"
#include "rag/evidence/fuse.h"
#include "rag/law/articles.h"
#include "rag/law/provision_text.h"

namespace frugal {
namespace {

// An article of one law lies in a handful of chunks, since a long one is cut; "art. 5" without a law, in one per law.
constexpr int64_t kReferenceLimit = 64;

using Scores = std::unordered_map<int64_t, float>;  // by chunk

// --- articles ---

struct HeldChunk {
  Chunk chunk;
  float score = 0;  // share of the named parts
};

// The chunks that hold the article: those with most of its parts first, then in reading order.
std::vector<HeldChunk> chunks_with(const Provision& article, Store& store, const ChunkSet* within) {
  std::vector<int64_t> ids;
  Scores scores;
  for (const ScoredChunk& hit : store.search_provision(article, kReferenceLimit, within)) {
    ids.push_back(hit.id);
    scores[hit.id] = hit.score;
  }
  std::vector<HeldChunk> held;
  for (Chunk& chunk : store.fetch(ids))
    if (contains_article(chunk.references, article)) {
      const float score = scores.at(chunk.id);
      held.push_back({std::move(chunk), score});
    }
  return held;
}

// The law in which the chunk has the article, or an empty text.
std::string law_of(const Chunk& chunk, const Provision& article) {
  const auto held = std::find_if(chunk.references.begin(), chunk.references.end(),
                                 [&](const Provision& other) { return is_same_article(article, other); });
  return held == chunk.references.end() ? std::string() : held->law;
}

bool holds(const Chunk& chunk, Provision provision, const std::string& law) {
  provision.law = law;
  return std::find(chunk.references.begin(), chunk.references.end(), provision) != chunk.references.end();
}

// The chunks to quote the provision from: where it begins, and where what it stands below begins.
std::vector<int64_t> chunks_to_quote(const Provision& asked, const std::string& law,
                                     std::span<const HeldChunk* const> held) {
  std::vector<int64_t> ids = {held.front()->chunk.id};
  for (const Provision& above : provisions_above(asked)) {
    const auto begins =
        std::find_if(held.begin(), held.end(), [&](const HeldChunk* each) { return holds(each->chunk, above, law); });
    if (begins != held.end() && std::find(ids.begin(), ids.end(), (*begins)->chunk.id) == ids.end())
      ids.push_back((*begins)->chunk.id);
  }
  return ids;
}

// One for each law, or for each file if the law is unknown.
std::vector<FoundArticle> by_law(const Provision& asked, std::span<const HeldChunk> held, const LawTable& laws) {
  std::map<std::pair<std::string, std::string>, std::vector<const HeldChunk*>> groups;
  for (const HeldChunk& each : held) {
    const std::string law = law_of(each.chunk, asked);
    groups[{law, law.empty() ? each.chunk.path : std::string()}].push_back(&each);
  }
  std::vector<FoundArticle> articles;
  for (const auto& [place, chunks] : groups) {
    const Chunk& first = chunks.front()->chunk;
    const std::string& fallback = !place.first.empty() ? place.first : first.title.empty() ? first.path : first.title;
    articles.push_back(
        {asked, laws.title(place.first).value_or(fallback), chunks_to_quote(asked, place.first, chunks)});
  }
  return articles;
}

class ArticleRouter {
 public:
  ArticleRouter(QuestionState& state, const Resources& resources)
      : state_(state), store_(resources.store), laws_(resources.laws) {}

  void route(std::span<const Provision> asked) {
    FusionNote& note = state_.reply.fusion;
    std::vector<Candidate>& ranking = state_.reply.ranking;
    const std::vector<std::string> laws = named_laws(state_.question.provisions);
    std::vector<Provision> articles(asked.begin(), asked.end());
    for (Provision& article : articles) {
      if (article.law.empty() && laws.size() == 1) article.law = laws.front();
      find(article);
    }
    put_first(ranking);
    note.reference_hits =
        std::count_if(ranking.begin(), ranking.end(), [](const Candidate& c) { return c.reference_score > 0; });
    if (note.references.empty())
      drop_other_articles(articles);
    else
      put_beginnings_first(ranking);
  }

 private:
  void find(const Provision& article) {
    const std::vector<HeldChunk> held = chunks_with(article, store_, state_.within());
    FusionNote& note = state_.reply.fusion;
    (held.empty() ? note.missing : note.references).push_back(to_string(article));
    for (const HeldChunk& each : held) scores_[each.chunk.id] = std::max(scores_[each.chunk.id], each.score);
    std::vector<FoundArticle> found = by_law(article, held, laws_);
    std::move(found.begin(), found.end(), std::back_inserter(state_.articles));
  }

  void put_first(std::vector<Candidate>& ranking) {
    Scores scores = scores_;
    for (Candidate& candidate : ranking) {
      const auto found = scores.find(candidate.id);
      if (found == scores.end()) continue;
      candidate.reference_score = found->second;
      scores.erase(found);
    }
    for (const auto& [id, score] : scores) ranking.push_back({.id = id, .reference_score = score});
    std::sort(ranking.begin(), ranking.end(), [](const Candidate& a, const Candidate& b) {
      if (a.reference_score != b.reference_score) return a.reference_score > b.reference_score;
      return a.score != b.score ? a.score > b.score : a.id < b.id;
    });
  }

  // The articles in the order of the question, the laws of one article in that of the ranking. A single article whole
  // is left as it is ranked: its chunks are all first.
  void put_beginnings_first(std::vector<Candidate>& ranking) {
    std::vector<FoundArticle>& articles = state_.articles;
    const bool is_plain = articles.size() == 1 && provisions_above(articles.front().asked).empty();
    if (is_plain) return;
    std::unordered_map<int64_t, size_t> rank;
    for (size_t i = 0; i < ranking.size(); ++i) rank[ranking[i].id] = i;
    for (auto begin = articles.begin(); begin != articles.end();) {
      const auto end =
          std::find_if(begin, articles.end(), [&](const FoundArticle& each) { return each.asked != begin->asked; });
      std::stable_sort(begin, end, [&](const FoundArticle& a, const FoundArticle& b) {
        return rank.at(a.chunks.front()) < rank.at(b.chunks.front());
      });
      begin = end;
    }
    std::unordered_map<int64_t, size_t> place;
    for (const FoundArticle& article : articles)
      for (const int64_t id : article.chunks) place.try_emplace(id, place.size());
    const auto place_of = [&](const Candidate& candidate) {
      const auto found = place.find(candidate.id);
      return found == place.end() ? place.size() : found->second;
    };
    std::stable_sort(ranking.begin(), ranking.end(),
                     [&](const Candidate& a, const Candidate& b) { return place_of(a) < place_of(b); });
  }

  void drop_other_articles(std::span<const Provision> asked) {
    std::vector<Candidate>& ranking = state_.reply.ranking;
    std::vector<int64_t> ids;
    ids.reserve(ranking.size());
    for (const Candidate& candidate : ranking) ids.push_back(candidate.id);
    std::unordered_set<int64_t> others;
    for (const Chunk& chunk : store_.fetch(ids))
      if (contains_other_article(chunk.references, asked)) others.insert(chunk.id);
    std::erase_if(ranking, [&](const Candidate& candidate) { return others.contains(candidate.id); });
  }

  QuestionState& state_;
  Store& store_;
  const LawTable& laws_;
  Scores scores_;
};

// --- laws ---

void prefer_laws(QuestionState& state, const Resources& resources) {
  const std::vector<std::string> laws = named_laws(state.question.provisions);
  std::vector<std::vector<ScoredChunk>> in_laws;
  for (const std::string& law : laws) {
    auto found = resources.store.search_sparse({state.question.text, state.question.language, law, state.within()},
                                               resources.options.retrieve.candidates);
    if (!found.empty()) in_laws.push_back(std::move(found));
  }
  if (in_laws.empty()) return;
  std::vector<Candidate>& ranking = state.reply.ranking;
  std::vector<ScoredChunk> whole;
  std::unordered_map<int64_t, Candidate> known;
  for (const Candidate& candidate : ranking) {
    whole.push_back({candidate.id, candidate.score});
    known[candidate.id] = candidate;
  }
  std::vector<RankedList> lists = {{whole, 0.5f, 0.0f}};
  for (const std::vector<ScoredChunk>& list : in_laws)
    lists.push_back({list, 0.5f / static_cast<float>(in_laws.size()), 0.0f});
  ranking.clear();
  const bool by_rank = resources.options.retrieve.fusion == Fusion::rrf;
  for (const ScoredChunk& hit : by_rank ? fuse_rrf(lists) : fuse_weighted(lists)) {
    Candidate& candidate = known[hit.id];
    candidate.id = hit.id;
    candidate.score = hit.score;
    ranking.push_back(candidate);
  }
}

void look_up(QuestionState& state, const Resources& resources) {
  const std::vector<Provision> asked = named_articles(state.question.provisions);
  if (!asked.empty())
    ArticleRouter(state, resources).route(asked);
  else if (resources.options.retrieve.sparse)
    prefer_laws(state, resources);
}

}  // namespace

Stage references_stage(const Resources& resources) {
  return {.name = "references",
          .run = [&resources](QuestionState& state) { look_up(state, resources); },
          .off = resources.options.retrieve.references ? "" : "switched off",
          .record = "retrieve"};
}

}  // namespace frugal
