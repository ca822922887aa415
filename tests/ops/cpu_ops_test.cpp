#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "ops/ops.h"
#include "reference/reference.h"

using namespace frugal;

namespace {

std::vector<float> random_floats(int64_t count, uint32_t seed, float scale = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = normal(random);
  return values;
}

// A packed weight that owns its bytes.
struct OwnedWeight {
  std::vector<std::byte> data;
  std::vector<float> scales;
  PackedWeight packed;

  OwnedWeight(DType dtype, const std::vector<float>& values, int64_t outputs, int64_t inputs)
      : data(packed_bytes(dtype, outputs, inputs)), scales(static_cast<size_t>((outputs + 15) / 16 * 16)) {
    const uint64_t block_bytes = packed_block_bytes(dtype, inputs);
    for (int64_t o = 0; o < outputs; o += kOutputBlock) {
      const int64_t rows = std::min(kOutputBlock, outputs - o);
      pack_block(dtype, std::span(values).subspan(static_cast<size_t>(o * inputs), static_cast<size_t>(rows * inputs)),
                 inputs, data.data() + static_cast<uint64_t>(o / kOutputBlock) * block_bytes, scales.data() + o);
    }
    packed = {dtype, outputs, inputs, data.data(), scales.data()};
  }
};

View view_of(std::vector<float>& values, int64_t rows, int64_t cols) {
  return View(values.data(), DType::f32, Shape{rows, cols});
}

double relative_error(std::span<const float> got, std::span<const float> want) {
  double difference = 0, norm = 1e-30;
  for (size_t i = 0; i < want.size(); ++i) {
    difference += std::pow(double(got[i]) - double(want[i]), 2);
    norm += std::pow(double(want[i]), 2);
  }
  return std::sqrt(difference / norm);
}

template <typename Check>
void on_every_backend(Check&& check) {
  for (const Isa isa : supported_isas())
    for (const int threads : {1, 3}) {
      CAPTURE(to_string(isa));
      CAPTURE(threads);
      ThreadPool pool(threads);
      check(*make_cpu_ops(pool, nullptr, isa));
    }
}

}  // namespace

TEST_CASE("a linear layer agrees with the textbook within its weights' precision, at every type and size") {
  on_every_backend([](Ops& ops) {
    // Tolerances: the relative error of rounding weights and activations, several times what is expected, far below a
    // wrong result.
    const std::pair<DType, double> kinds[] = {{DType::linear_f32, 1e-5},
                                              {DType::linear_f16, 1e-3},
                                              {DType::linear_i8, 2e-2},
                                              {DType::linear_i8g, 2e-2},
                                              {DType::linear_i4, 2e-1}};
    for (const auto& [dtype, tolerance] : kinds)
      for (const int64_t rows : {1, 5, 130})
        for (const auto& [outputs, inputs] : {std::pair<int64_t, int64_t>{48, 64}, {50, 33}}) {
          const std::string_view type = to_string(dtype);  // Clang 14: lambdas cannot capture a structured binding
          CAPTURE(type);
          CAPTURE(rows);
          auto x = random_floats(rows * inputs, 1), w = random_floats(outputs * inputs, 2),
               bias = random_floats(outputs, 3);
          std::vector<float> want(static_cast<size_t>(rows * outputs)), got(want.size());
          reference::linear(x, w, bias, rows, inputs, outputs, want);
          const OwnedWeight weight(dtype, w, outputs, inputs);
          for (const ActivationScales scales : {ActivationScales::per_token, ActivationScales::grouped}) {
            LinearSpec spec{ops.prepare(weight.packed), bias, Activation::none, scales};
            ops.linear(spec, view_of(x, rows, inputs), view_of(got, rows, outputs));
            CHECK(relative_error(got, want) < tolerance);
          }
        }
  });
}

