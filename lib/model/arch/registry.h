// The registry of architectures: plans checkpoints and opens models. A new architecture is a line of the array in
// registry.cpp. A new kind of model needs no line here, since open_as<Interface>() opens any kind.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "compute/ops/ops.h"
#include "model/format/model_config.h"
#include "model/format/pack.h"
#include "model/nn/architecture.h"
#include "model/nn/decoder.h"
#include "model/nn/embedder.h"
#include "model/nn/model_source.h"
#include "model/nn/reader.h"

namespace frugal {

/// Plans the architecture whose aliases have the checkpoint's head_class(), or else its architecture(). If several have
/// it (Qwen3 generates, embeds and ranks), the kind decides: the one in the options, else "CrossEncoder" in
/// config_sentence_transformers.json (a reader), else a modules.json or GGUF's pooling_type (an embedder), else the
/// first in the registry. Throws Error(bad_input) listing the known ones, and as Architecture::plan.
ModelPlan plan_model(const Checkpoint& checkpoint, const PlanOptions& options = {});
/// The kind of a model, by its "model.architecture". Throws Error(corrupt_file) naming the file if that is missing or
/// unknown.
ModelKind model_kind(const ModelConfig& config);

/// Opens the checkpoint at `path` (open_checkpoint) as a source in fp32. `identity` becomes the identity of its models.
std::unique_ptr<ModelSource> open_checkpoint_source(const std::filesystem::path& path, std::string identity,
                                                    const PlanOptions& options = {});

/// Opens a model of any kind. Borrows `source` and `ops`. Errors name the source's file. Throws as model_kind().
std::unique_ptr<Model> open_model(const ModelSource& source, Ops& ops);
/// Opens a model of kind `wanted`. Throws Error(mismatch), in the words of `wanted`, if the model is of another kind or
/// its architecture is unknown.
std::unique_ptr<Model> open_model(const ModelSource& source, Ops& ops, const ModelKindWords& wanted);

/// Opens a model with the interface of its kind: open_as<Embedder>(). Borrows both arguments. Throws Error(mismatch) if
/// the model is of another kind.
template <class Interface>
std::unique_ptr<Interface> open_as(const ModelSource& source, Ops& ops) {
  std::unique_ptr<Model> model = open_model(source, ops, Interface::kKind);
  auto* interface = dynamic_cast<Interface*>(model.get());
  FRUGAL_CHECK(interface != nullptr);
  static_cast<void>(model.release());
  return std::unique_ptr<Interface>(interface);
}

inline std::unique_ptr<Embedder> open_embedder(const ModelSource& source, Ops& ops) {
  return open_as<Embedder>(source, ops);
}
inline std::unique_ptr<Embedder> open_embedder(const Pack& pack, Ops& ops) {
  return open_as<Embedder>(PackSource(pack), ops);
}
inline std::unique_ptr<Reader> open_reader(const ModelSource& source, Ops& ops) {
  return open_as<Reader>(source, ops);
}
inline std::unique_ptr<Decoder> open_decoder(const ModelSource& source, Ops& ops) {
  return open_as<Decoder>(source, ops);
}
inline std::unique_ptr<Decoder> open_decoder(const Pack& pack, Ops& ops) {
  return open_as<Decoder>(PackSource(pack), ops);
}

}  // namespace frugal
