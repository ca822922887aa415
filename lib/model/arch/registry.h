// The architectures that frugal knows, and how a model of one is planned and opened. An explicit array: a new
// architecture is a line in registry.cpp.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "compute/ops/ops.h"
#include "model/format/model_config.h"
#include "model/format/pack.h"
#include "model/nn/architecture.h"
#include "model/nn/decoder.h"
#include "model/nn/embedder.h"
#include "model/nn/model_source.h"

namespace frugal {

std::span<const Architecture> architectures();
/// Throws Error(bad_input) listing the known ones.
const Architecture& find_architecture(std::string_view name);
ModelPlan plan_model(const Checkpoint& checkpoint);
/// By its "model.architecture". Throws Error(corrupt_file) naming the file if that is missing or unknown.
ModelKind model_kind(const ModelConfig& config);

/// Opens the checkpoint at `path` (open_checkpoint) as a model in fp32; `identity` is what the model says it is.
std::unique_ptr<ModelSource> open_checkpoint_source(const std::filesystem::path& path, std::string identity);

/// Borrows `source` and `ops`. Throws Error(mismatch) if the model is not an encoder.
std::unique_ptr<Embedder> open_embedder(const ModelSource& source, Ops& ops);
std::unique_ptr<Embedder> open_embedder(const Pack& pack, Ops& ops);

/// Borrows `source` and `ops`. Throws Error(mismatch) if the model does not generate text.
std::unique_ptr<Decoder> open_decoder(const ModelSource& source, Ops& ops);
std::unique_ptr<Decoder> open_decoder(const Pack& pack, Ops& ops);

}  // namespace frugal
