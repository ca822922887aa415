// Answers from the cached answer of another question that asks the same. Neighbours are found by the signature of the
// question, the guard decides (rag/guard/guard.h), and the retrieval that has just run must have brought every cited
// passage, from a document with the same hash. A reranker could have cited any candidate that it reads. After a hit no
// other stage runs.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"
#include "rag/guard/guard.h"

namespace frugal {
namespace {

// An answer without citations, such as an abstention, has nothing to compare and is not reused.
bool brings_citations(const Reply& kept, const QuestionState& state, const Resources& resources) {
  const std::vector<Candidate>& ranking = state.reply.ranking;
  const PipelineOptions& options = resources.options;
  const int64_t cited_from = state.runs("rerank") ? std::max(options.top_k, options.rerank.candidates) : options.top_k;
  const size_t shown = std::min<size_t>(ranking.size(), static_cast<size_t>(cited_from));
  std::vector<int64_t> ids;
  for (const Citation& citation : kept.citations) {
    const bool found = std::any_of(ranking.begin(), ranking.begin() + static_cast<ptrdiff_t>(shown),
                                   [&](const Candidate& candidate) { return candidate.id == citation.id; });
    if (!found) return false;
    ids.push_back(citation.id);
  }
  const std::vector<Chunk> chunks = resources.store.fetch(ids);
  return !ids.empty() && std::all_of(kept.citations.begin(), kept.citations.end(), [&](const Citation& citation) {
    return std::any_of(chunks.begin(), chunks.end(),
                       [&](const Chunk& chunk) { return chunk.id == citation.id && chunk.sha256 == citation.sha256; });
  });
}

// The cosine with the cached question, if its vector is kept.
std::optional<float> similarity_to(const std::string& question, const QuestionState& state,
                                   const Resources& resources) {
  if (!resources.vectors || state.vector.empty()) return std::nullopt;
  const auto known = resources.vectors->find({resources.store.embedder_fingerprint(), question,
                                              static_cast<int64_t>(state.vector.size()), state.runs("learned")});
  if (!known) return std::nullopt;
  return std::inner_product(known->dense.begin(), known->dense.end(), state.vector.begin(), 0.0f);
}

void match(QuestionState& state, const Resources& resources) {
  const QuestionForm form = read_form(state.question.text, resources.laws);
  for (AnswerCache::Neighbour& near : resources.answers->neighbours(state.key, form.signature())) {
    const GuardVerdict verdict = compare_questions(form, read_form(near.question, resources.laws));
    if (!verdict.same) {
      state.reply.cache_note = fmt::format("not the answer to \"{}\": {}", near.question, verdict.reason);
      continue;
    }
    if (!brings_citations(near.reply, state, resources)) {
      state.reply.cache_note = fmt::format(
          "not the answer to \"{}\": this question does not bring all passages that it cites", near.question);
      continue;
    }
    near.reply.query = std::move(state.reply.query);
    near.reply.cache = CacheStatus::semantic;
    near.reply.cache_similarity = similarity_to(near.question, state, resources);
    near.reply.cache_note = fmt::format("the answer to \"{}\": {}", near.question, verdict.reason);
    state.reply = std::move(near.reply);
    state.answered = true;
    resources.answers->record_match(near.key, state.question.text);
    return;
  }
}

}  // namespace

Stage match_stage(const Resources& resources) {
  const bool has_cache = resources.answers && resources.answers->is_semantic();
  return {.name = "match",
          .run = [&resources](QuestionState& state) { match(state, resources); },
          .off = !has_cache                                     ? "no cache"
                 : resources.options.answer == AnswerMode::none ? "no answer is asked for"
                                                                : "",
          .record = "cache",
          .report_off = reported_elsewhere};  // Reply::cache
}

}  // namespace frugal
