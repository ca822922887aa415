// Reads PyTorch checkpoints: the zip archive that torch.save writes (since torch 1.6), holding a dict of tensors. Works
// without torch and never runs the archive's pickle (pickle.h). Files of older versions and TorchScript archives hold
// programs and are refused.
#pragma once

#include <string_view>
#include <vector>

#include "base/file.h"
#include "model/format/checkpoint.h"

namespace frugal {

/// True if a file that begins with these bytes is a zip archive or a bare pickle.
bool is_pytorch(std::string_view magic);

/// The tensors of a state dict, or of the dict under its key "state_dict" or "model" if exactly one of them holds
/// tensors. Tensors may share a storage; each must be contiguous. Throws Error(corrupt_file | bad_input) naming file,
/// tensor or pickle opcode, and offset.
std::vector<SourceTensor> read_pytorch(const MappedFile& file);

}  // namespace frugal
