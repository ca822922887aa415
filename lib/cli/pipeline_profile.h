// Goes through a pipeline's stages and measures each: what mem-profile does with --pipeline and --model.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "cli/memory_report.h"
#include "config/pipeline.h"
#include "eval/loaded_model.h"
#include "memory/budget.h"
#include "memory/profile.h"

namespace frugal::cli {

/// Loads, runs and unloads the models of one pipeline, stage by stage. Not thread-safe.
class PipelineProfiler {
 public:
  struct Options {
    Config::Models models;  // what embedder, generator and reader are
    int threads = 1;
    uint64_t budget_bytes = 0;  // 0: no limit
    Backend backend;
  };
  explicit PipelineProfiler(Options options);

  /// Performs `stage` under the sampler. Throws what loading and running throw.
  StageProfile profile(const PipelineStage& stage);
  /// What the last run did; empty for a load or an unload.
  const std::string& note() const { return note_; }

 private:
  void perform(const PipelineStage& stage, const std::filesystem::path& pack);
  std::optional<GpuMemory> gpu() const;

  Options options_;
  ThreadPool threads_;
  Budget budget_;
  std::map<std::string, std::unique_ptr<LoadedModel>> loaded_;
  std::string note_;
};

/// Load, run and unload of one model.
std::vector<PipelineStage> one_model_pipeline(const std::string& pack, const std::string& text, int64_t max_new_tokens);

}  // namespace frugal::cli
