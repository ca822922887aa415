// GGUF, versions 2 and 3 (ggml-org/ggml, docs/gguf.md): typed metadata, tensor infos, then aligned tensor data.
#pragma once

#include <filesystem>
#include <memory>

#include "model/format/checkpoint.h"

namespace frugal {

/// Opens a GGUF file; tensor data is mapped. Throws Error(corrupt_file | bad_input) naming file, field and offset.
std::unique_ptr<Checkpoint> open_gguf(const std::filesystem::path& file);

}  // namespace frugal
