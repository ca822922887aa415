// What storing a layer otherwise does to its outputs, and what it costs, measured where the layer runs: the model runs
// in full precision over the calibration text, and every linear layer is multiplied with each of its candidates too.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "model/format/pack.h"
#include "model/nn/model.h"
#include "model/quant/storage_options.h"

namespace frugal {

/// Tokens that the calibration text is cut to. More change the errors by less than the candidates differ.
inline constexpr int64_t kCalibrationTokens = 512;

/// Fills output_error, decode_us and batch_us of each candidate of a linear weight that the model multiplies with.
/// whole, factors: the packs with the candidates (factors may be null). The errors do not depend on `threads`; the
/// times are the least of several. Throws what running the model throws.
void measure_candidates(const Pack& whole, const Pack* factors, std::span<TensorCandidates> tensors, ModelKind kind,
                        std::span<const std::string_view> texts, int threads,
                        const std::function<void(double share)>& progress);

}  // namespace frugal
