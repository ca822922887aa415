#include "model/arch/registry.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/naming.h"

namespace frugal {

// Each is defined in its own file, which needs no header.
extern const Architecture kBertArchitecture, kBertReaderArchitecture, kLlamaArchitecture;

namespace {

constexpr const Architecture* kArchitectures[] = {
    &kBertArchitecture,
    &kBertReaderArchitecture,
    &kLlamaArchitecture,
};

// By its name in packs; null if unknown.
const Architecture* named(std::string_view name) {
  for (const Architecture* architecture : kArchitectures)
    if (architecture->name == name) return architecture;
  return nullptr;
}

const Architecture& require_named(const ModelConfig& config) {
  const std::string_view name = config.require_text("model.architecture");
  const Architecture* architecture = named(name);
  if (!architecture) config.fail(fmt::format("unknown architecture '{}'", name));
  return *architecture;
}

}  // namespace

std::span<const Architecture* const> architectures() {
  return kArchitectures;
}

const Architecture& find_architecture(std::string_view alias) {
  std::string known;
  for (const Architecture* architecture : kArchitectures)
    for (const std::string_view one : architecture->aliases) {
      if (one == alias) return *architecture;
      known += fmt::format("{}{}", known.empty() ? "" : ", ", one);
    }
  throw Error(Code::bad_input, fmt::format("unknown architecture '{}'", alias)).hint("known architectures: " + known);
}

ModelPlan plan_model(const Checkpoint& checkpoint) {
  const Architecture& architecture = find_architecture(checkpoint.architecture());
  ModelPlan plan = architecture.plan(checkpoint);
  plan.architecture = architecture.name;
  plan.kind = architecture.kind;
  plan.config["model.architecture"] = architecture.name;
  return plan;
}

ModelKind model_kind(const ModelConfig& config) {
  return require_named(config).kind;
}

std::unique_ptr<Model> open_model(const ModelSource& source, Ops& ops) {
  return naming_file(source.path(), [&] { return require_named(source.config()).open(source, ops); });
}

std::unique_ptr<Model> open_model(const ModelSource& source, Ops& ops, const ModelKindWords& wanted) {
  const std::string_view name = source.config().require_text("model.architecture");
  const Architecture* architecture = named(name);
  if (architecture && architecture->kind == wanted.kind)
    return naming_file(source.path(), [&] { return architecture->open(source, ops); });
  throw Error(Code::mismatch, fmt::format("{}: a '{}' model {}", source.path().native(), name, wanted.refusal))
      .hint(std::string(wanted.hint));
}

}  // namespace frugal
