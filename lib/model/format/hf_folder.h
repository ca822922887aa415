// Hugging Face checkpoints: safetensors or PyTorch files with config.json and the tokenizer's files beside them.
#pragma once

#include <filesystem>
#include <memory>

#include "model/format/checkpoint.h"

namespace frugal {

/// A folder with model.safetensors or pytorch_model.bin, or with an index of either (….index.json) and the shards that
/// it names. Where both are there, safetensors are read.
std::unique_ptr<Checkpoint> open_hf_folder(const std::filesystem::path& folder);

/// One file of weights; configuration and tokenizer are read from its folder.
std::unique_ptr<Checkpoint> open_safetensors_file(const std::filesystem::path& file);
std::unique_ptr<Checkpoint> open_pytorch_file(const std::filesystem::path& file);

}  // namespace frugal
