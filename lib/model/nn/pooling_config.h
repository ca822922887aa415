// How an encoder's tokens become the vector of a text, as sentence-transformers' side files say it and a pack has it.
// Keys "embed.…".
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "compute/tensor/activation.h"
#include "model/format/checkpoint.h"
#include "model/format/model_config.h"
#include "model/nn/config_reader.h"

namespace frugal {

struct PoolingConfig {
  std::string name;  // "mean", "cls" or "last"
  Pooling pooling = Pooling::mean;
  bool normalize = true;
  int64_t max_tokens = 0;
};

/// `positions`: the longest input that the model takes. Throws Error(bad_input) for a pooling that is not known.
void plan_pooling(const Checkpoint& checkpoint, const ConfigReader& reader, int64_t positions,
                  std::map<std::string, std::string>& config);
/// Throws what ModelConfig::fail throws.
PoolingConfig read_pooling(const ModelConfig& pack, int64_t positions);

}  // namespace frugal
