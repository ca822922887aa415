#include "rag/cache/byte_cache.h"

#include <fmt/format.h>

#include <charconv>
#include <span>

#include "base/hash.h"

namespace frugal {
namespace {

uint64_t checksum(std::string_view text) {
  return checksum64(std::as_bytes(std::span(text.data(), text.size())));
}

}  // namespace

std::string wrap_entry(std::string_view version, std::string_view content) {
  return fmt::format("{} {:016x}\n{}", version, checksum(content), content);
}

std::optional<std::string> unwrap_entry(std::string_view version, std::string_view entry) {
  const size_t header = version.size() + 1 + 16 + 1;
  if (entry.size() < header || !entry.starts_with(version) || entry[header - 1] != '\n') return std::nullopt;
  const std::string_view content = entry.substr(header);
  uint64_t expected = 0;
  std::from_chars(entry.data() + version.size() + 1, entry.data() + header - 1, expected, 16);
  if (expected != checksum(content)) return std::nullopt;
  return std::string(content);
}

}  // namespace frugal
