// Measures every candidate of every linear layer where the layer runs: the error of the layer's outputs and its time.
// The model runs in full precision over the calibration text, and each linear layer also multiplies the same inputs
// with each of its candidates. So a candidate is measured alone, without the errors of other layers.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "model/format/pack.h"
#include "model/nn/model.h"
#include "model/quant/storage_options.h"

namespace frugal {

/// The calibration text is cut to this many tokens. More tokens change the errors by less than candidates differ.
inline constexpr int64_t kCalibrationTokens = 512;

/// Fills output_error, decode_us and batch_us of each candidate of every linear weight that the model multiplies with.
/// whole: the pack with the candidates that are stored whole. factors: the pack with the low-rank candidates, or null.
/// progress: gets the share done, 0 to 1. Errors do not depend on `threads`; each time is the minimum of several.
/// Throws as running the model does.
void measure_candidates(const Pack& whole, const Pack* factors, std::span<TensorCandidates> tensors, ModelKind kind,
                        std::span<const std::string_view> texts, int threads,
                        const std::function<void(double share)>& progress);

}  // namespace frugal
