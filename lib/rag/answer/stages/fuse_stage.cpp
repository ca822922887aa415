// Makes one ranking of the lists, weighted by the language of the question (fuse.h). Dense and sparse list share a
// weight of 1. That of the learned list is a multiple of the dense list's, and all are then divided by their sum, so
// that fused scores stay within 0 and 1.
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
  if (state.learned.empty()) return note;
  const float dense = state.dense.empty() ? options.dense_weights.of(note.language) : note.dense_weight;
  const float learned = options.learned_weight * dense;
  const bool alone = state.dense.empty() && state.sparse.empty();
  note.learned_weight = alone ? 1.0f : learned / (1 + learned);
  return note;
}

// A list of matches that is shorter than the limit contains every match: other chunks score 0.
std::optional<float> floor_of(const std::vector<ScoredChunk>& matches, const RetrieveOptions& options) {
  return static_cast<int64_t>(matches.size()) < options.candidates ? std::optional<float>(0.0f) : std::nullopt;
}

std::vector<ScoredChunk> fused(const QuestionState& state, const RetrieveOptions& options) {
  const float dense = state.reply.fusion.dense_weight, learned = state.reply.fusion.learned_weight;
  const std::array<RankedList, 3> lists{{{state.dense, (1 - learned) * dense, {}},
                                         {state.sparse, (1 - learned) * (1 - dense), floor_of(state.sparse, options)},
                                         {state.learned, learned, floor_of(state.learned, options)}}};
  return options.fusion == Fusion::rrf ? fuse_rrf(lists) : fuse_weighted(lists);
}

// The candidates of the ranking, each with its rank and score in every list.
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
  for (size_t i = 0; i < state.learned.size(); ++i) {
    Candidate& candidate = candidates[place[state.learned[i].id]];
    candidate.learned_rank = static_cast<int64_t>(i + 1);
    candidate.learned_score = state.learned[i].score;
  }
  return candidates;
}

}  // namespace

void fuse_lists(QuestionState& state, const Resources& resources) {
  state.reply.fusion.dense_hits = static_cast<int64_t>(state.dense.size());
  state.reply.fusion.sparse_hits = static_cast<int64_t>(state.sparse.size());
  state.reply.fusion.learned_hits = static_cast<int64_t>(state.learned.size());
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
