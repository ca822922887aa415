// An encoder with pooling as a sentence embedder (Reimers & Gurevych 2019).
#pragma once

#include <memory>
#include <string_view>

#include "model/arch/text_encoder.h"
#include "model/nn/embedder.h"
#include "model/nn/model_source.h"

namespace frugal {

/// Reads pooling and tokenizer from the source, which it borrows with `ops`. `family` begins the fingerprint of its
/// vectors: "bert". Throws as ModelSource does, and what ModelConfig::fail throws.
std::unique_ptr<Embedder> make_encoder_embedder(std::string_view family, std::unique_ptr<TextEncoder> encoder,
                                                const ModelSource& source, Ops& ops);

}  // namespace frugal
