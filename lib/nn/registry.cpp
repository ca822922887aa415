#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "nn/architecture.h"
#include "nn/bert.h"
#include "nn/llama.h"

namespace frugal {
namespace {

constexpr std::string_view kBertNames[] = {"bert"};
constexpr std::string_view kLlamaNames[] = {"llama"};

constexpr Architecture kArchitectures[] = {
    {"bert", kBertNames, ModelKind::embedder, plan_bert},
    {"llama", kLlamaNames, ModelKind::decoder, plan_llama},
};

const Architecture* known_as(std::string_view name) {
  for (const Architecture& architecture : kArchitectures)
    if (std::find(architecture.aliases.begin(), architecture.aliases.end(), name) != architecture.aliases.end())
      return &architecture;
  return nullptr;
}

}  // namespace

std::string_view to_string(ModelKind kind) {
  switch (kind) {
    case ModelKind::embedder:
      return "embedder";
    case ModelKind::decoder:
      return "decoder";
  }
  return "unknown";
}

std::span<const Architecture> architectures() {
  return kArchitectures;
}

const Architecture& find_architecture(std::string_view name) {
  if (const Architecture* architecture = known_as(name)) return *architecture;
  std::string known;
  for (const Architecture& architecture : kArchitectures)
    for (const std::string_view alias : architecture.aliases)
      known += fmt::format("{}{}", known.empty() ? "" : ", ", alias);
  throw Error(Code::bad_input, fmt::format("unknown architecture '{}'", name)).hint("known architectures: " + known);
}

ModelPlan plan_model(const Checkpoint& checkpoint) {
  const Architecture& architecture = find_architecture(checkpoint.architecture());
  ModelPlan plan = architecture.plan(checkpoint);
  plan.kind = architecture.kind;
  return plan;
}

ModelKind model_kind(const ModelConfig& config) {
  const std::string_view name = config.require_text("model.architecture");
  const Architecture* architecture = known_as(name);
  if (!architecture) config.fail(fmt::format("unknown architecture '{}'", name));
  return architecture->kind;
}

int64_t source_row(const TensorSpec& spec, int64_t row) {
  if (spec.unpermute_heads == 0) return row;
  // Within a head of `width` rows the file alternates the two halves: row half · width/2 + j lies at 2 · j + half.
  const int64_t width = spec.shape[0] / spec.unpermute_heads;
  const int64_t in_head = row % width;
  const int64_t half = in_head / (width / 2);
  return row - in_head + 2 * (in_head % (width / 2)) + half;
}

}  // namespace frugal
