#include "model/nn/pooling_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "model/format/flat_json.h"

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

void plan_prompts(const Checkpoint& checkpoint, std::map<std::string, std::string>& config) {
  constexpr std::string_view kFile = "config_sentence_transformers.json";
  const auto side = checkpoint.side_file(kFile);
  if (!side) return;
  const FlatJson fields(*side, std::string(kFile));
  const auto put = [&](std::string_view key, const std::string& prompt) {
    if (prompt.size() > kMaxPromptBytes)
      throw Error(Code::bad_input,
                  fmt::format("{}: a prompt of {} bytes, more than {}", kFile, prompt.size(), kMaxPromptBytes));
    if (!prompt.empty()) config[std::string(key)] = prompt;
  };
  put("embed.query_prompt", find_prompt(fields, {"query"}));
  put("embed.passage_prompt", find_prompt(fields, {"document", "passage", "corpus"}));
}

std::string read_prompt(const ModelConfig& pack, std::string_view key) {
  std::string prompt(pack.text(key).value_or(""));
  if (prompt.size() > kMaxPromptBytes) pack.fail(fmt::format("config key '{}' has {} bytes", key, prompt.size()));
  return prompt;
}

}  // namespace

void plan_pooling(const Checkpoint& checkpoint, const ConfigReader& reader, int64_t positions,
                  std::map<std::string, std::string>& config) {
  std::string pooling = "mean";
  bool normalize = true;
  int64_t max_tokens = positions;
  if (reader.gguf()) {
    const int64_t kind = reader.integer({"", "pooling_type"}, 0, 4, 1);
    pooling = kind == 2 ? "cls" : kind == 3 ? "last" : "mean";
  } else if (const auto modules = checkpoint.side_file("modules.json")) {
    normalize = modules->find("Normalize") != std::string::npos;
    if (const auto side = checkpoint.side_file("1_Pooling/config.json")) {
      const FlatJson fields(*side, "1_Pooling/config.json");
      const auto flag = [&](std::string_view key) { return fields.integer(key).value_or(0) != 0; };
      if (flag("pooling_mode_cls_token"))
        pooling = "cls";
      else if (flag("pooling_mode_lasttoken"))
        pooling = "last";
      else if (!flag("pooling_mode_mean_tokens"))
        throw Error(Code::bad_input, "1_Pooling/config.json: only mean, cls and last-token pooling are supported");
    }
    if (const auto side = checkpoint.side_file("sentence_bert_config.json"))
      max_tokens = std::clamp<int64_t>(
          FlatJson(*side, "sentence_bert_config.json").integer("max_seq_length").value_or(positions), 3, positions);
  }
  config["embed.pooling"] = pooling;
  config["embed.normalize"] = normalize ? "true" : "false";
  config["embed.max_tokens"] = std::to_string(max_tokens);
  plan_prompts(checkpoint, config);
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
