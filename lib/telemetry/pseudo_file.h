// Files of /proc and /sys, and the figures on their lines. They are made as they are read, so their size is unknown
// beforehand, and one may vanish with its process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace frugal {

/// The whole file; nullopt if it does not exist, may not be read, or its process has ended.
std::optional<std::string> read_pseudo_file(const std::filesystem::path& path);
/// The number after `name` at the start of a line: "inactive_file 4096". nullopt if no line begins so.
std::optional<uint64_t> line_value(const std::string& text, const std::string& name);
/// The same of a line in KiB, in bytes: "Pss:   12 kB".
std::optional<uint64_t> line_kib(const std::string& text, const std::string& name);

/// Reads at most `capacity` - 1 bytes of a small file of /proc in one call and ends them with a zero; returns how many,
/// 0 on failure. Without a stream's locale machinery: this runs on the cold path of every tool.
size_t read_proc(const char* path, char* buffer, size_t capacity);
/// Field `number` of a /proc/PID/stat line, numbered from 1 as in proc(5), from 4 on; 0 if it is missing.
uint64_t stat_field(const char* stat, int number);

}  // namespace frugal
