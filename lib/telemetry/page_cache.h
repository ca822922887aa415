// Which part of a file the kernel's page cache holds, and how to fill or empty it before a measurement.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>

namespace frugal {

struct Residency {
  uint64_t file_bytes = 0;
  uint64_t resident_bytes = 0;  // in the page cache, read by this or any other process
};
/// By mincore, which answers truly only to the owner of the file and to those that may write it: else nullopt. Throws
/// Error(io) if the file cannot be opened.
std::optional<Residency> page_cache_residency(const std::filesystem::path& file);
/// Sum over the files; nullopt if any is unknown.
std::optional<Residency> page_cache_residency(std::span<const std::filesystem::path> files);
/// Asks the kernel to read `file`, and may return before it has. Throws Error(io).
void prefetch_into_page_cache(const std::filesystem::path& file);
/// Writes the file back and asks the kernel to evict its pages. Works without root while no process maps them; check
/// page_cache_residency() afterwards. Throws Error(io).
void drop_from_page_cache(const std::filesystem::path& file);

}  // namespace frugal
