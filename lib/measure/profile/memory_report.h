// Prints the stages measured by mem-profile, as JSON lines and as a table (docs/tools/mem-profile.md names every
// field).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "measure/profile/memory_estimate.h"
#include "measure/profile/stage_profile.h"

namespace frugal {

/// Schema version of the lines; `mem-profile diff` reads no other.
constexpr int kMemorySchema = 1;

/// The fields of a line besides its figures.
struct StageLabel {
  std::string action;  // load, run, unload
  std::string model;   // its name in the scenario
  std::string note;    // summary of a run
  std::optional<MemoryEstimate> estimate;
  LoadMode load_mode = LoadMode::mmap;
};

/// {schema_version, stage, action, model, load_mode, note, elapsed_ms, memory_usage_before_model_<action>, …_after_…,
/// memory_usage_peak, sampler, estimate}. Unknown values are null.
nlohmann::ordered_json stage_json(const StageProfile& stage, const StageLabel& label);
/// One row per stage: time, anonymous memory before, after and at the peak, file-backed memory, PSS, the model's pages
/// in the page cache.
std::string stage_table(const std::vector<StageProfile>& stages);
/// One row per stage that has an estimate: estimate, measurement and error, for the anonymous peak and the pack's
/// mapped pages.
std::string estimate_table(const std::vector<StageProfile>& stages,
                           const std::vector<std::optional<MemoryEstimate>>& estimates);

/// The figures of a command with its children: {schema_version, stage, command, exit_code, elapsed_ms,
/// memory_usage_peak, sampler}. They are unknown if the command ended before it was read.
nlohmann::ordered_json command_json(const std::vector<std::string>& command, int exit_code, int64_t elapsed_ns,
                                    const SampledPeak& peak);
std::string command_text(int64_t elapsed_ns, const SampledPeak& peak);

}  // namespace frugal
