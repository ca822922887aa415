#include "model/nn/pooling_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "base/error.h"
#include "model/format/flat_json.h"
#include "model/format/sentence_modules.h"

namespace frugal {
namespace {

constexpr size_t kMaxPromptBytes = 1024;

Pooling parse_pooling(std::string_view name) {
  if (name == "mean") return Pooling::mean;
  if (name == "cls") return Pooling::cls;
  if (name == "last") return Pooling::last;
  throw Error(Code::corrupt_file, fmt::format("unknown pooling '{}'", name)).hint("re-run quantize-model");
}

// sentence-transformers' choice among the named prompts of a model: encode_query() takes "query", encode_document() the
// first of "document", "passage" and "corpus", and both the default prompt where there is none.
std::string find_prompt(const FlatJson& fields, std::initializer_list<std::string_view> names) {
  const auto named = [&](std::string_view name) { return fields.text(fmt::format("prompts.{}", name)); };
  for (const std::string_view name : names)
    if (const auto prompt = named(name)) return *prompt;
  const auto fallback = fields.text("default_prompt_name");
  return fallback ? named(*fallback).value_or("") : "";
}

// Empty if the folder has no such prompt.
std::string planned_prompt(const Checkpoint& checkpoint, std::initializer_list<std::string_view> names) {
  constexpr std::string_view kFile = "config_sentence_transformers.json";
  const auto side = checkpoint.side_file(kFile);
  if (!side) return {};
  std::string prompt = find_prompt(FlatJson(*side, kFile), names);
  if (prompt.size() > kMaxPromptBytes)
    throw Error(Code::bad_input,
                fmt::format("{}: a prompt of {} bytes, more than {}", kFile, prompt.size(), kMaxPromptBytes));
  return prompt;
}

std::string read_prompt(const ModelConfig& pack, std::string_view key) {
  std::string prompt(pack.text(key).value_or(""));
  if (prompt.size() > kMaxPromptBytes) pack.fail(fmt::format("config key '{}' has {} bytes", key, prompt.size()));
  return prompt;
}

// The mode that the module's configuration names, as sentence-transformers writes it since version 5 ("pooling_mode")
// or before (a boolean for each).
std::string pooling_of(const FlatJson& fields, std::string_view file) {
  const auto mode = [&](std::string_view now, std::string_view before) {
    const auto named = fields.text("pooling_mode");
    return named ? *named == now : fields.integer(before).value_or(0) != 0;
  };
  if (mode("cls", "pooling_mode_cls_token")) return "cls";
  if (mode("lasttoken", "pooling_mode_lasttoken")) return "last";
  if (mode("mean", "pooling_mode_mean_tokens")) return "mean";
  throw Error(Code::bad_input, fmt::format("{}: only mean, cls and last-token pooling are supported", file));
}

// Whether the last module scales vectors to unit length. Throws Error(bad_input) for modules that are not known, or in
// another order than transformer, pooling, dense layers, normalisation.
bool check_modules(std::span<const SentenceModule> modules) {
  constexpr std::array<std::string_view, 4> kOrder{"Transformer", "Pooling", "Dense", "Normalize"};
  size_t last = 0;
  for (const SentenceModule& module : modules) {
    const auto* const at = std::find(kOrder.begin(), kOrder.end(), module.kind);
    if (at == kOrder.end())
      throw Error(Code::bad_input, fmt::format("{}: modules of type '{}' are not supported", kModulesFile, module.kind))
          .hint("known: Transformer, Pooling, Dense, Normalize");
    const auto place = static_cast<size_t>(at - kOrder.begin());
    if (place < last)
      throw Error(Code::bad_input,
                  fmt::format("{}: '{}' behind '{}' is not supported", kModulesFile, module.kind, kOrder[last]));
    last = place;
  }
  return last + 1 == kOrder.size();
}

}  // namespace

void plan_pooling(const Checkpoint& checkpoint, const ConfigReader& reader, int64_t positions,
                  std::map<std::string, std::string>& config, std::string_view otherwise) {
  std::string pooling(otherwise);
  bool normalize = true;
  int64_t max_tokens = positions;
  if (reader.gguf()) {
    const int64_t kind = reader.integer({"", "pooling_type"}, 0, 4, 1);
    pooling = kind == 2 ? "cls" : kind == 3 ? "last" : "mean";
  } else if (const std::vector<SentenceModule> modules = read_modules(checkpoint); !modules.empty()) {
    normalize = check_modules(modules);
    for (const SentenceModule& module : modules)
      if (const std::string file = module.file("config.json"); module.kind == "Pooling")
        if (const auto side = checkpoint.side_file(file)) pooling = pooling_of(FlatJson(*side, file), file);
    if (const auto side = checkpoint.side_file("sentence_bert_config.json"))
      max_tokens = std::clamp<int64_t>(
          FlatJson(*side, "sentence_bert_config.json").integer("max_seq_length").value_or(positions), 3, positions);
  }
  config["embed.pooling"] = pooling;
  config["embed.normalize"] = normalize ? "true" : "false";
  config["embed.max_tokens"] = std::to_string(max_tokens);
  const std::string query = planned_query_prompt(checkpoint),
                    passage = planned_prompt(checkpoint, {"document", "passage", "corpus"});
  if (!query.empty()) config["embed.query_prompt"] = query;
  if (!passage.empty()) config["embed.passage_prompt"] = passage;
}

std::string planned_query_prompt(const Checkpoint& checkpoint) {
  return planned_prompt(checkpoint, {"query"});
}

PoolingConfig read_pooling(const ModelConfig& pack, int64_t positions) {
  PoolingConfig config;
  config.name = pack.require_text("embed.pooling");
  config.pooling = parse_pooling(config.name);
  config.normalize = pack.require_text("embed.normalize") == "true";
  config.max_tokens = pack.require_int("embed.max_tokens", 3, positions);
  config.query_prompt = read_prompt(pack, "embed.query_prompt");
  config.passage_prompt = read_prompt(pack, "embed.passage_prompt");
  return config;
}

}  // namespace frugal
