// The singular values of a matrix and its low-rank factors: how much of a matrix a product of two thin ones can keep.
// Not general linear algebra: it covers what a decision about low rank needs and is only as exact as that requires. The
// result does not depend on the number of threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace frugal {

/// A dense matrix of fp32 in memory, row-major.
struct DenseMatrix {
  int64_t rows = 0, cols = 0;
  std::vector<float> values;  // [rows, cols]
};

/// The spectrum of a matrix, from the Gram matrix of its shorter side: A Aᵀ or Aᵀ A.
class Spectrum {
 public:
  /// Keeps min(rows, cols)² doubles, and needs as much again during construction.
  explicit Spectrum(const DenseMatrix& matrix);

  /// Squared singular values, descending.
  std::span<const double> energies() const { return energies_; }
  /// The smallest rank, at least 1, whose best approximation loses at most this share (0 to 1) of the energy Σ σ².
  int64_t min_rank(double max_lost_share) const;
  /// The share of the energy, 0 to 1, that the best approximation of this rank keeps.
  double kept_share(int64_t rank) const;

  struct Factors {
    DenseMatrix u;  // [rows, rank]
    DenseMatrix v;  // [rank, cols]
  };
  /// matrix ≈ U V with orthonormal U or V, by subspace iteration (Halko, Martinsson & Tropp 2011, algorithm 4.4).
  /// `matrix` must be the one that was given to the constructor.
  Factors factors(const DenseMatrix& matrix, int64_t rank) const;

 private:
  int64_t n_;
  bool of_rows_;
  std::vector<double> gram_;  // [n, n], symmetric
  std::vector<double> energies_;
};

}  // namespace frugal