TEST_CASE("layers that share their input give the same as one by one, and a residual may be the output") {
  on_every_backend([](Ops& ops) {
    constexpr int64_t kRows = 70, kInputs = 64;
    auto x = random_floats(kRows * kInputs, 1);
    const auto w = random_floats(96 * kInputs, 2);
    const OwnedWeight wide(DType::linear_i8, w, 96, kInputs), narrow(DType::linear_f32, w, 17, kInputs);
    const LinearSpec specs[] = {{ops.prepare(wide.packed), {}, Activation::silu, ActivationScales::grouped},
                                {ops.prepare(narrow.packed), {}, Activation::none, ActivationScales::grouped}};
    std::vector<float> a(kRows * 96), b(kRows * 17), a1(a.size()), b1(b.size());
    const View outs[] = {view_of(a, kRows, 96), view_of(b, kRows, 17)};
    ops.linear_many(specs, view_of(x, kRows, kInputs), outs);
    ops.linear(specs[0], view_of(x, kRows, kInputs), view_of(a1, kRows, 96));
    ops.linear(specs[1], view_of(x, kRows, kInputs), view_of(b1, kRows, 17));
    CHECK(a == a1);
    CHECK(b == b1);

    std::vector<float> sum = b;
    ops.linear(specs[1], view_of(x, kRows, kInputs), view_of(sum, kRows, 17), view_of(sum, kRows, 17));
    for (size_t i = 0; i < b.size(); ++i) CHECK(sum[i] == doctest::Approx(2 * b[i]).epsilon(1e-5));
  });
}

TEST_CASE("attention over concatenated sequences sees each one alone, causal or not, with grouped heads") {
  on_every_backend([](Ops& ops) {
    constexpr int64_t kHeads = 6, kKvHeads = 2, kDim = 32, kTokens = 150;
    auto q = random_floats(kTokens * kHeads * kDim, 1), k = random_floats(kTokens * kKvHeads * kDim, 2),
         v = random_floats(kTokens * kKvHeads * kDim, 3);
    const AttentionSpan spans[] = {{0, 1, 0, 1}, {1, 9, 1, 9}, {10, 140, 10, 140}};
    for (const bool causal : {false, true}) {
      std::vector<float> got(q.size());
      ops.attention({kHeads, kKvHeads, kDim, 0.25f, causal}, spans, view_of(q, kTokens, kHeads * kDim),
                    view_of(k, kTokens, kKvHeads * kDim), view_of(v, kTokens, kKvHeads * kDim),
                    view_of(got, kTokens, kHeads * kDim));
      for (const AttentionSpan& span : spans)
        for (int64_t h = 0; h < kHeads; ++h) {
          const auto gather = [&](const std::vector<float>& from, int64_t heads, int64_t head) {
            std::vector<float> rows;
            for (int64_t t = span.q_begin; t < span.q_begin + span.q_tokens; ++t)
              rows.insert(rows.end(), from.begin() + (t * heads + head) * kDim,
                          from.begin() + (t * heads + head + 1) * kDim);
            return rows;
          };
          const auto one_q = gather(q, kHeads, h), one_k = gather(k, kKvHeads, h / 3),
                     one_v = gather(v, kKvHeads, h / 3);
          std::vector<float> want(one_q.size());
          reference::attention(one_q, one_k, one_v, span.q_tokens, span.q_tokens, kDim, 0.25f, causal, want);
          CHECK(relative_error(gather(got, kHeads, h), want) < 1e-4);
        }
    }
  });
}

TEST_CASE("a token decoded against a cache attends like the last token of the whole sequence") {
  on_every_backend([](Ops& ops) {
    constexpr int64_t kHeads = 3, kDim = 64, kTokens = 77;
    auto q = random_floats(kTokens * kHeads * kDim, 1), k = random_floats(q.size(), 2), v = random_floats(q.size(), 3);
    const AttentionSpec spec{kHeads, kHeads, kDim, 0.125f, true};
    std::vector<float> whole(q.size()), last(kHeads * kDim);
    const View keys = view_of(k, kTokens, kHeads * kDim), values = view_of(v, kTokens, kHeads * kDim),
               queries = view_of(q, kTokens, kHeads * kDim);
    ops.attention(spec, std::array{AttentionSpan{0, kTokens, 0, kTokens}}, queries, keys, values,
                  view_of(whole, kTokens, kHeads * kDim));
    ops.attention(spec, std::array{AttentionSpan{0, 1, 0, kTokens}}, queries.slice_rows(kTokens - 1, 1), keys, values,
                  view_of(last, 1, kHeads * kDim));
    CHECK(relative_error(last, std::span(whole).last(last.size())) < 1e-5);
  });
}

