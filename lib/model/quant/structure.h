// Whether a weight has structure that pays: a low rank, or blocks of zeros. Most weights of transformers have neither;
// this says so with figures.
#pragma once

#include <cstdint>

#include "model/format/pack.h"
#include "model/quant/spectrum.h"
#include "model/quant/storage_options.h"

namespace frugal {

/// Energy that a low rank has to keep at least, whatever the other candidates lose.
inline constexpr double kLowRankEnergy = 0.95;

/// Bytes that looking at a weight of this shape takes; nullopt where its smaller side is beyond what is affordable
/// (n³ steps).
std::optional<uint64_t> structure_work_bytes(const Shape& shape);

/// A linear weight of a pack in full precision, as rows.
DenseMatrix read_dense(const PackedWeight& weight);

/// Bytes of two int8 factors.
uint64_t factor_bytes(const Shape& shape, int64_t rank);

/// The low-rank candidate of `tensor`, whose other candidates have their bytes and weight errors. Eligible only if it
/// keeps kLowRankEnergy, is as accurate as the smallest eligible candidate and smaller than it; its verdict has the
/// figures either way.
StorageOption low_rank_candidate(const TensorCandidates& tensor, const Spectrum& spectrum);

/// The block-sparse candidate: int8 without the blocks of 4 inputs × 16 outputs whose energy together is within the
/// error of the smallest eligible candidate, plus a bit for each block. Never eligible.
StorageOption block_sparse_candidate(const TensorCandidates& tensor, const DenseMatrix& weight);

}  // namespace frugal
