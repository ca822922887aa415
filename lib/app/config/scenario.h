// The pipeline that mem-profile measures: a sequence of stages that load, run and unload models, read from YAML.
// configs/pipeline.yaml is an example. app/wiring/scenario_profile.h performs it.
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
  std::string model;  // a role of the configuration (embedder, generator), the name or path of a pack, or a name that
                      // the pipeline gives to one of these
  std::string text;   // run: the text to embed, or the prompt
  int64_t max_new_tokens = 32;  // run: limit on generated tokens
  std::string named;            // what `model` stands for, if the pipeline gives it a name

  const std::string& source() const { return named.empty() ? model : named; }
};
std::string_view to_string(ScenarioStage::Action action);

struct Scenario {
  /// Effect of an unload: aggressive releases the model's memory at once; cache keeps the model until the pipeline
  /// ends, so that another load of it takes no time.
  enum class Mode { aggressive, cache } mode = Mode::aggressive;
  std::vector<ScenarioStage> stages;
  std::vector<std::string> alerts;  // limits for every stage, like "peak_anon=64MiB" (measure/profile/memory_alert.h)
};

/// Parses a pipeline. `origin` names the file in messages. Throws Error(usage) naming file and line for an unknown key,
/// a stage without an action or with two, a run or unload of a model that is not loaded, a load of one that is, and a
/// name of a model that no stage uses.
Scenario parse_scenario(std::string_view yaml, std::string_view origin);
/// parse_scenario() of a file's text. Throws Error(io), too.
Scenario load_scenario(const std::filesystem::path& file);

/// Resolves a role ("embedder", "generator") to the configured name or path; returns other names unchanged. Throws
/// Error(usage) for a role that is not configured.
std::string model_name(const std::string& model, const ModelNames& models);

/// The pack of a stage's source(). Throws Error(missing) if there is none, Error(usage) like model_name().
std::filesystem::path pack_of(const std::string& model, const ModelNames& models);

}  // namespace frugal