TEST_CASE("embedding tables of every type give their rows, and accumulate on request") {
  on_every_backend([](Ops& ops) {
    constexpr int64_t kRows = 40, kFeatures = 48;
    auto table = random_floats(kRows * kFeatures, 1);
    std::vector<uint16_t> halves;
    for (const float v : table) halves.push_back(f32_to_f16(v));
    const std::vector<int32_t> ids = {0, 39, 7, 7};
    std::vector<float> out(ids.size() * kFeatures);
    ops.embed(view_of(table, kRows, kFeatures), {}, ids, view_of(out, 4, kFeatures), false);
    ops.embed(View(halves.data(), DType::f16, Shape{kRows, kFeatures}), {}, ids, view_of(out, 4, kFeatures), true);
    for (size_t t = 0; t < ids.size(); ++t)
      for (int64_t i = 0; i < kFeatures; ++i)
        CHECK(out[t * kFeatures + static_cast<size_t>(i)] ==
              doctest::Approx(2 * table[static_cast<size_t>(ids[t] * kFeatures + i)]).epsilon(1e-3));
    const std::vector<int32_t> outside = {40};
    CHECK_THROWS_AS(ops.embed(view_of(table, kRows, kFeatures), {}, outside, view_of(out, 1, kFeatures), false), Error);

    const OwnedWeight tied(DType::linear_f32, table, kRows, kFeatures);
    ops.embed(ops.prepare(tied.packed), ids, view_of(out, 4, kFeatures));
    for (int64_t i = 0; i < kFeatures; ++i)
      CHECK(out[static_cast<size_t>(kFeatures + i)] == table[static_cast<size_t>(39 * kFeatures + i)]);
  });
}

TEST_CASE("pooling takes the mean, the first or the last token of each sequence") {
  on_every_backend([](Ops& ops) {
    std::vector<float> x = {1, 2, 3, 4, 5, 6, 0, 10}, out(4);
    const AttentionSpan spans[] = {{0, 3, 0, 3}, {3, 1, 3, 1}};
    ops.pool(Pooling::mean, spans, view_of(x, 4, 2), view_of(out, 2, 2));
    CHECK(out == std::vector<float>{3, 4, 0, 10});
    ops.pool(Pooling::cls, spans, view_of(x, 4, 2), view_of(out, 2, 2));
    CHECK(out == std::vector<float>{1, 2, 0, 10});
    ops.pool(Pooling::last, spans, view_of(x, 4, 2), view_of(out, 2, 2));
    CHECK(out == std::vector<float>{5, 6, 0, 10});
    out = {3, 4, 0, 0};
    ops.normalize_rows(view_of(out, 2, 2));
    CHECK(out[0] == doctest::Approx(0.6f));
    CHECK(out[1] == doctest::Approx(0.8f));
    CHECK(out[2] == 0);
  });
}

TEST_CASE("working memory given up by a scope is used again, and a budget refuses it before it is allocated") {
  ThreadPool pool(1);
  Budget budget(1 << 20);
  const auto ops = make_cpu_ops(pool, &budget);
  const void* first = nullptr;
  for (int i = 0; i < 3; ++i) {
    const Ops::Scope scope(*ops);
    const View x = ops->allocate(Shape{100, 100});
    if (!first) first = x.data;
    CHECK(x.data == first);
  }
  const Ops::Scope scope(*ops);
  CHECK_THROWS_AS(ops->allocate(Shape{1000, 1000}), Error);
  CHECK(budget.peak_bytes() <= budget.limit_bytes());
}
