// How much a word tells, by how few chunks have it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace frugal {

/// Inverse document frequency (Robertson & Spärck Jones 1976), plus 1 inside the logarithm: a word of every chunk still
/// has a small weight.
inline float inverse_document_frequency(int64_t chunks_with_word, int64_t chunks) {
  const double with = static_cast<double>(std::min(chunks_with_word, chunks));
  return static_cast<float>(std::log(1.0 + (static_cast<double>(chunks) - with + 0.5) / (with + 0.5)));
}

}  // namespace frugal
