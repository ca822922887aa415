#include "model/arch/registry.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "model/arch/bert.h"
#include "model/arch/llama.h"

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

std::unique_ptr<Embedder> open_embedder(const ModelSource& source, Ops& ops) {
  const std::string_view architecture = source.config().require_text("model.architecture");
  if (architecture == "bert") return open_bert(source, ops);
  throw Error(Code::mismatch, fmt::format("{}: a '{}' model is not an embedder", source.path().native(), architecture))
      .hint("give the pack of an encoder, such as all-MiniLM-L6-v2, as --embedder");
}

std::unique_ptr<Embedder> open_embedder(const Pack& pack, Ops& ops) {
  return open_embedder(PackSource(pack), ops);
}

std::unique_ptr<Decoder> open_decoder(const ModelSource& source, Ops& ops) {
  const std::string_view architecture = source.config().require_text("model.architecture");
  if (architecture == "llama") return open_llama(source, ops);
  throw Error(Code::mismatch,
              fmt::format("{}: a '{}' model does not generate text", source.path().native(), architecture))
      .hint("give the pack of a decoder, such as SmolLM2, as --generator");
}

std::unique_ptr<Decoder> open_decoder(const Pack& pack, Ops& ops) {
  return open_decoder(PackSource(pack), ops);
}

}  // namespace frugal
