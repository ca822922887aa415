// How an embedder reduces the hidden states of a text to one vector, and which prompts it puts before a text. Read from
// a checkpoint (the side files of sentence-transformers, or GGUF's metadata) and recorded in a pack under the keys
// "embed.…".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "compute/tensor/activation.h"
#include "model/format/checkpoint.h"
#include "model/format/model_config.h"
#include "model/nn/config_reader.h"

namespace frugal {

struct PoolingConfig {
  std::string name;  // "mean", "cls" or "last"
  Pooling pooling = Pooling::mean;
  bool normalize = true;   // to unit length
  int64_t max_tokens = 0;  // longer texts are truncated; special tokens count
  std::string query_prompt, passage_prompt;
};

/// Adds the keys for a checkpoint to `config`. positions: the model's longest input in tokens; otherwise: the pooling
/// of a folder that does not say it. Throws Error(bad_input) for an unknown pooling or an overlong prompt.
void plan_pooling(const Checkpoint& checkpoint, const ConfigReader& reader, int64_t positions,
                  std::map<std::string, std::string>& config, std::string_view otherwise = "mean");
/// The prompt that sentence-transformers puts before questions, or empty. Throws Error(bad_input) if it is overlong.
std::string planned_query_prompt(const Checkpoint& checkpoint);
/// Throws Error(corrupt_file) for an unknown pooling, and what ModelConfig::fail throws.
PoolingConfig read_pooling(const ModelConfig& pack, int64_t positions);

}  // namespace frugal
