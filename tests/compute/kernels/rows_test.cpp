#include <algorithm>

#include "compute/kernels/support.h"
#include "oracle/oracle.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

constexpr int64_t kShifts[] = {0, 1, 3};

float reference_of(Activation f, float x) {
  switch (f) {
    case Activation::gelu:
      return reference::gelu(x);
    case Activation::gelu_tanh:
      return reference::gelu_tanh(x);
    case Activation::quick_gelu:
      return reference::quick_gelu(x);
    case Activation::silu:
      return reference::silu(x);
    case Activation::relu:
      return reference::relu(x);
    case Activation::tanh:
      return reference::tanh(x);
    case Activation::none:
      break;
  }
  return x;
}

constexpr Activation kActivations[] = {Activation::none,       Activation::gelu, Activation::gelu_tanh,
                                       Activation::quick_gelu, Activation::silu, Activation::relu,
                                       Activation::tanh};

void check_close(std::span<const float> actual, std::span<const float> expected, double relative, double absolute) {
  REQUIRE(actual.size() == expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    CAPTURE(actual[i]);
    CAPTURE(expected[i]);
    REQUIRE(close(actual[i], double(expected[i]), relative, absolute));
  }
}

// Runs `body(table, length, shift)` for every instruction set, edge length and misalignment.
template <typename Body>
void for_each_edge(Body&& body) {
  for_each_isa([&](const kernels::KernelTable& table) {
    for (const int64_t length : edge_lengths()) {
      for (const int64_t shift : kShifts) {
        CAPTURE(length);
        CAPTURE(shift);
        body(table, length, shift);
      }
    }
  });
}

}  // namespace

TEST_CASE("layer norm matches the reference at every length, with and without beta, in place or not") {
  for_each_edge([](const kernels::KernelTable& table, int64_t cols, int64_t shift) {
    if (cols == 0) return;
    constexpr int64_t kRows = 3;
    const std::vector<float> x = random_floats(kRows * cols, 1, -3, 5), gamma = random_floats(cols, 2),
                             beta = random_floats(cols, 3);
    for (const bool with_beta : {false, true}) {
      std::vector<float> expected(x.size());
      reference::layer_norm(x, kRows, cols, gamma, with_beta ? std::span<const float>(beta) : std::span<const float>(),
                            1e-5f, expected);
      Guarded<float> in(x, shift), out(int64_t(x.size()), shift);
      table.layer_norm(in.data(), cols, kRows, cols, gamma.data(), with_beta ? beta.data() : nullptr, 1e-5f, out.data(),
                       cols);
      check_close(out.values(), expected, 1e-4, 2e-5);
      table.layer_norm(in.data(), cols, kRows, cols, gamma.data(), with_beta ? beta.data() : nullptr, 1e-5f, in.data(),
                       cols);
      check_close(in.values(), expected, 1e-4, 2e-5);
      CHECK(in.intact());
      CHECK(out.intact());
    }
  });
}

TEST_CASE("layer norm of values far from zero keeps its precision") {
  const std::vector<float> x = random_floats(384, 4, 999.0f, 1001.0f), ones(384, 1.0f);
  std::vector<float> expected(384), actual(384);
  reference::layer_norm(x, 1, 384, ones, {}, 1e-12f, expected);
  for_each_isa([&](const kernels::KernelTable& table) {
    table.layer_norm(x.data(), 384, 1, 384, ones.data(), nullptr, 1e-12f, actual.data(), 384);
    check_close(actual, expected, 1e-3, 1e-3);
  });
}

TEST_CASE("RMS norm matches the reference at every length, in place or not") {
  for_each_edge([](const kernels::KernelTable& table, int64_t cols, int64_t shift) {
    if (cols == 0) return;
    constexpr int64_t kRows = 2;
    const std::vector<float> x = random_floats(kRows * cols, 5, -3, 5), gamma = random_floats(cols, 6);
    std::vector<float> expected(x.size());
    reference::rms_norm(x, kRows, cols, gamma, 1e-5f, expected);
    Guarded<float> in(x, shift), out(int64_t(x.size()), shift);
    table.rms_norm(in.data(), cols, kRows, cols, gamma.data(), 1e-5f, out.data(), cols);
    check_close(out.values(), expected, 1e-5, 1e-6);
    table.rms_norm(in.data(), cols, kRows, cols, gamma.data(), 1e-5f, in.data(), cols);
    check_close(in.values(), expected, 1e-5, 1e-6);
    CHECK(in.intact());
    CHECK(out.intact());
  });
}

TEST_CASE("activations, gated ones and sums match the reference at every length, in place too") {
  for_each_edge([](const kernels::KernelTable& table, int64_t count, int64_t shift) {
    const std::vector<float> a = random_floats(count, 7, -6, 6), b = random_floats(count, 8);
    for (const Activation f : kActivations) {
      std::vector<float> activated(a.size()), gated(a.size());
      for (size_t i = 0; i < a.size(); ++i) {
        activated[i] = reference_of(f, a[i]);
        gated[i] = activated[i] * b[i];
      }
      Guarded<float> x(a, shift), up(b, shift), out(count, shift);
      table.activate(f, x.data(), count, out.data());
      check_close(out.values(), activated, 1e-5, 1e-6);
      table.activate_gated(f, x.data(), up.data(), count, up.data());
      check_close(up.values(), gated, 1e-5, 1e-6);
      table.activate(f, x.data(), count, x.data());
      check_close(x.values(), activated, 1e-5, 1e-6);
      CHECK((x.intact() && up.intact() && out.intact()));
    }
    Guarded<float> x(a, shift);
    table.add(x.data(), b.data(), count, x.data());
    for (size_t i = 0; i < a.size(); ++i) REQUIRE(x.values()[i] == a[i] + b[i]);
    CHECK(x.intact());
  });
}

