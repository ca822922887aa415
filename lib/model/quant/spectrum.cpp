// The singular values of A are the square roots of the eigenvalues of A Aᵀ, and of Aᵀ A. The constructor forms the
// smaller of these two Gram matrices, [n, n], and finds its eigenvalues in two steps:
//
// 1. Householder reflections bring it to tridiagonal form in 4/3 n³ steps (Golub & Van Loan, Matrix Computations,
//    8.3.1). Only the lower triangle is read and written, by rows, so memory is accessed in order.
// 2. Bisection finds each eigenvalue. The signs of a Sturm sequence count the eigenvalues below any x in O(n) steps
//    (8.4.1). This takes some times longer than QL iteration, but it always converges.
//
// factors() needs the space of the largest r singular vectors. Subspace iteration starts from r fixed pseudo-random
// vectors and repeatedly multiplies them with the Gram matrix and makes them orthonormal. The result is a basis Q, and
// A is projected on it:
//   rows ≤ cols: A ≈ U V with U = Qᵀ, V = Q A        rows > cols: A ≈ U V with U = A Qᵀ, V = Q
// In code both are one case, with A transposed in the second. The start vectors come from a fixed generator and
// everything runs on one thread, so the factors are the same in every run.
#include "model/quant/spectrum.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "compute/kernels/kernels.h"

namespace frugal {
namespace {

// Each iteration multiplies the lost energy beyond the optimum by (σ(rank + 1) / σ(rank))⁴.
constexpr int kSubspaceIterations = 6;

DenseMatrix transposed(const DenseMatrix& m) {
  DenseMatrix t{m.cols, m.rows, std::vector<float>(m.values.size())};
  for (int64_t r = 0; r < m.rows; ++r)
    for (int64_t c = 0; c < m.cols; ++c)
      t.values[static_cast<size_t>(c * m.rows + r)] = m.values[static_cast<size_t>(r * m.cols + c)];
  return t;
}

std::vector<double> gram_matrix(const DenseMatrix& m) {
  const auto dot = kernels::active().dot_f32;
  const auto n = static_cast<size_t>(m.rows);
  std::vector<double> gram(n * n);
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j <= i; ++j) {
      const float* a = m.values.data() + i * static_cast<size_t>(m.cols);
      const float* b = m.values.data() + j * static_cast<size_t>(m.cols);
      gram[i * n + j] = gram[j * n + i] = dot(a, b, m.cols);
    }
  return gram;
}

struct Tridiagonal {
  std::vector<double> diagonal, below;  // below[i] joins i − 1 and i; below[0] is 0
};

// Reflects from the last row up. Reads and writes only the lower triangle of `a`.
Tridiagonal tridiagonalise(std::vector<double> a, size_t n) {
  Tridiagonal t{std::vector<double>(n), std::vector<double>(n)};
  std::vector<double> u(n), p(n);
  for (size_t i = n; i-- > 1;) {
    double* row = a.data() + i * n;
    t.diagonal[i] = row[i];
    const double norm = std::sqrt(std::inner_product(row, row + i, row, 0.0));
    const double head = row[i - 1];
    t.below[i] = head > 0 ? -norm : norm;
    std::copy_n(row, i, u.begin());
    u[i - 1] -= t.below[i];
    const double squared = std::inner_product(u.begin(), u.begin() + int64_t(i), u.begin(), 0.0);
    if (squared <= 0) continue;
    // p = A u. Row j of the lower triangle is also column j of the upper one.
    std::fill_n(p.begin(), i, 0.0);
    for (size_t j = 0; j < i; ++j) {
      const double* at = a.data() + j * n;
      double sum = at[j] * u[j];
      for (size_t k = 0; k < j; ++k) {
        sum += at[k] * u[k];
        p[k] += at[k] * u[j];
      }
      p[j] += sum;
    }
    const double scale = 2 / squared;
    const double half = scale * scale / 2 * std::inner_product(u.begin(), u.begin() + int64_t(i), p.begin(), 0.0);
    for (size_t j = 0; j < i; ++j) p[j] = scale * p[j] - half * u[j];
    for (size_t j = 0; j < i; ++j) {
      double* at = a.data() + j * n;
      for (size_t k = 0; k <= j; ++k) at[k] -= u[j] * p[k] + p[j] * u[k];
    }
  }
  t.diagonal[0] = a[0];
  return t;
}

// The number of eigenvalues below x: the negative terms of the Sturm sequence.
int64_t count_below(const Tridiagonal& t, double x) {
  int64_t count = 0;
  double q = 1;
  for (size_t i = 0; i < t.diagonal.size(); ++i) {
    q = t.diagonal[i] - x - (i > 0 ? t.below[i] * t.below[i] / q : 0);
    if (q == 0) q = 1e-300;
    count += q < 0 ? 1 : 0;
  }
  return count;
}

std::vector<double> eigenvalues_descending(const Tridiagonal& t) {
  constexpr int kBisections = 40;  // to 1e-12 of the largest eigenvalue
  const size_t n = t.diagonal.size();
  double largest = 0;
  for (size_t i = 0; i < n; ++i) {
    const double next = i + 1 < n ? std::fabs(t.below[i + 1]) : 0;
    largest = std::max(largest, std::fabs(t.diagonal[i]) + std::fabs(t.below[i]) + next);  // Gershgorin's bound
  }
  std::vector<double> values(n);
  for (size_t k = 0; k < n; ++k) {
    double low = 0, high = k > 0 ? values[k - 1] : largest;  // a Gram matrix has no negative eigenvalue
    for (int i = 0; i < kBisections && high - low > 1e-12 * largest; ++i) {
      const double middle = (low + high) / 2;
      (count_below(t, middle) > int64_t(n - k) - 1 ? high : low) = middle;
    }
    values[k] = high;
  }
  return values;
}

double dot(const double* a, const double* b, size_t n) {
  return std::inner_product(a, a + n, b, 0.0);
}

// Makes the rows of q [rank, n] orthonormal by Gram-Schmidt. Two passes, because nearly parallel rows are not
// orthogonal to working precision after one.
void orthonormalise(std::vector<double>& q, size_t n) {
  for (size_t i = 0; i * n < q.size(); ++i) {
    double* row = q.data() + i * n;
    for (int pass = 0; pass < 2; ++pass)
      for (size_t j = 0; j < i; ++j) {
        const double* other = q.data() + j * n;
        const double along = dot(row, other, n);
        for (size_t k = 0; k < n; ++k) row[k] -= along * other[k];
      }
    const double norm = std::sqrt(dot(row, row, n));
    for (size_t k = 0; k < n; ++k) row[k] = norm > 0 ? row[k] / norm : 0;
  }
}

// Pseudo-random numbers in [−1, 1), the same on every machine (LCG with Knuth's MMIX constants).
std::vector<double> noise(size_t count) {
  std::vector<double> values(count);
  uint64_t state = 1;
  for (double& value : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    value = double(state >> 11) / double(uint64_t(1) << 52) - 1;
  }
  return values;
}

}  // namespace

