// How a pipeline is measured. ScenarioProfiler performs one stage at a time in this process, with a sampler thread
// beside it, and reads memory before, during and after the stage (measure/profile/stage_profile.h). The Manager owns
// the models; loaded_ holds those between their load and their unload, so that the Manager's mode decides whether an
// unload releases memory. The naive mode keeps every model, like a simple program that loads and never unloads.
//
// Estimates must not disturb the measurement. An allocator places memory differently after earlier allocations, so
// estimate_stages() runs in a child process that exits; its result, a trivially copyable vector, returns through a
// pipe. An estimate covers the models only. add_runtime() measures the rest, the idle process with its threads and
// sampler, in this process: a first empty stage triggers one-time allocations of the sampler, and a second one is the
// figure.
//
// Load modes are compared in processes of their own: each mode restarts this program with the same arguments and
// --load-mode, and its JSON lines are parsed into one table. Peaks of one mode thus cannot raise those of another.
#include "app/wiring/scenario_profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "app/cli/output.h"
#include "app/config/paths.h"
#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "measure/profile/memory_record.h"
#include "measure/report/table.h"
#include "model/arch/registry.h"
#include "telemetry/child_process.h"
#include "telemetry/command.h"

namespace frugal::cli {

namespace {

using Action = ScenarioStage::Action;

Estimates estimate_stages(const std::vector<ScenarioStage>& stages, const ProfileOptions& options) {
  MemoryEstimator estimator(options.threads);
  Estimates estimates;
  for (const ScenarioStage& stage : stages) {
    if (stage.action == Action::load)
      estimates.push_back(estimator.load(stage.model, pack_of(stage.source(), options.models), options.load_mode));
    if (stage.action == Action::run)
      estimates.push_back(estimator.run(stage.model, stage.text, stage.max_new_tokens, options.chat_family));
    if (stage.action == Action::unload) {
      if (options.mode == Manager::Mode::aggressive) estimator.unload(stage.model);
      estimates.push_back(std::nullopt);
    }
  }
  return estimates;
}

// Removes "--name value" and "--name=value".
void remove_option(std::vector<std::string>& arguments, const std::string& name) {
  for (auto at = arguments.begin(); at != arguments.end();) {
    if (*at == name && at + 1 != arguments.end())
      at = arguments.erase(at, at + 2);
    else if (at->starts_with(name + "="))
      at = arguments.erase(at);
    else
      ++at;
  }
}

// The largest figure of any stage of one mode.
double max_figure(const std::vector<StageRecordLine>& stages, MemoryMetric metric) {
  double max = 0;
  for (const StageRecordLine& stage : stages) max = std::max(max, stage.value(metric).value_or(0));
  return max;
}

struct ModePeak {
  LoadMode mode;
  double anon = 0, pss = 0;
};

// The peaks of each mode, with their change against the first mode.
std::string peaks_text(const std::vector<ModePeak>& peaks) {
  const auto change = [](double figure, double first) {
    return first > 0 ? fmt::format(" ({:+.1f} %)", 100 * (figure / first - 1)) : std::string();
  };
  std::string text;
  for (const ModePeak& peak : peaks) {
    const ModePeak& first = peaks.front();
    const bool is_first = &peak == &first;
    text += fmt::format("{}: peak {} anonymous{}, {} PSS{}\n", to_string(peak.mode),
                        format_bytes(static_cast<uint64_t>(peak.anon)), is_first ? "" : change(peak.anon, first.anon),
                        format_bytes(static_cast<uint64_t>(peak.pss)), is_first ? "" : change(peak.pss, first.pss));
  }
  return text;
}

}  // namespace

ProfileOptions profile_options(const Tool& tool, const Settings& settings) {
  ProfileOptions options;
  options.models = settings.models;
  options.threads = tool.threads();
  options.limits = tool.budget_limits();
  options.drawn_budget_bytes = parse_budget(settings.common.memory.budget).bytes;
  options.paging = settings.common.memory.paging;
  options.backend = tool.backend();
  options.chat_family = settings.chat_family;
  return options;
}

ScenarioProfiler::ScenarioProfiler(ProfileOptions options)
    : options_(std::move(options)),
      threads_(options_.threads),
      budget_(options_.limits),
      // The naive form keeps every model that was loaded.
      manager_(options_.load_mode == LoadMode::naive ? Manager::Mode::cache : options_.mode, budget_) {}

void ScenarioProfiler::add_runtime(const std::vector<ScenarioStage>& stages, Estimates& estimates) const {
  std::vector<std::filesystem::path> files;
  files.reserve(stages.size());
  for (const ScenarioStage& stage : stages) files.push_back(pack_of(stage.source(), options_.models));
  profile_stage("warm", files, [] {});  // one-time allocations of the measuring itself
  const uint64_t idle_bytes = profile_stage("idle", files, [] {}).peak.anon_with_swap_bytes;
  for (std::optional<MemoryEstimate>& estimate : estimates)
    if (estimate) estimate->add_runtime(idle_bytes);
}

StageProfile ScenarioProfiler::profile(const ScenarioStage& stage) {
  std::vector<std::filesystem::path> files;
  if (options_.load_mode != LoadMode::naive) files = {pack_of(stage.source(), options_.models)};
  note_.clear();
  // The device's peak must belong to this stage.
  for (const auto& [name, model] : loaded_)
    if (PluginOps* device = model->device()) device->reset_peak();
  return profile_stage(
      fmt::format("{} {}", to_string(stage.action), stage.model), files, [&] { perform(stage); },
      [&] { return gpu(); });
}

void ScenarioProfiler::load(const ScenarioStage& stage) {
  const ManagerStats before = manager_.stats();
  if (std::none_of(before.models.begin(), before.models.end(),
                   [&](const ManagerStats::Model& model) { return model.name == stage.model; }))
    manager_.register_loader<LoadedModel>(stage.model, [this, stage] { return open(stage); });
  loaded_[stage.model] = manager_.load<LoadedModel>(stage.model);
  if (manager_.stats().hits > before.hits) note_ = "kept since its unload";
}

std::unique_ptr<LoadedModel> ScenarioProfiler::open(const ScenarioStage& stage) {
  if (options_.load_mode == LoadMode::naive) return open_naive(stage);
  auto loaded = std::make_unique<LoadedModel>(pack_of(stage.source(), options_.models), threads_, budget_,
                                              options_.backend, options_.load_mode, options_.paging);
  note_ = loaded->load_note();
  if (!note_.empty()) log(LogLevel::warn, "{}: {}", stage.model, note_);
  return loaded;
}

// On libtorch if its plugin is installed, else on the native backend.
std::unique_ptr<LoadedModel> ScenarioProfiler::open_naive(const ScenarioStage& stage) {
  Backend backend = options_.backend;
  try {
    if (backend.native()) find_torch();
    if (backend.native()) backend = parse_backend("torch");
    note_ = "full precision through libtorch";
  } catch (const Error&) {
    note_ = "no torch plugin: full precision on the native backend";
  }
  const std::filesystem::path checkpoint = find_checkpoint(model_name(stage.source(), options_.models));
  return std::make_unique<LoadedModel>(open_checkpoint_source(checkpoint, "naive"),
                                       make_ops(backend, threads_, budget_), budget_);
}

void ScenarioProfiler::perform(const ScenarioStage& stage) {
  switch (stage.action) {
    case Action::load:
      load(stage);
      return;
    case Action::run:
      note_ = loaded_.at(stage.model)->run(stage.text, stage.max_new_tokens, options_.chat_family);
      return;
    case Action::unload:
      loaded_.erase(stage.model);
      return;
  }
}

// The device's allocator counts the memory of all models, so any of them has the total.
std::optional<GpuMemory> ScenarioProfiler::gpu() const {
  for (const auto& [name, model] : loaded_) {
    const PluginOps* device = model->device();
    if (!device || device->device() == "cpu") continue;
    const DeviceMemory memory = device->memory();
    return GpuMemory{memory.used_bytes, memory.reserved_bytes, memory.peak_bytes};
  }
  return std::nullopt;
}

Estimates estimate_scenario(const std::vector<ScenarioStage>& stages, const ProfileOptions& options) {
  if (!options.backend.native())
    throw Error(Code::usage, "--estimate works only with the native backend").hint("leave --backend out");
  const std::string bytes = run_in_child([&] {
    const Estimates estimated = estimate_stages(stages, options);
    return std::string(reinterpret_cast<const char*>(estimated.data()),
                       estimated.size() * sizeof(Estimates::value_type));
  });
  Estimates estimates(stages.size());
  FRUGAL_CHECK(bytes.size() == estimates.size() * sizeof(Estimates::value_type));
  std::memcpy(estimates.data(), bytes.data(), bytes.size());
  return estimates;
}

int compare_load_modes(std::vector<std::string> arguments, const std::vector<LoadMode>& modes, bool json) {
  constexpr auto right = Table::Align::right;
  Table table({{"mode"},
               {"stage"},
               {"ms", right},
               {"anon peak", right},
               {"anon held", right},
               {"file held", right},
               {"pss held", right}});
  remove_option(arguments, "--load-mode");
  remove_option(arguments, "--format");
  int exit_code = 0;
  std::vector<ModePeak> peaks;
  for (const LoadMode mode : modes) {
    std::vector<std::string> command = {std::filesystem::read_symlink("/proc/self/exe")};
    command.insert(command.end(), arguments.begin(), arguments.end());
    command.insert(command.end(), {fmt::format("--load-mode={}", to_string(mode)), "--format=json"});
    CommandOptions options;
    options.capture_output = options.capture_errors = true;
    const CommandResult result = run_command(command, options);
    if (result.exit_code != 0) {
      const Complaint complaint = read_complaint(result.errors);
      print_message(fmt::format("{}: {}", to_string(mode), complaint.message));
      if (!complaint.hint.empty()) print_message("hint: " + complaint.hint);
      exit_code = 1;
      continue;
    }
    if (json) print(result.output);
    const std::vector<StageRecordLine> stages = parse_memory_records(result.output, std::string(to_string(mode)));
    peaks.push_back({mode, max_figure(stages, MemoryMetric::peak_anon), max_figure(stages, MemoryMetric::peak_pss)});
    for (const StageRecordLine& stage : stages) {
      const auto text = [&](MemoryMetric metric) {
        return stage.value(metric) ? format_metric(metric, *stage.value(metric)) : "?";
      };
      table.add({std::string(to_string(mode)), stage.stage, text(MemoryMetric::elapsed), text(MemoryMetric::peak_anon),
                 text(MemoryMetric::held_anon), text(MemoryMetric::held_file), text(MemoryMetric::held_pss)});
    }
  }
  if (!json) print(table.text() + "\n" + peaks_text(peaks));
  return exit_code;
}

Scenario one_model_scenario(const std::string& pack, const std::string& text, int64_t max_new_tokens) {
  Scenario pipeline;
  pipeline.stages = {{Action::load, pack, {}, 0, {}},
                     {Action::run, pack, text, max_new_tokens, {}},
                     {Action::unload, pack, {}, 0, {}}};
  return pipeline;
}

}  // namespace frugal::cli
