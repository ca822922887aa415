#include "model/quant/spectrum.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "model/quant/structure.h"

namespace frugal {
namespace {

DenseMatrix random_matrix(int64_t rows, int64_t cols, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  DenseMatrix m{rows, cols, std::vector<float>(static_cast<size_t>(rows * cols))};
  for (float& value : m.values) value = normal(random);
  return m;
}

DenseMatrix product(const DenseMatrix& a, const DenseMatrix& b) {
  DenseMatrix m{a.rows, b.cols, std::vector<float>(static_cast<size_t>(a.rows * b.cols))};
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t k = 0; k < a.cols; ++k)
      for (int64_t j = 0; j < b.cols; ++j)
        m.values[static_cast<size_t>(i * b.cols + j)] +=
            a.values[static_cast<size_t>(i * a.cols + k)] * b.values[static_cast<size_t>(k * b.cols + j)];
  return m;
}

double squares(const std::vector<float>& values) {
  double sum = 0;
  for (const float v : values) sum += double(v) * double(v);
  return sum;
}

double relative_distance(const DenseMatrix& a, const DenseMatrix& b) {
  double sum = 0;
  for (size_t i = 0; i < a.values.size(); ++i) sum += std::pow(double(a.values[i]) - double(b.values[i]), 2);
  return std::sqrt(sum / squares(a.values));
}

TEST_CASE("a diagonal matrix has its entries' squares as energies") {
  DenseMatrix m{3, 5, std::vector<float>(15)};
  m.values[0] = 2;
  m.values[6] = -3;
  m.values[12] = 1;
  const Spectrum spectrum(m);
  REQUIRE(spectrum.energies().size() == 3);
  CHECK(spectrum.energies()[0] == doctest::Approx(9));
  CHECK(spectrum.energies()[1] == doctest::Approx(4));
  CHECK(spectrum.energies()[2] == doctest::Approx(1));
  CHECK(spectrum.kept_share(1) == doctest::Approx(9.0 / 14));
  CHECK(spectrum.min_rank(1.5 / 14) == 2);
  CHECK(spectrum.min_rank(0.5 / 14) == 3);
}

TEST_CASE("energies sum up to the matrix' own, whichever side is longer") {
  for (const auto& [rows, cols] : {std::pair(20, 33), std::pair(33, 20), std::pair(1, 7), std::pair(7, 1)}) {
    const DenseMatrix m = random_matrix(rows, cols, 3);
    const Spectrum spectrum(m);
    const double sum = std::accumulate(spectrum.energies().begin(), spectrum.energies().end(), 0.0);
    CHECK(sum == doctest::Approx(squares(m.values)).epsilon(1e-5));
    CHECK(std::is_sorted(spectrum.energies().rbegin(), spectrum.energies().rend()));
  }
}

TEST_CASE("a product of thin matrices has their rank, and its factors multiply to it") {
  for (const auto& [rows, cols] : {std::pair(48, 80), std::pair(80, 48)}) {
    const DenseMatrix m = product(random_matrix(rows, 5, 1), random_matrix(5, cols, 2));
    const Spectrum spectrum(m);
    CHECK(spectrum.min_rank(1e-6) == 5);
    const auto factors = spectrum.factors(m, 5);
    CHECK(factors.u.cols == 5);
    CHECK(factors.v.rows == 5);
    CHECK(relative_distance(m, product(factors.u, factors.v)) < 1e-4);
  }
}

TEST_CASE("factors of a full-rank matrix lose the energy that the spectrum says") {
  const DenseMatrix m = random_matrix(40, 64, 5);
  const Spectrum spectrum(m);
  const auto factors = spectrum.factors(m, 20);
  const double lost = std::sqrt(1 - spectrum.kept_share(20));
  CHECK(relative_distance(m, product(factors.u, factors.v)) == doctest::Approx(lost).epsilon(0.05));
}

TensorCandidates tensor_with_int4(const Shape& shape, double int4_error) {
  TensorCandidates tensor;
  tensor.spec.role = TensorRole::linear;
  tensor.spec.shape = shape;
  StorageOption int4;
  int4.kind = CandidateKind::int4;
  int4.dtype = DType::linear_i4;
  int4.bytes = pack_tensor_bytes(int4.dtype, shape);
  int4.weight_error = int4_error;
  tensor.candidates.push_back(int4);
  return tensor;
}

TEST_CASE("low rank may be chosen where a weight has it, and not where it has not") {
  const TensorCandidates tensor = tensor_with_int4(Shape{128, 128}, 0.08);
  const DenseMatrix thin = product(random_matrix(128, 8, 1), random_matrix(8, 128, 2));
  const StorageOption yes = low_rank_candidate(tensor, Spectrum(thin));
  CHECK(yes.eligible);
  CHECK(yes.rank <= 8);
  CHECK(yes.bytes < tensor.candidates[0].bytes);
  const StorageOption no = low_rank_candidate(tensor, Spectrum(random_matrix(128, 128, 3)));
  CHECK_FALSE(no.eligible);
  CHECK(no.verdict.find("95 %") != std::string::npos);
}

TEST_CASE("blocks of zeros are counted, and never chosen") {
  const TensorCandidates tensor = tensor_with_int4(Shape{32, 64}, 0.001);
  DenseMatrix half = random_matrix(32, 64, 4);
  std::fill(half.values.begin(), half.values.begin() + 16 * 64, 0.0f);
  const StorageOption sparse = block_sparse_candidate(tensor, half);
  CHECK_FALSE(sparse.eligible);
  CHECK(sparse.verdict.find("50 % of the 4 × 16 blocks") != std::string::npos);
  CHECK(sparse.bytes == 16 * 64 + 32 / 8 + 32 * sizeof(float));
}

}  // namespace
}  // namespace frugal
