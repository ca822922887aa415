// The role of a tensor, as a pack's table of contents records it.
#pragma once

#include <cstdint>
#include <string_view>

namespace frugal {

/// Decides how a tensor may be stored. The numbers are part of the pack format (docs/pack-format.md): never reuse one.
enum class TensorRole : uint8_t {
  linear = 0,     // weight of a linear layer: any linear type
  embedding = 1,  // looked up by row: f32, f16 or i8 with row scales
  tied = 2,       // looked up by row and multiplied as the output layer: a linear type
  vector = 3,     // norms, biases: f32
};

inline std::string_view to_string(TensorRole role) {
  switch (role) {
    case TensorRole::linear:
      return "linear";
    case TensorRole::embedding:
      return "embedding";
    case TensorRole::tied:
      return "tied";
    case TensorRole::vector:
      return "vector";
  }
  return "unknown";
}

}  // namespace frugal
