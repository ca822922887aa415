#include "model/arch/registry.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/naming.h"

namespace frugal {

// Each is defined in its own file, which needs no header.
extern const Architecture kBartArchitecture, kBertArchitecture, kBertRankerArchitecture, kBertReaderArchitecture,
    kLlamaArchitecture, kModernBertArchitecture, kModernBertRankerArchitecture, kQwen2Architecture, kQwen3Architecture,
    kRobertaArchitecture, kRobertaRankerArchitecture, kT5Architecture;

namespace {

constexpr const Architecture* kArchitectures[] = {
    &kBartArchitecture,              // encoder-decoder
    &kBertArchitecture,              // embedder
    &kBertRankerArchitecture,        // reader
    &kBertReaderArchitecture,        // reader
    &kLlamaArchitecture,             // decoder
    &kModernBertArchitecture,        // embedder
    &kModernBertRankerArchitecture,  // reader
    &kQwen2Architecture,             // decoder
    &kQwen3Architecture,             // decoder
    &kRobertaArchitecture,           // embedder
    &kRobertaRankerArchitecture,     // reader
    &kT5Architecture,                // encoder-decoder
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

// Null if no architecture has the alias.
const Architecture* aliased(std::string_view alias) {
  for (const Architecture* architecture : kArchitectures)
    if (std::find(architecture->aliases.begin(), architecture->aliases.end(), alias) != architecture->aliases.end())
      return architecture;
  return nullptr;
}

const Architecture& architecture_of(const Checkpoint& checkpoint) {
  if (const Architecture* with_head = aliased(checkpoint.head_class())) return *with_head;
  const std::string type = checkpoint.architecture();
  if (const Architecture* architecture = aliased(type)) return *architecture;
  std::string known;
  for (const Architecture* architecture : kArchitectures)
    for (const std::string_view alias : architecture->aliases)
      known += fmt::format("{}{}", known.empty() ? "" : ", ", alias);
  throw Error(Code::bad_input, fmt::format("unknown architecture '{}'", type)).hint("known architectures: " + known);
}

}  // namespace

ModelPlan plan_model(const Checkpoint& checkpoint) {
  const Architecture& architecture = architecture_of(checkpoint);
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
