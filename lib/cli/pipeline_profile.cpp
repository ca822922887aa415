#include "cli/pipeline_profile.h"

#include <fmt/format.h>

namespace frugal::cli {

using Action = PipelineStage::Action;

PipelineProfiler::PipelineProfiler(Options options)
    : options_(std::move(options)), threads_(options_.threads), budget_(options_.budget_bytes) {}

StageProfile PipelineProfiler::profile(const PipelineStage& stage) {
  const std::vector<std::filesystem::path> files = {pack_of(stage.model, options_.models)};
  note_.clear();
  // So that the device's peak is this stage's own.
  for (const auto& [name, model] : loaded_)
    if (PluginOps* device = model->device()) device->reset_peak();
  return profile_stage(
      fmt::format("{} {}", to_string(stage.action), stage.model), files, [&] { perform(stage, files[0]); },
      [&] { return gpu(); });
}

void PipelineProfiler::perform(const PipelineStage& stage, const std::filesystem::path& pack) {
  switch (stage.action) {
    case Action::load:
      loaded_[stage.model] = std::make_unique<LoadedModel>(pack, threads_, &budget_, options_.backend);
      return;
    case Action::run:
      note_ = loaded_.at(stage.model)->run(stage.text, stage.max_new_tokens);
      return;
    case Action::unload:
      loaded_.erase(stage.model);
      return;
  }
}

// The device's allocator counts for all its users, so one model speaks for all.
std::optional<GpuMemory> PipelineProfiler::gpu() const {
  for (const auto& [name, model] : loaded_) {
    const PluginOps* device = model->device();
    if (!device || device->device() == "cpu") continue;
    const DeviceMemory memory = device->memory();
    return GpuMemory{memory.used_bytes, memory.reserved_bytes, memory.peak_bytes};
  }
  return std::nullopt;
}

std::vector<PipelineStage> one_model_pipeline(const std::string& pack, const std::string& text,
                                              int64_t max_new_tokens) {
  return {{Action::load, pack, {}, 0}, {Action::run, pack, text, max_new_tokens}, {Action::unload, pack, {}, 0}};
}

}  // namespace frugal::cli
