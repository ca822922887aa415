#include "model/arch/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "base/naming.h"
#include "model/format/flat_json.h"
#include "model/heads/encoder_embedder.h"
#include "model/nn/config_reader.h"

namespace frugal {

// Each is defined in its own file, which needs no header.
extern const Architecture kBartArchitecture, kBertArchitecture, kBertRankerArchitecture, kBertReaderArchitecture,
    kBlip2Architecture, kClipArchitecture, kGemma2Architecture, kGemma3Architecture, kLlamaArchitecture,
    kModernBertArchitecture, kModernBertRankerArchitecture, kOptArchitecture, kQwen2Architecture, kQwen3Architecture,
    kQwen3EmbedderArchitecture, kQwen3RankerArchitecture, kQwen3VlArchitecture, kQwen3VlDecoderArchitecture,
    kRobertaArchitecture, kRobertaRankerArchitecture, kT5Architecture;

namespace {

constexpr const Architecture* kArchitectures[] = {
    &kBartArchitecture,              // encoder-decoder
    &kBertArchitecture,              // embedder
    &kBertRankerArchitecture,        // reader
    &kBertReaderArchitecture,        // reader
    &kBlip2Architecture,             // model of images and text
    &kClipArchitecture,              // image embedder
    &kGemma2Architecture,            // decoder
    &kGemma3Architecture,            // decoder
    &kLlamaArchitecture,             // decoder
    &kModernBertArchitecture,        // embedder
    &kModernBertRankerArchitecture,  // reader
    &kOptArchitecture,               // decoder
    &kQwen2Architecture,             // decoder
    &kQwen3Architecture,             // decoder
    &kQwen3EmbedderArchitecture,     // embedder
    &kQwen3RankerArchitecture,       // reader
    &kQwen3VlArchitecture,           // model of images and text
    &kQwen3VlDecoderArchitecture,    // decoder
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

bool has_alias(const Architecture& architecture, std::string_view alias) {
  return std::find(architecture.aliases.begin(), architecture.aliases.end(), alias) != architecture.aliases.end();
}

// The first that has the checkpoint's head as an alias, else the first that has its type, among those of a kind if one
// is given. Null if there is none.
const Architecture* find_architecture(const Checkpoint& checkpoint, std::optional<ModelKind> kind) {
  for (const std::string& alias : {checkpoint.head_class(), checkpoint.architecture()})
    for (const Architecture* architecture : kArchitectures)
      if (has_alias(*architecture, alias) && (!kind || architecture->kind == *kind)) return architecture;
  return nullptr;
}

// What the files beside a checkpoint say that it is for.
std::optional<ModelKind> stated_kind(const Checkpoint& checkpoint) {
  constexpr std::string_view kFile = "config_sentence_transformers.json";
  if (const auto side = checkpoint.side_file(kFile))
    if (FlatJson(*side, kFile).text("model_type") == "CrossEncoder") return ModelKind::reader;
  const ConfigReader reader(checkpoint);
  const bool pools = reader.gguf() && reader.integer({"", "pooling_type"}, 0, 4, 0) != 0;
  return pools || checkpoint.side_file("modules.json") ? std::optional(ModelKind::embedder) : std::nullopt;
}

[[noreturn]] void refuse_kind(const Checkpoint& checkpoint, ModelKind kind) {
  std::string possible;
  for (const Architecture* architecture : kArchitectures)
    if (has_alias(*architecture, checkpoint.architecture()) || has_alias(*architecture, checkpoint.head_class()))
      possible += fmt::format("{}{}", possible.empty() ? "" : ", ", to_string(architecture->kind));
  throw Error(Code::bad_input,
              fmt::format("the architecture '{}' makes no {}", checkpoint.architecture(), to_string(kind)))
      .hint("it makes: " + possible);
}

const Architecture& architecture_of(const Checkpoint& checkpoint, std::optional<ModelKind> requested) {
  if (const Architecture* found = find_architecture(checkpoint, requested ? requested : stated_kind(checkpoint)))
    return *found;
  if (const Architecture* found = find_architecture(checkpoint, std::nullopt)) {
    if (requested) refuse_kind(checkpoint, *requested);
    return *found;
  }
  std::vector<std::string_view> known;
  for (const Architecture* architecture : kArchitectures)
    for (const std::string_view alias : architecture->aliases)
      if (std::find(known.begin(), known.end(), alias) == known.end()) known.push_back(alias);
  throw Error(Code::bad_input, fmt::format("unknown architecture '{}'", checkpoint.architecture()))
      .hint(fmt::format("known architectures: {}", fmt::join(known, ", ")));
}

}  // namespace

ModelPlan plan_model(const Checkpoint& checkpoint, const PlanOptions& options) {
  const Architecture& architecture = architecture_of(checkpoint, options.kind);
  ModelPlan plan = architecture.plan(checkpoint);
  plan.architecture = architecture.name;
  plan.kind = architecture.kind;
  plan.config["model.architecture"] = architecture.name;
  if (options.dimensions) plan_truncation(plan, *options.dimensions);
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
