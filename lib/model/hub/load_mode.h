// How the bytes of a pack get into memory. The pack stays at its address in every mode, so pointers into it stay valid.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"

namespace frugal {

enum class LoadMode {
  mmap,    // mapped: pages are read on first use and shared by all processes; the default of the tools
  mlock,   // mapped, read at once and locked in memory; like mmap if the kernel refuses the lock
  read,    // read as a whole into anonymous memory
  stream,  // paged, with as few resident bytes as possible: most weights are read for every use, as in the worst budget
  naive,   // no pack: the checkpoint that it was made from, in full precision
};
std::string_view to_string(LoadMode mode);
/// Throws Error(usage), whose hint lists the known names.
LoadMode parse_load_mode(std::string_view name);

/// Locks the pages of `file` in memory until it is unmapped. Returns the reason if the kernel refuses (RLIMIT_MEMLOCK).
std::optional<std::string> lock_in_memory(const MappedFile& file);
/// Replaces the mapping of `file` by a copy in anonymous memory at the same address. Throws Error(io), and
/// Error(corrupt_file) if the file became shorter.
void copy_into_memory(const MappedFile& file);

}  // namespace frugal
