// The order in which mem-profile loads, runs and unloads models (configs/pipeline.yaml).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/paths.h"

namespace frugal {

struct ScenarioStage {
  enum class Action { load, run, unload };
  Action action = Action::load;
  std::string model;  // embedder or generator, as the configuration names them, or a pack
  std::string text;   // of a run: what to embed, or the prompt
  int64_t max_new_tokens = 32;
};
std::string_view to_string(ScenarioStage::Action action);

struct Scenario {
  /// What an unload does: aggressive gives everything back at once; cache keeps the model until the pipeline ends, and
  /// loading it again costs nothing.
  enum class Mode { aggressive, cache } mode = Mode::aggressive;
  std::vector<ScenarioStage> stages;
  std::vector<std::string> alerts;  // "peak_anon=64MiB": limits that each stage is held to
};

/// Throws Error(usage) naming file and line: for unknown keys, a stage without an action or with two, a run of a model
/// that is not loaded, a load of one that is.
Scenario parse_scenario(std::string_view yaml, std::string_view origin);
Scenario load_scenario(const std::filesystem::path& file);

/// The name or path that a stage's model has in the configuration. Throws Error(usage) for a role that it leaves empty.
std::string model_name(const std::string& model, const ModelNames& models);

/// The pack of a stage's model. Throws Error(missing), Error(usage) for a role that the configuration leaves empty.
std::filesystem::path pack_of(const std::string& model, const ModelNames& models);

}  // namespace frugal
