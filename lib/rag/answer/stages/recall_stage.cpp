// Looks the reply up in the cache, by question, index, models, options and stages. After a hit no other stage runs.
#include <fmt/format.h>

#include "base/ascii.h"
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {
namespace {

CacheKey key_of(const Asking& asking, const Resources& resources) {
  return {collapse_spaces(asking.question.text),
          fmt::format("{} stages {}", resources.options.key(), names_that_run(asking.stages)),
          fmt::format("{} generation {} chunks {} embedder {}", resources.index_name, resources.store.generation(),
                      resources.store.chunk_count(), resources.store.embedder_fingerprint()),
          resources.models.identity()};
}

void recall(Asking& asking, const Resources& resources) {
  asking.key = key_of(asking, resources);
  std::optional<Reply> kept = resources.answers->find(asking.key);
  asking.reply.cache = CacheStatus::miss;
  if (!kept) return;
  kept->query = std::move(asking.reply.query);
  kept->cache = CacheStatus::exact;
  kept->cache_similarity = 1.0f;
  asking.reply = std::move(*kept);
  asking.answered = true;
}

}  // namespace

Stage recall_stage(const Resources& resources) {
  return {.name = "recall",
          .run = [&resources](Asking& asking) { recall(asking, resources); },
          .off = resources.answers ? "" : "no cache",
          .record = "cache",
          .report_off = reported_elsewhere};  // Reply::cache
}

}  // namespace frugal
