// Goes through a pipeline's stages and measures each: what mem-profile does with --pipeline and --model.
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

/// Of each stage; nullopt for an unload.
using Estimates = std::vector<std::optional<MemoryEstimate>>;
static_assert(std::is_trivially_copyable_v<std::optional<MemoryEstimate>>);  // it comes through a pipe

struct ProfileOptions {
  ModelNames models;  // what embedder and generator are
  int threads = 1;
  BudgetLimits limits;
  uint64_t line_bytes = 0;  // where pictures draw a budget; 0: nowhere
  PagerOptions paging;
  Backend backend;
  LoadMode load_mode = LoadMode::mmap;
  Manager::Mode mode = Manager::Mode::aggressive;
  std::optional<ChatFamily> chat_family;  // of a generator; nullopt: what its pack names
};

/// As the settings have it; mapped, each model unloaded at once.
ProfileOptions profile_options(const Tool& tool, const Settings& settings);

/// Loads, runs and unloads the models of one pipeline, stage by stage. Not thread-safe.
class ScenarioProfiler {
 public:
  explicit ScenarioProfiler(ProfileOptions options);

  /// Adds to each estimate what a stage that does nothing takes now: the process without models, with its threads and
  /// its sampler.
  void add_runtime(const std::vector<ScenarioStage>& stages, Estimates& estimates) const;
  /// Performs `stage` under the sampler. Throws what loading and running throw.
  StageProfile profile(const ScenarioStage& stage);
  /// What the last run did, or what a load could not do as asked.
  const std::string& note() const { return note_; }

 private:
  void perform(const ScenarioStage& stage);
  void load(const ScenarioStage& stage);
  std::unique_ptr<LoadedModel> open(const std::string& model);
  std::unique_ptr<LoadedModel> open_naive(const std::string& model);
  std::optional<GpuMemory> gpu() const;

  ProfileOptions options_;
  ThreadPool threads_;
  Budget budget_;
  Manager manager_;
  std::map<std::string, std::shared_ptr<LoadedModel>> loaded_;  // from a stage's load to its unload
  std::string note_;
};

/// What each of `stages` will take, without the process itself (MemoryEstimate::add_runtime). Rehearsed in a child,
/// since what an allocator has served once changes where it serves later; so to be called before this process has
/// threads. Throws what loading throws, Error(usage) for a backend other than the native one.
Estimates estimate_scenario(const std::vector<ScenarioStage>& stages, const ProfileOptions& options);

/// Runs this program once for each of `modes`, in a process of its own, with `arguments` but for --load-mode and
/// --format. stdout: the JSON lines of all, or one table. A mode that fails is named with its reason. Returns the exit
/// code: 1 if one failed.
int compare_load_modes(std::vector<std::string> arguments, const std::vector<LoadMode>& modes, bool json);

/// Load, run and unload of one model.
Scenario one_model_scenario(const std::string& pack, const std::string& text, int64_t max_new_tokens);

}  // namespace frugal::cli