Spectrum::Spectrum(const DenseMatrix& matrix)
    : n_(std::min(matrix.rows, matrix.cols)), of_rows_(matrix.rows <= matrix.cols) {
  FRUGAL_CHECK(n_ > 0 && int64_t(matrix.values.size()) == matrix.rows * matrix.cols);
  gram_ = gram_matrix(of_rows_ ? matrix : transposed(matrix));
  energies_ = eigenvalues_descending(tridiagonalise(gram_, static_cast<size_t>(n_)));
}

int64_t Spectrum::min_rank(double max_lost_share) const {
  const double total = std::accumulate(energies_.begin(), energies_.end(), 0.0);
  double left = total;
  int64_t rank = 0;
  while (rank < n_ && left > max_lost_share * total) left -= energies_[static_cast<size_t>(rank++)];
  return std::max<int64_t>(rank, 1);
}

double Spectrum::kept_share(int64_t rank) const {
  const double total = std::accumulate(energies_.begin(), energies_.end(), 0.0);
  const double sum = std::accumulate(energies_.begin(), energies_.begin() + std::clamp<int64_t>(rank, 0, n_), 0.0);
  return total > 0 ? sum / total : 1;
}

Spectrum::Factors Spectrum::factors(const DenseMatrix& matrix, int64_t rank) const {
  FRUGAL_CHECK(rank > 0 && rank <= n_);
  const auto n = static_cast<size_t>(n_), r = static_cast<size_t>(rank);
  std::vector<double> q = noise(r * n), next(r * n);  // rows span the subspace
  orthonormalise(q, n);
  for (int i = 0; i < kSubspaceIterations; ++i) {
    for (size_t k = 0; k < r; ++k)
      for (size_t j = 0; j < n; ++j) next[k * n + j] = dot(q.data() + k * n, gram_.data() + j * n, n);
    q.swap(next);
    orthonormalise(q, n);
  }
  // With w = A or Aᵀ: w ≈ Qᵀ · (Q w).
  const DenseMatrix flipped = of_rows_ ? DenseMatrix{} : transposed(matrix);
  const DenseMatrix& w = of_rows_ ? matrix : flipped;  // [n, other]
  DenseMatrix basis{rank, n_, std::vector<float>(q.begin(), q.end())};
  DenseMatrix rest{rank, w.cols, std::vector<float>(r * static_cast<size_t>(w.cols))};
  for (size_t k = 0; k < r; ++k)
    for (size_t j = 0; j < n; ++j)
      for (int64_t c = 0; c < w.cols; ++c)
        rest.values[k * static_cast<size_t>(w.cols) + static_cast<size_t>(c)] +=
            static_cast<float>(q[k * n + j]) * w.values[j * static_cast<size_t>(w.cols) + static_cast<size_t>(c)];
  if (of_rows_) return {transposed(basis), std::move(rest)};
  return {transposed(rest), std::move(basis)};
}

}  // namespace frugal
