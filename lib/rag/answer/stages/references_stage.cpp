// Puts chunks that hold an article named in the question first, ordered by how many of its parts they hold and then by
// score. If no chunk holds any of the named articles, chunks that hold another article of the same law are removed:
// Art. 75 is no answer to a question about Art. 72 (docs/design/0009).
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"
#include "rag/law/articles.h"

namespace frugal {
namespace {

// An article of one law lies in a handful of chunks, since a long one is cut; "art. 5" without a law, in one per law.
constexpr int64_t kReferenceLimit = 64;

using Scores = std::unordered_map<int64_t, float>;  // by chunk

// The chunks that hold the article, each with the share of the named parts that it holds.
Scores chunks_with(const Provision& article, Store& store) {
  std::vector<int64_t> ids;
  Scores found;
  for (const ScoredChunk& hit : store.search_provision(article, kReferenceLimit)) {
    ids.push_back(hit.id);
    found[hit.id] = hit.score;
  }
  Scores scores;
  for (const Chunk& chunk : store.fetch(ids))
    if (contains_article(chunk.references, article)) scores[chunk.id] = found.at(chunk.id);
  return scores;
}

Scores chunks_with_any(std::span<const Provision> articles, Store& store, FusionNote& note) {
  Scores best;
  for (const Provision& article : articles) {
    const Scores scores = chunks_with(article, store);
    (scores.empty() ? note.missing : note.references).push_back(to_string(article));
    for (const auto& [id, score] : scores) best[id] = std::max(best[id], score);
  }
  return best;
}

void put_first(Scores scores, std::vector<Candidate>& ranking) {
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

void drop_other_articles(std::span<const Provision> asked, std::vector<Candidate>& ranking, Store& store) {
  std::vector<int64_t> ids;
  ids.reserve(ranking.size());
  for (const Candidate& candidate : ranking) ids.push_back(candidate.id);
  std::unordered_set<int64_t> others;
  for (const Chunk& chunk : store.fetch(ids))
    if (contains_other_article(chunk.references, asked)) others.insert(chunk.id);
  std::erase_if(ranking, [&](const Candidate& candidate) { return others.contains(candidate.id); });
}

void route_to_articles(QuestionState& state, Store& store) {
  const std::vector<Provision> asked = named_articles(state.question.provisions);
  if (asked.empty()) return;
  FusionNote& note = state.reply.fusion;
  std::vector<Candidate>& ranking = state.reply.ranking;
  put_first(chunks_with_any(asked, store, note), ranking);
  note.reference_hits =
      std::count_if(ranking.begin(), ranking.end(), [](const Candidate& c) { return c.reference_score > 0; });
  if (note.references.empty()) drop_other_articles(asked, ranking, store);
}

}  // namespace

Stage references_stage(const Resources& resources) {
  return {.name = "references",
          .run = [&resources](QuestionState& state) { route_to_articles(state, resources.store); },
          .off = resources.options.retrieve.references ? "" : "switched off",
          .record = "retrieve"};
}

}  // namespace frugal
