// The safetensors container (huggingface/safetensors, format 0.x): a JSON header, then the tensors' bytes, contiguous.
#pragma once

#include <vector>

#include "base/file.h"
#include "model/format/checkpoint.h"

namespace frugal {

/// The tensors of a mapped file, in the order of their data. Checks everything that the format promises: header size,
/// types, shapes against byte counts, no gap, no overlap, header end + data = file length. Throws Error(corrupt_file |
/// bad_input) naming file, tensor and offset.
std::vector<SourceTensor> read_safetensors(const MappedFile& file);

}  // namespace frugal
