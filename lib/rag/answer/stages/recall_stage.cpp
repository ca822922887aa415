// Looks the reply up in the cache, by question, index, models, options and stages. After a hit no other stage runs.
#include <fmt/format.h>

#include "base/ascii.h"
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {
namespace {

CacheKey key_of(const QuestionState& state, const Resources& resources) {
  // A filter is an option of this question alone.
  return {collapse_spaces(state.question.text),
          fmt::format("{} stages {}{}{}", resources.options.key(), running_stage_names(state.stages),
                      state.filter.empty() ? "" : "\nfilter\n", state.filter.key()),
          fmt::format("{} generation {} chunks {} embedder {}", resources.index_name, resources.store.generation(),
                      resources.store.chunk_count(), resources.store.embedder_fingerprint()),
          resources.models.identity()};
}

void recall(QuestionState& state, const Resources& resources) {
  state.key = key_of(state, resources);
  std::optional<Reply> kept = resources.answers->find(state.key);
  state.reply.cache = CacheStatus::miss;
  if (!kept) return;
  kept->query = std::move(state.reply.query);
  kept->cache = CacheStatus::exact;
  kept->cache_similarity = 1.0f;
  state.reply = std::move(*kept);
  state.answered = true;
}

}  // namespace

Stage recall_stage(const Resources& resources) {
  return {.name = "recall",
          .run = [&resources](QuestionState& state) { recall(state, resources); },
          .off = resources.answers ? "" : "no cache",
          .record = "cache",
          .report_off = reported_elsewhere};  // Reply::cache
}

}  // namespace frugal
