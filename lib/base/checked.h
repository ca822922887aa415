// Arithmetic on sizes read from a file: it never wraps.
#pragma once

#include <cstdint>
#include <optional>

namespace frugal {

/// a · b, or nullopt if the product exceeds 64 bits.
inline std::optional<uint64_t> checked_mul(uint64_t a, uint64_t b) {
  uint64_t product;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

/// True if [offset, offset + bytes) lies inside a file of `limit` bytes.
inline bool fits(uint64_t offset, uint64_t bytes, uint64_t limit) {
  return offset <= limit && bytes <= limit - offset;
}

/// `value` rounded up to a multiple of `step`, a power of two. For values that are already trusted.
constexpr uint64_t round_up(uint64_t value, uint64_t step) {
  return (value + step - 1) & ~(step - 1);
}

constexpr int64_t ceil_div(int64_t value, int64_t step) {
  return (value + step - 1) / step;
}

}  // namespace frugal
