// Hugging Face checkpoints: safetensors or PyTorch files with config.json and the tokenizer's files beside them.
#pragma once

#include <filesystem>
#include <memory>

#include "model/format/checkpoint.h"

namespace frugal {

/// Opens a folder with model.safetensors or pytorch_model.bin, or with an index of either (….index.json) and its
/// shards. Safetensors win where a folder has both. Throws as open_checkpoint().
std::unique_ptr<Checkpoint> open_hf_folder(const std::filesystem::path& folder);

/// Opens one file of weights; configuration and tokenizer are read from its folder.
std::unique_ptr<Checkpoint> open_safetensors_file(const std::filesystem::path& file);
std::unique_ptr<Checkpoint> open_pytorch_file(const std::filesystem::path& file);

}  // namespace frugal
