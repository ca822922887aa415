// quantize-model --check: whether a file is a pack of which every byte that means something is as it was written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace frugal {

struct PackCheck {
  std::filesystem::path file;
  size_t tensors = 0;
  uint64_t file_bytes = 0;
  std::string problem, hint;  // the first thing that is wrong; empty: the pack is sound
};

/// Opens the pack and verifies every checksum. A file that is cut short, has a damaged header or is not a pack is a
/// problem of the result. Throws Error(missing) if there is no file, Error(mismatch) for another version of the format,
/// Error(io | bad_input) if it is no regular file or cannot be read.
PackCheck check_pack(const std::filesystem::path& file);

/// One line about a sound pack.
std::string check_text(const PackCheck& check);
/// {schema_version, file, sound, problem, tensors, bytes}; unknown values are null.
std::string check_json(const PackCheck& check);

}  // namespace frugal
