// The stages that mem-profile measured, as JSON lines and as a table (docs/tools/mem-profile.md names every field).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "measure/profile/memory_estimate.h"
#include "measure/profile/stage_profile.h"

namespace frugal {

/// Version of the lines' form; `mem-profile diff` reads no other.
constexpr int kMemorySchema = 1;

/// What a line says besides its figures.
struct StageLabel {
  std::string action;  // load, run, unload
  std::string model;   // as the pipeline names it
  std::string note;    // what a run did
  std::optional<MemoryEstimate> estimate;
  LoadMode load_mode = LoadMode::mmap;
};

/// {schema_version, stage, action, model, load_mode, note, elapsed_ms, memory_usage_before_model_<action>, …_after_…,
/// memory_usage_peak, sampler, estimate}. What is not known is null.
nlohmann::ordered_json stage_json(const StageProfile& stage, const StageLabel& label);
/// A row a stage: time, anonymous memory before, after and at the peak, file-backed, PSS, the model's pages in the
/// cache.
std::string stage_table(const std::vector<StageProfile>& stages);
/// A row a stage that has one: estimate, measurement and error of the anonymous peak and of the pack's mapped pages.
std::string estimate_table(const std::vector<StageProfile>& stages,
                           const std::vector<std::optional<MemoryEstimate>>& estimates);

/// A command with its children: {schema_version, stage, command, exit_code, elapsed_ms, memory_usage_peak, sampler}.
nlohmann::ordered_json command_json(const std::vector<std::string>& command, int exit_code, int64_t elapsed_ns,
                                    const SampledPeak& peak);
std::string command_text(int64_t elapsed_ns, const SampledPeak& peak);

}  // namespace frugal
