// Hugging Face checkpoints: safetensors files with config.json and the tokenizer's files beside them.
#pragma once

#include <filesystem>
#include <memory>

#include "format/checkpoint.h"

namespace frugal {

/// A folder with model.safetensors, or with model.safetensors.index.json and the shards it names.
std::unique_ptr<Checkpoint> open_hf_folder(const std::filesystem::path& folder);

/// One .safetensors file; configuration and tokenizer are read from its folder.
std::unique_ptr<Checkpoint> open_safetensors_file(const std::filesystem::path& file);

}  // namespace frugal
