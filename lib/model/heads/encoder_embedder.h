// An encoder with pooling as a sentence embedder (Reimers & Gurevych 2019), with the dense layers behind it, and the
// truncation of its vectors (Kusupati et al. 2022).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "model/format/checkpoint.h"
#include "model/format/model_config.h"
#include "model/heads/text_encoder.h"
#include "model/nn/architecture.h"
#include "model/nn/embedder.h"
#include "model/nn/model_source.h"

namespace frugal {

/// Adds everything behind the encoder to the plan: pooling and prompts (model/nn/pooling_config.h), dense layers, and
/// the dimension of the vectors. hidden, positions: the encoder's; otherwise: as in plan_pooling(). Throws
/// Error(bad_input).
void plan_encoder_embedder(const Checkpoint& checkpoint, int64_t hidden, int64_t positions, ModelPlan& plan,
                           std::string_view otherwise = "mean");
/// Keeps the first `dimensions` values of each vector. Throws Error(usage) if the plan is not an embedder's, or if its
/// vectors do not have so many.
void plan_truncation(ModelPlan& plan, int64_t dimensions);
/// The number of values that plan_truncation() kept, or nullopt.
std::optional<int64_t> read_truncation(const ModelConfig& config);

/// Reads pooling and tokenizer from the source, which it borrows with `ops`. `family` begins the fingerprint of its
/// vectors: "bert". Throws as ModelSource does, and what ModelConfig::fail throws.
std::unique_ptr<Embedder> make_encoder_embedder(std::string_view family, std::unique_ptr<TextEncoder> encoder,
                                                const ModelSource& source, Ops& ops);

}  // namespace frugal
