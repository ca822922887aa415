// Makes one ranking of both lists, weighted by the language of the question (fuse.h).
#include <algorithm>
#include <array>
#include <unordered_map>

#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"
#include "rag/evidence/fuse.h"

namespace frugal {
namespace {

constexpr size_t kVotes = 5;

// A short question often has no language ("art. 5º CF"): then its first hits vote.
Language language_of(const QuestionState& state, Store& store) {
  if (state.question.language != Language::unknown) return state.question.language;
  const std::vector<ScoredChunk>& list = state.sparse.empty() ? state.dense : state.sparse;
  std::vector<int64_t> voters;
  for (size_t i = 0; i < std::min(kVotes, list.size()); ++i) voters.push_back(list[i].id);
  std::array<int, kLanguages> votes{};
  for (const Chunk& chunk : store.fetch(voters)) ++votes[static_cast<size_t>(chunk.language)];
  return static_cast<Language>(std::max_element(votes.begin(), votes.end()) - votes.begin());
}

FusionNote note_of(const QuestionState& state, const Resources& resources) {
  const RetrieveOptions& options = resources.options.retrieve;
  FusionNote note;
  note.fusion = options.fusion;
  note.language = language_of(state, resources.store);
  note.dense_weight = state.sparse.empty()  ? 1.0f
                      : state.dense.empty() ? 0.0f
                                            : options.dense_weights.of(note.language);
  return note;
}

std::vector<ScoredChunk> fused(const QuestionState& state, const RetrieveOptions& options) {
  const float weight = state.reply.fusion.dense_weight;
  // A sparse list shorter than the limit contains every match: other chunks score 0.
  const bool all_matches = static_cast<int64_t>(state.sparse.size()) < options.candidates;
  const std::array<RankedList, 2> lists{
      {{state.dense, weight, {}}, {state.sparse, 1 - weight, all_matches ? std::optional<float>(0.0f) : std::nullopt}}};
  return options.fusion == Fusion::rrf ? fuse_rrf(lists) : fuse_weighted(lists);
}

// The candidates of the ranking, each with its rank and score in both lists.
std::vector<Candidate> candidates_of(const std::vector<ScoredChunk>& ranked, const QuestionState& state) {
  std::vector<Candidate> candidates;
  std::unordered_map<int64_t, size_t> place;
  for (const ScoredChunk& hit : ranked) {
    place[hit.id] = candidates.size();
    candidates.push_back({.id = hit.id, .score = hit.score});
  }
  for (size_t i = 0; i < state.dense.size(); ++i) {
    Candidate& candidate = candidates[place[state.dense[i].id]];
    candidate.dense_rank = static_cast<int64_t>(i + 1);
    candidate.dense_score = state.dense[i].score;
  }
  for (size_t i = 0; i < state.sparse.size(); ++i) {
    Candidate& candidate = candidates[place[state.sparse[i].id]];
    candidate.sparse_rank = static_cast<int64_t>(i + 1);
    candidate.sparse_score = state.sparse[i].score;
  }
  return candidates;
}

}  // namespace

void fuse_lists(QuestionState& state, const Resources& resources) {
  state.reply.fusion.dense_hits = static_cast<int64_t>(state.dense.size());
  state.reply.fusion.sparse_hits = static_cast<int64_t>(state.sparse.size());
  state.reply.ranking = candidates_of(fused(state, resources.options.retrieve), state);
}

Stage fuse_stage(const Resources& resources) {
  return {.name = "fuse",
          .run =
              [&resources](QuestionState& state) {
                state.reply.fusion = note_of(state, resources);
                fuse_lists(state, resources);
              },
          .record = "retrieve"};
}

}  // namespace frugal
