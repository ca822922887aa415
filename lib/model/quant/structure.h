// Evaluates whether a weight has structure worth storing: a low rank, or blocks of zeros. Most weights of transformers
// have neither; the verdicts then give the figures.
#pragma once

#include <cstdint>

#include "model/format/pack.h"
#include "model/quant/spectrum.h"
#include "model/quant/storage_options.h"

namespace frugal {

/// The minimal share of the energy that a low-rank candidate must keep, even if other candidates keep less.
inline constexpr double kLowRankEnergy = 0.95;

/// The memory needed to evaluate a weight of this shape; nullopt if its shorter side n is too long for an algorithm of
/// n³ steps.
std::optional<uint64_t> structure_work_bytes(const Shape& shape);

/// Unpacks a linear weight to fp32, [outputs, inputs].
DenseMatrix read_dense(const PackedWeight& weight);

/// The packed bytes of two int8 factors, [outputs, rank] and [rank, inputs], of a weight of this shape.
uint64_t factor_bytes(const Shape& shape, int64_t rank);

/// The low-rank candidate of `tensor`. Eligible only if it keeps kLowRankEnergy, and is as accurate as the smallest
/// eligible candidate and smaller than it. The verdict has the figures in any case. The other candidates of `tensor`
/// must have their bytes and weight errors.
StorageOption low_rank_candidate(const TensorCandidates& tensor, const Spectrum& spectrum);

/// The block-sparse candidate: int8 without the blocks (4 inputs × 16 outputs) of lowest energy, as many as the error
/// of the smallest eligible candidate allows, plus one bit for each block. Never eligible.
StorageOption block_sparse_candidate(const TensorCandidates& tensor, const DenseMatrix& weight);

}  // namespace frugal
