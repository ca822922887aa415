// Checks shared by the readers of checkpoints: sizes and names of tensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/format/checkpoint.h"

namespace frugal {

/// Bytes of a tensor; nullopt if the count would wrap or a row is not a whole number of blocks. Dimensions must be
/// positive.
std::optional<uint64_t> source_bytes(SourceType type, const Shape& shape);

/// Throws Error(corrupt_file) for a name that is empty, longer than 512 bytes or holds control characters.
void check_source_name(std::string_view name, const std::filesystem::path& file);

/// `text` for an error message: shortened for a terminal, control characters replaced.
std::string printable(std::string_view text);

/// Sorts by name. Throws Error(corrupt_file) if a name appears twice.
void sort_by_name(std::vector<SourceTensor>& tensors, const std::filesystem::path& file);

}  // namespace frugal
