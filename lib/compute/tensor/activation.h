// Choices of an operation that kernels, backends and architectures name alike. Numbered as in compute/ops/plugin_abi.h.
#pragma once

#include <cstdint>

namespace frugal {

/// Element-wise functions: gelu is the exact erf form, gelu_tanh and quick_gelu its approximations by tanh and by
/// x · σ(1.702 x) (Hendrycks & Gimpel 2016).
enum class Activation : uint8_t { none, gelu, gelu_tanh, silu, relu, tanh, quick_gelu };

/// Layer normalisation (Ba et al. 2016) or root mean square only (Zhang & Sennrich 2019).
enum class NormKind : uint8_t { layer, rms };

/// How the tokens of a sequence become one row: their mean, the first or the last.
enum class Pooling : uint8_t { mean, cls, last };

}  // namespace frugal
