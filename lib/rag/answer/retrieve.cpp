#include "rag/answer/retrieve.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "rag/answer/fuse.h"
#include "rag/law/articles.h"
#include "rag/text/language.h"

namespace frugal {
namespace {

// A reference in a law is borne by a handful of chunks (a long article is cut); a bare "art. 5" by one a law.
constexpr int64_t kReferenceLimit = 64;

void sort_candidates(std::vector<Candidate>& candidates) {
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    if (a.reference_score != b.reference_score) return a.reference_score > b.reference_score;
    return a.score != b.score ? a.score > b.score : a.id < b.id;
  });
}

Hit hit_of(const Candidate& from, Chunk&& chunk) {
  Hit hit;
  hit.chunk = std::move(chunk);
  hit.score = from.score;
  if (from.dense_rank > 0) hit.dense_rank = from.dense_rank, hit.dense_score = from.dense_score;
  if (from.sparse_rank > 0) hit.sparse_rank = from.sparse_rank, hit.sparse_score = from.sparse_score;
  if (from.reference_score > 0) hit.reference_score = from.reference_score;
  return hit;
}

}  // namespace

float DenseWeights::of(Language language) const {
  switch (language) {
    case Language::english:
      return english;
    case Language::portuguese:
      return portuguese;
    case Language::unknown:
      return other;
  }
  return other;
}

Retriever::Retriever(Store& store, const LawTable& laws, RetrieveOptions options)
    : store_(store), laws_(laws), options_(options) {}

std::vector<ScoredChunk> Retriever::sparse_list(std::string_view question) const {
  return store_.search_sparse({std::string(question), detect_language(question)}, options_.candidates);
}

std::vector<ScoredChunk> Retriever::dense_list(std::span<const float> vector) const {
  return store_.search_dense(vector, options_.candidates);
}

Ranking Retriever::rank(const Probe& probe) const {
  std::vector<ScoredChunk> dense, sparse;
  if (!probe.vector.empty()) dense = dense_list(probe.vector);
  if (options_.sparse) sparse = sparse_list(probe.question);
  return fuse(probe.question, dense, sparse);
}

Ranking Retriever::fuse(std::string_view question, std::span<const ScoredChunk> dense,
                        std::span<const ScoredChunk> sparse) const {
  Ranking ranking;
  ranking.note.fusion = options_.fusion;
  ranking.note.language = language_of(question, dense, sparse);
  ranking.note.dense_hits = static_cast<int64_t>(dense.size());
  ranking.note.sparse_hits = static_cast<int64_t>(sparse.size());
  const float weight = sparse.empty() ? 1.0f : dense.empty() ? 0.0f : options_.dense_weights.of(ranking.note.language);
  ranking.note.dense_weight = weight;

  // A list of word matches that is shorter than asked for holds every match: what it lacks scores 0.
  const bool all_matches = static_cast<int64_t>(sparse.size()) < options_.candidates;
  const std::array<RankedList, 2> lists{
      {{dense, weight, {}}, {sparse, 1 - weight, all_matches ? std::optional<float>(0.0f) : std::nullopt}}};
  const auto fused = options_.fusion == Fusion::rrf ? fuse_rrf(lists) : fuse_weighted(lists);

  std::unordered_map<int64_t, size_t> place;
  for (const ScoredChunk& hit : fused) {
    place[hit.id] = ranking.candidates.size();
    ranking.candidates.push_back({.id = hit.id, .score = hit.score});
  }
  for (size_t i = 0; i < dense.size(); ++i) {
    Candidate& candidate = ranking.candidates[place[dense[i].id]];
    candidate.dense_rank = static_cast<int64_t>(i + 1);
    candidate.dense_score = dense[i].score;
  }
  for (size_t i = 0; i < sparse.size(); ++i) {
    Candidate& candidate = ranking.candidates[place[sparse[i].id]];
    candidate.sparse_rank = static_cast<int64_t>(i + 1);
    candidate.sparse_score = sparse[i].score;
  }
  if (options_.references) route_references(question, ranking);
  return ranking;
}

