// Performs the stages of a pipeline (app/config/scenario.h) and measures the memory of each: mem-profile with
// --pipeline or --model. Also estimates the stages before they run, and compares load modes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "app/config/scenario.h"
#include "app/wiring/settings.h"
#include "base/thread_pool.h"
#include "measure/profile/memory_report.h"
#include "measure/profile/stage_profile.h"
#include "memory/budget.h"
#include "memory/manager.h"
#include "model/hub/loaded_model.h"

namespace frugal::cli {

/// One for each stage; nullopt for an unload.
using Estimates = std::vector<std::optional<MemoryEstimate>>;
static_assert(std::is_trivially_copyable_v<std::optional<MemoryEstimate>>);  // sent through a pipe

struct ProfileOptions {
  ModelNames models;  // the models of the roles embedder and generator
  int threads = 1;
  BudgetLimits limits;
  uint64_t drawn_budget_bytes = 0;  // height of the budget's line in pictures; 0: no line
  PagerOptions paging;
  Backend backend;
  LoadMode load_mode = LoadMode::mmap;
  Manager::Mode mode = Manager::Mode::aggressive;
  std::optional<ChatFamily> chat_family;  // of the generator; nullopt: as its pack names it
};

/// The options of the settings, with load mode mmap and Manager::Mode::aggressive.
ProfileOptions profile_options(const Tool& tool, const Settings& settings);

/// Loads, runs and unloads the models of one pipeline, stage by stage. Not thread-safe.
class ScenarioProfiler {
 public:
  explicit ScenarioProfiler(ProfileOptions options);

  /// Adds to each estimate the memory of the process without models, with its threads and its sampler. It is measured
  /// now, by a stage that does nothing.
  void add_runtime(const std::vector<ScenarioStage>& stages, Estimates& estimates) const;
  /// Performs `stage` under the sampler. Throws the errors of loading and running models.
  StageProfile profile(const ScenarioStage& stage);
  /// A remark on the last stage: the output of a run, or the part of a load that was not possible. May be empty.
  const std::string& note() const { return note_; }

 private:
  void perform(const ScenarioStage& stage);
  void load(const ScenarioStage& stage);
  std::unique_ptr<LoadedModel> open(const ScenarioStage& stage);
  std::unique_ptr<LoadedModel> open_naive(const ScenarioStage& stage);
  std::optional<GpuMemory> gpu() const;

  ProfileOptions options_;
  ThreadPool threads_;
  Budget budget_;
  Manager manager_;
  std::map<std::string, std::shared_ptr<LoadedModel>> loaded_;  // from a stage's load to its unload
  std::string note_;
};

/// Estimates the memory of each of `stages`, without the process itself (see add_runtime()). Runs in a child process,
/// because earlier allocations would change the layout of later ones; call it before this process starts threads.
/// Throws the errors of loading, and Error(usage) for a backend other than the native one.
Estimates estimate_scenario(const std::vector<ScenarioStage>& stages, const ProfileOptions& options);

/// Runs this program once for each of `modes`, each time in a new process, with `arguments` except --load-mode and
/// --format. Prints the JSON lines of all runs, or one table. A mode that fails is reported with its message on
/// standard error. Returns the exit code: 1 if one failed.
int compare_load_modes(std::vector<std::string> arguments, const std::vector<LoadMode>& modes, bool json);

/// A pipeline that loads, runs and unloads one model.
Scenario one_model_scenario(const std::string& pack, const std::string& text, int64_t max_new_tokens);

}  // namespace frugal::cli
