// How much of a matrix a product of two thinner ones can keep: its singular values, and factors of a given rank.
// Not a general linear algebra: what a decision about low rank needs, exact enough for that, the same on any number of
// threads.
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

/// The products of a matrix' rows (or of its columns, if those are fewer) with one another, and what follows from them.
class Spectrum {
 public:
  /// Takes min(rows, cols)² · 8 bytes while it lives, and as much again while it is made.
  explicit Spectrum(const DenseMatrix& matrix);

  /// Squared singular values, descending.
  std::span<const double> energies() const { return energies_; }
  /// The smallest rank whose best approximation leaves at most this share of the energy, Σ σ², out.
  int64_t min_rank(double share) const;
  /// Share of the energy that the best approximation of this rank keeps.
  double kept_share(int64_t rank) const;

  struct Factors {
    DenseMatrix u;  // [rows, rank]
    DenseMatrix v;  // [rank, cols]
  };
  /// matrix ≈ U V with U or V orthonormal, by subspace iteration (Halko, Martinsson & Tropp 2011, algorithm 4.4).
  /// `matrix` is the one this was made of.
  Factors factors(const DenseMatrix& matrix, int64_t rank) const;

 private:
  int64_t n_;
  bool of_rows_;
  std::vector<double> gram_;  // [n, n], symmetric
  std::vector<double> energies_;
};

}  // namespace frugal
