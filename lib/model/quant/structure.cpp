#include "model/quant/structure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "base/units.h"
#include "compute/tensor/packed.h"

namespace frugal {
namespace {

// A spectrum takes 4/3 n³ steps: 0.25 s for n = 576, 11 s for n = 2,048, on one core of a Zen 3.
constexpr int64_t kMaxSpectrumSide = 2048;
constexpr int64_t kBlockInputs = 4;

const StorageOption* smallest_eligible(const TensorCandidates& tensor) {
  const StorageOption* smallest = nullptr;
  for (const StorageOption& candidate : tensor.candidates)
    if (candidate.eligible && (!smallest || candidate.bytes < smallest->bytes)) smallest = &candidate;
  return smallest;
}

double energy_lost(const StorageOption& candidate) {
  return candidate.weight_error.value_or(0) * candidate.weight_error.value_or(0);
}

// The energy of each block of 4 inputs × 16 outputs, in ascending order.
std::vector<double> block_energies(const DenseMatrix& weight) {
  const int64_t across = ceil_div(weight.cols, kBlockInputs);
  std::vector<double> energies(static_cast<size_t>(ceil_div(weight.rows, kOutputBlock) * across));
  for (int64_t r = 0; r < weight.rows; ++r)
    for (int64_t c = 0; c < weight.cols; ++c) {
      const double w = weight.values[static_cast<size_t>(r * weight.cols + c)];
      energies[static_cast<size_t>(r / kOutputBlock * across + c / kBlockInputs)] += w * w;
    }
  std::sort(energies.begin(), energies.end());
  return energies;
}

}  // namespace

std::optional<uint64_t> structure_work_bytes(const Shape& shape) {
  const auto side = static_cast<uint64_t>(std::min(shape[0], shape[1]));
  if (side > kMaxSpectrumSide) return std::nullopt;
  // The matrix and its transpose in fp32; the Gram matrix and the copy that is made tridiagonal in doubles.
  return 2 * static_cast<uint64_t>(shape.elements()) * sizeof(float) + 2 * side * side * sizeof(double);
}

DenseMatrix read_dense(const PackedWeight& weight) {
  DenseMatrix matrix{weight.outputs, weight.inputs,
                     std::vector<float>(static_cast<size_t>(weight.outputs * weight.inputs))};
  for (int64_t r = 0; r < weight.outputs; ++r)
    unpack_output(
        weight, r,
        std::span(matrix.values).subspan(static_cast<size_t>(r * weight.inputs), static_cast<size_t>(weight.inputs)));
  return matrix;
}

uint64_t factor_bytes(const Shape& shape, int64_t rank) {
  return pack_tensor_bytes(DType::linear_i8, Shape{shape[0], rank}) +
         pack_tensor_bytes(DType::linear_i8, Shape{rank, shape[1]});
}

StorageOption low_rank_candidate(const TensorCandidates& tensor, const Spectrum& spectrum) {
  const Shape& shape = tensor.spec.shape;
  StorageOption candidate;
  candidate.kind = CandidateKind::low_rank;
  candidate.dtype = DType::linear_i8;
  candidate.eligible = false;
  const int64_t by_energy = spectrum.min_rank(1 - kLowRankEnergy);
  const StorageOption* smallest = smallest_eligible(tensor);
  const int64_t as_accurate = smallest ? std::max(by_energy, spectrum.min_rank(energy_lost(*smallest))) : by_energy;
  candidate.eligible = smallest && factor_bytes(shape, as_accurate) < smallest->bytes;
  candidate.rank = candidate.eligible ? as_accurate : by_energy;
  candidate.bytes = factor_bytes(shape, candidate.rank);
  candidate.weight_error = std::sqrt(std::max(0.0, 1 - spectrum.kept_share(candidate.rank)));
  candidate.verdict = fmt::format("rank {} of {} keeps 95 % of the energy and takes {}", by_energy,
                                  spectrum.energies().size(), format_bytes(factor_bytes(shape, by_energy)));
  if (smallest)
    candidate.verdict +=
        fmt::format("; {} loses {:.2g} % of it and takes {}; rank {} would lose as little and take {}",
                    to_string(smallest->kind), 100 * energy_lost(*smallest), format_bytes(smallest->bytes), as_accurate,
                    format_bytes(factor_bytes(shape, as_accurate)));
  return candidate;
}

StorageOption block_sparse_candidate(const TensorCandidates& tensor, const DenseMatrix& weight) {
  const std::vector<double> energies = block_energies(weight);
  double total = 0;
  for (const double energy : energies) total += energy;
  const StorageOption* smallest = smallest_eligible(tensor);
  double left = smallest ? energy_lost(*smallest) * total : 0;
  size_t dropped = 0;
  while (dropped < energies.size() && energies[dropped] <= left) left -= energies[dropped++];

  StorageOption candidate;
  candidate.kind = CandidateKind::block_sparse;
  candidate.dtype = DType::linear_i8;
  candidate.eligible = false;
  constexpr uint64_t kBlockBytes = kBlockInputs * kOutputBlock;
  candidate.bytes = (energies.size() - dropped) * kBlockBytes + energies.size() / 8 +
                    static_cast<uint64_t>(weight.rows) * sizeof(float);
  candidate.weight_error = smallest ? smallest->weight_error : std::optional(0.0);
  const double share = 100 * double(dropped) / double(energies.size());
  candidate.verdict = fmt::format("{:.2g} % of the 4 × 16 blocks could be zero at the error of {}", share,
                                  smallest ? to_string(smallest->kind) : "none");
  if (smallest && candidate.bytes < smallest->bytes)
    candidate.verdict += "; no kernel skips zero blocks, so it cannot be chosen";
  else if (smallest)
    candidate.verdict += fmt::format(", which takes {}", format_bytes(smallest->bytes));
  return candidate;
}

}  // namespace frugal
