// Checks shared by the readers of checkpoints: sizes and names of tensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/format/checkpoint.h"

namespace frugal {

/// Dimensions that a tensor may have in a file.
inline constexpr size_t kMaxSourceRank = 8;
/// The shape of a tensor: one of a scalar is [1], and dimensions beyond Shape::kMaxRank are multiplied into the last,
/// as in the filters of a convolution over frames. nullopt if that product is too large. Dimensions are positive.
std::optional<Shape> source_shape(std::span<const int64_t> dims);

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
