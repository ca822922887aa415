// How the bytes of a pack come into memory. The pack and what points into it do not notice: its addresses stay.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"

namespace frugal {

enum class LoadMode {
  mmap,    // mapped, read where it is touched, shared with every process: what the tools do
  mlock,   // the same, read now and kept in memory; where the kernel refuses, as mmap
  read,    // read whole into anonymous memory of this process
  stream,  // as little resident as it can run with, the rest read for each use: what a budget does, at its worst
  naive,   // no pack at all: the checkpoint it was made of, in full precision
};
std::string_view to_string(LoadMode mode);
/// Throws Error(usage) naming the known ones.
LoadMode parse_load_mode(std::string_view name);

/// Keeps the pages of `file` in memory as long as it is mapped. Says why where the kernel refuses (RLIMIT_MEMLOCK).
std::optional<std::string> lock_in_memory(const MappedFile& file);
/// Replaces the mapping by a private copy at the same address. Throws Error(io).
void copy_into_memory(const MappedFile& file);

}  // namespace frugal
