#include "app/config/scenario.h"

#include <fmt/format.h>

#include <charconv>
#include <set>

#include "app/config/paths.h"
#include "app/config/yaml.h"
#include "base/file.h"
#include "base/suggest.h"
#include "base/units.h"

namespace frugal {
namespace {

using Action = ScenarioStage::Action;

constexpr std::string_view kOneAction = "a stage must have exactly one of load, run and unload";

Error unknown_key(std::string_view origin, const YAML::Node& node, const std::string& key,
                  const std::vector<std::string>& known) {
  const std::string nearest = nearest_name(key, known);
  return yaml_error(origin, node, fmt::format("unknown key '{}'", key))
      .hint(nearest.empty() ? "configs/pipeline.yaml shows the keys of a stage"
                            : fmt::format("did you mean '{}'?", nearest));
}

int64_t token_count(std::string_view origin, const YAML::Node& node, const std::string& text) {
  constexpr int64_t kMaxNewTokens = 1 << 20;
  int64_t count = 0;
  const auto [stop, status] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (status != std::errc() || stop != text.data() + text.size() || count < 1 || count > kMaxNewTokens)
    throw yaml_error(origin, node,
                     fmt::format("max_new_tokens takes a whole number from 1 to {}, not '{}'", kMaxNewTokens, text));
  return count;
}

ScenarioStage parse_stage(std::string_view origin, const YAML::Node& node) {
  if (!node.IsMap()) throw yaml_error(origin, node, "a stage must be a mapping, like `- load: embedder`");
  ScenarioStage stage;
  for_each_entry(origin, node, [&](const std::string& key, const YAML::Node& key_node, const YAML::Node& value) {
    const std::string text = yaml_text(origin, key, value);
    for (Action action : {Action::load, Action::run, Action::unload}) {
      if (key != to_string(action)) continue;
      if (!stage.model.empty()) throw yaml_error(origin, key_node, kOneAction);
      if (text.empty()) throw yaml_error(origin, key_node, fmt::format("'{}' names no model", key));
      stage.action = action;
      stage.model = text;
      return;
    }
    if (key == "text") {
      stage.text = text;
    } else if (key == "max_new_tokens") {
      stage.max_new_tokens = token_count(origin, value, text);
    } else {
      throw unknown_key(origin, key_node, key, {"load", "run", "unload", "text", "max_new_tokens"});
    }
  });
  if (stage.model.empty()) throw yaml_error(origin, node, kOneAction);
  return stage;
}

void check_order(std::string_view origin, const YAML::Node& node, const ScenarioStage& stage,
                 std::set<std::string>& loaded) {
  const bool is_loaded = loaded.count(stage.model) > 0;
  if (stage.action == Action::load && is_loaded)
    throw yaml_error(origin, node, fmt::format("'{}' is loaded already", stage.model));
  if (stage.action != Action::load && !is_loaded)
    throw yaml_error(origin, node, fmt::format("'{}' is not loaded at this stage", stage.model));
  if (stage.action == Action::load) loaded.insert(stage.model);
  if (stage.action == Action::unload) loaded.erase(stage.model);
}

std::vector<ScenarioStage> parse_stages(std::string_view origin, const YAML::Node& key_node, const YAML::Node& list) {
  if (!list.IsSequence()) throw yaml_error(origin, key_node, "'stages' must be a list");
  std::vector<ScenarioStage> stages;
  std::set<std::string> loaded;
  for (const YAML::Node& node : list) {
    stages.push_back(parse_stage(origin, node));
    check_order(origin, node, stages.back(), loaded);
  }
  return stages;
}

Scenario::Mode parse_mode(std::string_view origin, const YAML::Node& node) {
  const std::string text = yaml_text(origin, "mode", node);
  if (text == "aggressive") return Scenario::Mode::aggressive;
  if (text == "cache") return Scenario::Mode::cache;
  throw yaml_error(origin, node, fmt::format("mode is aggressive or cache, not '{}'", text));
}

std::vector<std::string> parse_alerts(std::string_view origin, const YAML::Node& mapping) {
  std::vector<std::string> alerts;
  for_each_entry(origin, mapping, [&](const std::string& figure, const YAML::Node&, const YAML::Node& limit) {
    alerts.push_back(fmt::format("{}={}", figure, yaml_text(origin, figure, limit)));
  });
  return alerts;
}

// `models` gives names to packs, so that the lines of a stage say what it is for.
void name_models(std::string_view origin, const YAML::Node& mapping, std::vector<ScenarioStage>& stages) {
  for_each_entry(origin, mapping, [&](const std::string& name, const YAML::Node& key_node, const YAML::Node& value) {
    const std::string pack = yaml_text(origin, name, value);
    if (pack.empty()) throw yaml_error(origin, key_node, fmt::format("'{}' names no model", name));
    bool is_used = false;
    for (ScenarioStage& stage : stages) {
      if (stage.model != name) continue;
      stage.named = pack;
      is_used = true;
    }
    if (!is_used) throw yaml_error(origin, key_node, fmt::format("no stage uses the model '{}'", name));
  });
}

}  // namespace

std::string_view to_string(Action action) {
  switch (action) {
    case Action::load:
      return "load";
    case Action::run:
      return "run";
    case Action::unload:
      return "unload";
  }
  return "";
}

Scenario parse_scenario(std::string_view yaml, std::string_view origin) {
  Scenario pipeline;
  YAML::Node models;
  for_each_entry(origin, parse_yaml(yaml, origin),
                 [&](const std::string& key, const YAML::Node& key_node, const YAML::Node& value) {
                   if (key == "mode")
                     pipeline.mode = parse_mode(origin, value);
                   else if (key == "alerts")
                     pipeline.alerts = parse_alerts(origin, value);
                   else if (key == "models")
                     models.reset(value);
                   else if (key == "stages")
                     pipeline.stages = parse_stages(origin, key_node, value);
                   else
                     throw unknown_key(origin, key_node, key, {"mode", "alerts", "models", "stages"});
                 });
  if (pipeline.stages.empty())
    throw Error(Code::usage, fmt::format("{}: no stages", origin)).hint("configs/pipeline.yaml is an example");
  if (models.IsDefined() && !models.IsNull()) name_models(origin, models, pipeline.stages);
  return pipeline;
}

Scenario load_scenario(const std::filesystem::path& file) {
  return parse_scenario(read_file(file, kMiB), file.native());
}

std::string model_name(const std::string& model, const ModelNames& models) {
  std::string name = model;
  if (model == "embedder") name = models.embedder;
  if (model == "reader") name = models.reader;
  if (model == "generator") name = models.generator;
  if (name.empty())
    throw Error(Code::usage, fmt::format("no {} is configured", model)).hint(fmt::format("set models.{}", model));
  return name;
}

std::filesystem::path pack_of(const std::string& model, const ModelNames& models) {
  return find_model(model_name(model, models));
}

}  // namespace frugal