TEST_CASE("exact gelu keeps a relative error below 1e-5 as far as it is a normal number") {
  std::vector<float> x;
  for (float v = -12.0f; v <= 12.0f; v += 0.001f) x.push_back(v);
  std::vector<float> actual(x.size());
  for_each_isa([&](const kernels::KernelTable& table) {
    table.activate(Activation::gelu, x.data(), int64_t(x.size()), actual.data());
    for (size_t i = 0; i < x.size(); ++i) {
      CAPTURE(x[i]);
      REQUIRE(close(actual[i], double(reference::gelu(x[i])), 1e-5, 1e-30));
    }
  });
}

TEST_CASE("activations of the largest floats and of infinities are their limits, not NaN") {
  const float huge[] = {3e38f, -3e38f, INFINITY, -INFINITY, 100.0f, -100.0f};
  for_each_isa([&](const kernels::KernelTable& table) {
    float out[6];
    for (const Activation f : {Activation::gelu, Activation::relu}) {
      table.activate(f, huge, 6, out);
      for (int i = 0; i < 6; ++i) CHECK((huge[i] > 0 ? out[i] == huge[i] : std::fabs(out[i]) < 1e-30f));
    }
    table.activate(Activation::tanh, huge, 6, out);
    for (int i = 0; i < 6; ++i) CHECK(out[i] == (huge[i] > 0 ? 1.0f : -1.0f));
    for (const Activation f : {Activation::silu, Activation::quick_gelu}) {
      table.activate(f, huge, 6, out);
      for (const int i : {0, 4}) CHECK(out[i] == huge[i]);
      CHECK(std::fabs(out[5]) < 1e-30f);
    }
  });
}

TEST_CASE("softmax matches the reference at every length") {
  for_each_edge([](const kernels::KernelTable& table, int64_t cols, int64_t shift) {
    constexpr int64_t kRows = 3;
    std::vector<float> expected = random_floats(kRows * cols, 9, -20, 20);
    Guarded<float> x(expected, shift);
    reference::softmax(expected, kRows, cols);
    table.softmax(x.data(), cols, kRows, cols);
    check_close(x.values(), expected, 1e-5, 1e-9);
    CHECK(x.intact());
  });
}

TEST_CASE("softmax is stable for the largest values, and for rows that are far apart") {
  for_each_isa([](const kernels::KernelTable& table) {
    std::vector<float> x = {3e38f, 3e38f, -3e38f, 1000.0f, 1001.0f, 999.0f, -1e30f, -1e30f, -1e30f};
    table.softmax(x.data(), 3, 3, 3);
    CHECK(x[0] == doctest::Approx(0.5));
    CHECK(x[2] < 1e-30f);
    CHECK(x[4] == doctest::Approx(0.665241));
    CHECK(x[8] == doctest::Approx(1.0 / 3));
  });
}

TEST_CASE("rotary positions match the reference, for both pairings and partial rotation") {
  for_each_isa([](const kernels::KernelTable& table) {
    constexpr double kTheta = 10000;
    for (const int64_t head_dim : {2, 6, 8, 32, 64, 80}) {
      for (const int64_t rotary_dim : {head_dim, head_dim / 2 / 2 * 2}) {
        for (const bool interleaved : {false, true}) {
          constexpr int64_t kHeads = 3, kPosition = 17;
          CAPTURE(head_dim);
          CAPTURE(rotary_dim);
          std::vector<float> cosine, sine;
          for (int64_t i = 0; i < rotary_dim / 2; ++i) {
            const double angle = kPosition * std::pow(kTheta, -2.0 * double(i) / double(rotary_dim));
            cosine.push_back(float(std::cos(angle)));
            sine.push_back(float(std::sin(angle)));
          }
          std::vector<float> expected = random_floats(kHeads * head_dim, 10);
          Guarded<float> row(expected, 1);
          for (int64_t h = 0; h < kHeads; ++h)
            reference::rope(std::span(expected).subspan(size_t(h * head_dim), size_t(head_dim)), rotary_dim, kPosition,
                            kTheta, interleaved);
          table.rope(row.data(), kHeads, head_dim, rotary_dim, cosine.data(), sine.data(), interleaved);
          check_close(row.values(), expected, 1e-5, 1e-5);
          CHECK(row.intact());
        }
      }
    }
  });
}

TEST_CASE("rows with a stride leave the columns between them untouched") {
  for_each_isa([](const kernels::KernelTable& table) {
    constexpr int64_t kRows = 3, kCols = 19, kStride = 24;
    const std::vector<float> gamma(kCols, 1.0f);
    const std::vector<float> source = random_floats(kRows * kStride, 11);
    const auto between_untouched = [&](const std::vector<float>& x) {
      for (int64_t r = 0; r < kRows; ++r)
        for (int64_t c = kCols; c < kStride; ++c)
          if (x[size_t(r * kStride + c)] != source[size_t(r * kStride + c)]) return false;
      return true;
    };
    std::vector<float> x = source;
    table.softmax(x.data(), kStride, kRows, kCols);
    CHECK(between_untouched(x));
    x = source;
    table.layer_norm(x.data(), kStride, kRows, kCols, gamma.data(), nullptr, 1e-5f, x.data(), kStride);
    CHECK(between_untouched(x));
    x = source;
    table.rms_norm(x.data(), kStride, kRows, kCols, gamma.data(), 1e-5f, x.data(), kStride);
    CHECK(between_untouched(x));
  });
}