// Short questions are often of no language ("art. 5º CF"): then that of what they find decides.
Language Retriever::language_of(std::string_view question, std::span<const ScoredChunk> dense,
                                std::span<const ScoredChunk> sparse) const {
  const Language own = detect_language(question);
  if (own != Language::unknown) return own;
  constexpr size_t kVotes = 5;
  std::vector<int64_t> voters;
  const auto& list = sparse.empty() ? dense : sparse;
  for (const ScoredChunk& hit : list.first(std::min(kVotes, list.size()))) voters.push_back(hit.id);
  std::array<int, kLanguages> votes{};
  for (const Chunk& chunk : store_.fetch(voters)) ++votes[static_cast<size_t>(chunk.language)];
  return static_cast<Language>(std::max_element(votes.begin(), votes.end()) - votes.begin());
}

void Retriever::route_references(std::string_view question, Ranking& ranking) const {
  const std::vector<Provision> asked = named_articles(find_provisions(question, laws_));
  if (asked.empty()) return;
  std::unordered_map<int64_t, float> bearers;
  for (const Provision& reference : asked) {
    const std::vector<ScoredChunk> found = store_.search_provision(reference, kReferenceLimit);
    std::vector<int64_t> ids;
    std::unordered_map<int64_t, float> found_scores;
    for (const ScoredChunk& hit : found) {
      ids.push_back(hit.id);
      found_scores[hit.id] = hit.score;
    }
    bool borne = false;
    for (const Chunk& chunk : store_.fetch(ids)) {
      if (!bears_article(chunk.references, reference)) continue;
      borne = true;
      float& score = bearers[chunk.id];
      score = std::max(score, found_scores.at(chunk.id));
    }
    (borne ? ranking.note.references : ranking.note.missing).push_back(to_string(reference));
  }
  for (Candidate& candidate : ranking.candidates) {
    const auto bearer = bearers.find(candidate.id);
    if (bearer == bearers.end()) continue;
    candidate.reference_score = bearer->second;
    bearers.erase(bearer);
  }
  for (const auto& [id, score] : bearers) ranking.candidates.push_back({.id = id, .reference_score = score});
  sort_candidates(ranking.candidates);
  ranking.note.reference_hits = std::count_if(ranking.candidates.begin(), ranking.candidates.end(),
                                              [](const Candidate& c) { return c.reference_score > 0; });
  if (ranking.note.references.empty()) drop_other_articles(asked, ranking.candidates);
}

void Retriever::drop_other_articles(std::span<const Provision> asked, std::vector<Candidate>& candidates) const {
  std::vector<int64_t> ids;
  for (const Candidate& candidate : candidates) ids.push_back(candidate.id);
  std::unordered_set<int64_t> others;
  for (const Chunk& chunk : store_.fetch(ids))
    if (bears_another_article(chunk.references, asked)) others.insert(chunk.id);
  std::erase_if(candidates, [&](const Candidate& candidate) { return others.contains(candidate.id); });
}

std::vector<Hit> Retriever::fetch(const Ranking& ranking, int64_t count, float min_score) const {
  std::vector<Hit> hits;
  auto next = ranking.candidates.begin();
  // Once, unless the store leaves chunks out: then the candidates behind them take their places.
  while (static_cast<int64_t>(hits.size()) < count && next != ranking.candidates.end()) {
    const size_t missing = static_cast<size_t>(count) - hits.size();
    std::vector<int64_t> ids;
    std::unordered_map<int64_t, const Candidate*> asked;
    for (; next != ranking.candidates.end() && ids.size() < missing; ++next) {
      // A named reference is not subject to a threshold of similarity.
      if (next->score < min_score && next->reference_score == 0) continue;
      ids.push_back(next->id);
      asked[next->id] = &*next;
    }
    for (Chunk& chunk : store_.fetch(ids)) {
      const Candidate& from = *asked.at(chunk.id);
      hits.push_back(hit_of(from, std::move(chunk)));
    }
  }
  return hits;
}

}  // namespace frugal
