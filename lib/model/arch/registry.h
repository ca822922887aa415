// The architectures that frugal knows, and how a model of one is planned and opened. An explicit array: a new
// architecture is a line in registry.cpp, and a new kind of model needs none here: open_as<ITS INTERFACE>() opens it.
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

namespace frugal {

std::span<const Architecture* const> architectures();
/// By what a checkpoint calls itself. Throws Error(bad_input) listing the known ones.
const Architecture& find_architecture(std::string_view alias);
ModelPlan plan_model(const Checkpoint& checkpoint);
/// By its "model.architecture". Throws Error(corrupt_file) naming the file if that is missing or unknown.
ModelKind model_kind(const ModelConfig& config);

/// Opens the checkpoint at `path` (open_checkpoint) as a model in fp32; `identity` is what the model says it is.
std::unique_ptr<ModelSource> open_checkpoint_source(const std::filesystem::path& path, std::string identity);

/// A model of whatever kind. Borrows `source` and `ops`. Throws as model_kind().
std::unique_ptr<Model> open_model(const ModelSource& source, Ops& ops);
/// A model of kind `wanted`. Throws Error(mismatch) in the words of `wanted` if it is of another, or unknown.
std::unique_ptr<Model> open_model(const ModelSource& source, Ops& ops, const ModelKindWords& wanted);

/// A model with the interface of a kind: open_as<Embedder>(). Borrows both. Throws Error(mismatch) if it is of another.
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
inline std::unique_ptr<Decoder> open_decoder(const ModelSource& source, Ops& ops) {
  return open_as<Decoder>(source, ops);
}
inline std::unique_ptr<Decoder> open_decoder(const Pack& pack, Ops& ops) {
  return open_as<Decoder>(PackSource(pack), ops);
}

}  // namespace frugal
