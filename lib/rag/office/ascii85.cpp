#include "rag/office/ascii85.h"

#include <cstddef>
#include <cstdint>

namespace frugal {
namespace {

constexpr size_t kDigits = 5, kBytes = 4;  // of a whole group
constexpr uint64_t kBase = 85;

/// The first `digits` - 1 bytes of a group. False if its value is none of 32 bits.
bool append_group(std::string& out, uint64_t value, size_t digits) {
  for (size_t i = digits; i < kDigits; ++i) value = value * kBase + (kBase - 1);
  if (value > UINT32_MAX) return false;
  for (size_t i = 0; i + 1 < digits; ++i) out.push_back(static_cast<char>(value >> (8 * (kBytes - 1 - i)) & 0xff));
  return true;
}

}  // namespace

std::optional<std::string> decode_ascii85(std::string_view text) {
  std::string out;
  out.reserve(text.size() / kDigits * kBytes);
  uint64_t value = 0;
  size_t digits = 0;
  for (const char c : text) {
    if (c == '~') break;
    if (c == '\0' || c == ' ' || ('\t' <= c && c <= '\r')) continue;
    if (c == 'z' && digits == 0) {
      out.append(kBytes, '\0');
      continue;
    }
    if (c < '!' || c > 'u') return std::nullopt;
    value = value * kBase + static_cast<uint64_t>(c - '!');
    if (++digits < kDigits) continue;
    if (!append_group(out, value, digits)) return std::nullopt;
    value = digits = 0;
  }
  if (digits == 1 || (digits > 1 && !append_group(out, value, digits))) return std::nullopt;
  return out;
}

}  // namespace frugal
