// Looks the reply up in the cache, by question, index, models, options and stages. After a hit no other stage runs.
#include <fmt/format.h>

#include "base/ascii.h"
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {
namespace {

// Of an index that other machines have, too: what it holds. Its folder and generation are of one machine alone.
std::string index_identity(const Resources& resources) {
  if (resources.answers->is_shared())
    if (const std::string contents = resources.store.content_identity(); !contents.empty())
      return fmt::format("contents {}", contents);
  return fmt::format("{} generation {}", resources.index_name, resources.store.generation());
}

CacheKey key_of(const QuestionState& state, const Resources& resources) {
  // A filter is an option of this question alone.
  return {collapse_spaces(state.question.text),
          fmt::format("{} stages {}{}{}", resources.options.key(), running_stage_names(state.stages),
                      state.filter.empty() ? "" : "\nfilter\n", state.filter.key()),
          fmt::format("{} chunks {} embedder {}", index_identity(resources), resources.store.chunk_count(),
                      resources.store.embedder_fingerprint()),
          resources.answers->is_shared() ? resources.models.content_identity() : resources.models.identity()};
}

void recall(QuestionState& state, const Resources& resources) {
  state.key = key_of(state, resources);
  std::optional<Reply> kept = resources.answers->find(state.key);
  state.reply.cache = CacheStatus::miss;
  if (!kept) state.reply.cache_note = resources.answers->away();
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
