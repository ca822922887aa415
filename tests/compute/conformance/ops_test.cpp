// Every operation of Ops on every backend against tests/oracle. Inputs and outputs go through upload() and download(),
// as a device's memory requires.
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "base/error.h"
#include "memory/budget.h"
#include "oracle/oracle.h"
#include "support/backends.h"

using namespace frugal;
using namespace frugal::testing;

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

// A matrix in the memory of a backend, with the values uploaded to it.
View put(Ops& ops, const std::vector<float>& values, int64_t rows, int64_t cols) {
  const View view = ops.allocate(Shape{rows, cols});
  ops.upload(values, view);
  return view;
}

std::vector<float> get(Ops& ops, View view) {
  std::vector<float> values(static_cast<size_t>(view.shape.elements()));
  ops.download(view, values);
  return values;
}

double relative_error(std::span<const float> got, std::span<const float> want) {
  double difference = 0, norm = 1e-30;
  for (size_t i = 0; i < want.size(); ++i) {
    difference += std::pow(double(got[i]) - double(want[i]), 2);
    norm += std::pow(double(want[i]), 2);
  }
  return std::sqrt(difference / norm);
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
          const auto x = random_floats(rows * inputs, 1), w = random_floats(outputs * inputs, 2),
                     bias = random_floats(outputs, 3);
          std::vector<float> want(static_cast<size_t>(rows * outputs));
          reference::linear(x, w, bias, rows, inputs, outputs, want);
          const OwnedWeight weight(dtype, w, outputs, inputs);
          for (const ActivationScales scales : {ActivationScales::per_token, ActivationScales::grouped}) {
            const Ops::Scope scope(ops);
            const LinearSpec spec{ops.prepare(weight.packed), bias, Activation::none, scales};
            const View out = ops.allocate(Shape{rows, outputs});
            ops.linear(spec, put(ops, x, rows, inputs), out);
            CHECK(relative_error(get(ops, out), want) < tolerance);
          }
        }
  });
}

TEST_CASE("layers in one call give the same results as one by one, and a residual may be the output") {
  on_every_backend([](Ops& ops) {
    const Ops::Scope scope(ops);
    constexpr int64_t kRows = 70, kInputs = 64;
    const View x = put(ops, random_floats(kRows * kInputs, 1), kRows, kInputs);
    const auto w = random_floats(96 * kInputs, 2);
    const OwnedWeight wide(DType::linear_i8, w, 96, kInputs), narrow(DType::linear_f32, w, 17, kInputs);
    const LinearSpec specs[] = {{ops.prepare(wide.packed), {}, Activation::silu, ActivationScales::grouped},
                                {ops.prepare(narrow.packed), {}, Activation::none, ActivationScales::grouped}};
    const View outs[] = {ops.allocate(Shape{kRows, 96}), ops.allocate(Shape{kRows, 17})};
    const View one_a = ops.allocate(outs[0].shape), one_b = ops.allocate(outs[1].shape);
    ops.linear_many(specs, x, outs);
    ops.linear(specs[0], x, one_a);
    ops.linear(specs[1], x, one_b);
    CHECK(get(ops, outs[0]) == get(ops, one_a));
    CHECK(get(ops, outs[1]) == get(ops, one_b));

    ops.linear(specs[1], x, one_b, one_b);
    std::vector<float> twice = get(ops, outs[1]);
    for (float& v : twice) v *= 2;
    CHECK(relative_error(get(ops, one_b), twice) < 1e-6);
  });
}

// The rows of one head of one span, from rows of `heads` heads side by side.
std::vector<float> head_of(const std::vector<float>& from, int64_t first, int64_t tokens, int64_t heads, int64_t head,
                           int64_t dim) {
  std::vector<float> rows;
  for (int64_t t = first; t < first + tokens; ++t)
    rows.insert(rows.end(), from.begin() + (t * heads + head) * dim, from.begin() + (t * heads + head + 1) * dim);
  return rows;
}

// Compares attention of 6 heads that share 2 of keys and values with the reference, span by span and head by head.
void check_attention_of(Ops& ops, AttentionSpec spec, std::span<const AttentionSpan> spans) {
  const Ops::Scope scope(ops);
  constexpr int64_t kHeads = 6, kKvHeads = 2, kDim = 32;
  int64_t q_tokens = 0, kv_tokens = 0;
  for (const AttentionSpan& span : spans) {
    q_tokens = std::max(q_tokens, span.q_begin + span.q_tokens);
    kv_tokens = std::max(kv_tokens, span.kv_begin + span.kv_tokens);
  }
  const auto q = random_floats(q_tokens * kHeads * kDim, 1), k = random_floats(kv_tokens * kKvHeads * kDim, 2),
             v = random_floats(kv_tokens * kKvHeads * kDim, 3);
  const View queries = put(ops, q, q_tokens, kHeads * kDim), keys = put(ops, k, kv_tokens, kKvHeads * kDim),
             values = put(ops, v, kv_tokens, kKvHeads * kDim), out = ops.allocate(queries.shape);
  spec.num_heads = kHeads;
  spec.num_kv_heads = kKvHeads;
  spec.head_dim = kDim;
  spec.scale = 0.25f;
  ops.attention(spec, spans, queries, keys, values, out);
  const std::vector<float> got = get(ops, out);
  const size_t distances = spec.relative_bias.size() / kHeads;
  for (const AttentionSpan& span : spans)
    for (int64_t h = 0; h < kHeads; ++h) {
      const auto one_q = head_of(q, span.q_begin, span.q_tokens, kHeads, h, kDim),
                 one_k = head_of(k, span.kv_begin, span.kv_tokens, kKvHeads, h / 3, kDim),
                 one_v = head_of(v, span.kv_begin, span.kv_tokens, kKvHeads, h / 3, kDim);
      std::vector<float> want(one_q.size());
      reference::attention(
          one_q, one_k, one_v, span.q_tokens, span.kv_tokens, kDim, 0.25f,
          {spec.causal, spec.window, spec.relative_bias.subspan(size_t(h) * distances, distances), spec.soft_cap},
          want);
      CHECK(relative_error(head_of(got, span.q_begin, span.q_tokens, kHeads, h, kDim), want) < 1e-4);
    }
}

const AttentionSpan kSequences[] = {{0, 1, 0, 1}, {1, 9, 1, 9}, {10, 340, 10, 340}};

TEST_CASE("attention over concatenated sequences sees each one alone, causal or not, with grouped heads") {
  on_every_backend([](Ops& ops) {
    for (const bool causal : {false, true}) {
      AttentionSpec spec;
      spec.causal = causal;
      check_attention_of(ops, spec, kSequences);
    }
  });
}

TEST_CASE("attention within a window sees the keys that are near enough on either side, or before it") {
  on_every_backend([](Ops& ops) {
    for (const bool causal : {false, true})
      for (const int64_t window : {int64_t(1), int64_t(8), int64_t(64), int64_t(1000)}) {
        AttentionSpec spec;
        spec.causal = causal;
        spec.window = window;
        check_attention_of(ops, spec, kSequences);
      }
  });
}

TEST_CASE("a bias by relative position is added for each head, and beyond its table stays that of the nearer end") {
  on_every_backend([](Ops& ops) {
    for (const bool causal : {false, true})
      for (const int64_t reach : {int64_t(0), int64_t(5), int64_t(400)}) {
        const std::vector<float> bias = random_floats(6 * (2 * reach + 1), 7, 2);
        AttentionSpec spec;
        spec.causal = causal;
        spec.relative_bias = bias;
        check_attention_of(ops, spec, kSequences);
        spec.window = 20;
        check_attention_of(ops, spec, kSequences);
        const AttentionSpan decoded[] = {{0, 1, 0, 30}, {1, 2, 30, 300}};
        check_attention_of(ops, spec, decoded);
      }
  });
}

TEST_CASE("a soft cap bounds the scores, alone, in a window, and before a bias by relative position") {
  on_every_backend([](Ops& ops) {
    const std::vector<float> bias = random_floats(6 * 11, 7, 2);
    for (const float cap : {0.5f, 2.0f, 50.0f}) {
      AttentionSpec spec;
      spec.causal = true;
      spec.soft_cap = cap;
      check_attention_of(ops, spec, kSequences);
      spec.window = 20;
      check_attention_of(ops, spec, kSequences);
      spec.relative_bias = bias;
      check_attention_of(ops, spec, kSequences);
    }
  });
}

TEST_CASE("queries of one sequence attend to all keys of another, longer or shorter") {
  on_every_backend([](Ops& ops) {
    const AttentionSpan spans[] = {{0, 7, 0, 230}, {7, 40, 230, 3}, {47, 1, 0, 230}};
    check_attention_of(ops, {}, spans);
  });
}

TEST_CASE("a token decoded against a cache attends like the last token of the whole sequence") {
  on_every_backend([](Ops& ops) {
    const Ops::Scope scope(ops);
    constexpr int64_t kHeads = 3, kDim = 64, kTokens = 77;
    const auto fill = [&](uint32_t seed) {
      return put(ops, random_floats(kTokens * kHeads * kDim, seed), kTokens, kHeads * kDim);
    };
    const AttentionSpec spec{kHeads, kHeads, kDim, 0.125f, true};
    const View q = fill(1), k = fill(2), v = fill(3), whole = ops.allocate(q.shape),
               last = ops.allocate(Shape{1, kHeads * kDim});
    ops.attention(spec, std::array{AttentionSpan{0, kTokens, 0, kTokens}}, q, k, v, whole);
    ops.attention(spec, std::array{AttentionSpan{0, 1, 0, kTokens}}, q.slice_rows(kTokens - 1, 1), k, v, last);
    const std::vector<float> all = get(ops, whole);
    CHECK(relative_error(get(ops, last), std::span(all).last(kHeads * kDim)) < 1e-5);
  });
}

TEST_CASE("embedding tables of every type give their rows, and accumulate on request") {
  on_every_backend([](Ops& ops) {
    const Ops::Scope scope(ops);
    constexpr int64_t kRows = 40, kFeatures = 48;
    auto table = random_floats(kRows * kFeatures, 1);
    std::vector<uint16_t> halves;
    for (const float v : table) halves.push_back(f32_to_f16(v));
    const std::vector<int32_t> ids = {0, 39, 7, 7};
    const View floats(table.data(), DType::f32, Shape{kRows, kFeatures});
    const View out = ops.allocate(Shape{4, kFeatures});
    ops.embed(floats, {}, ids, out, false);
    ops.embed(View(halves.data(), DType::f16, Shape{kRows, kFeatures}), {}, ids, out, true);
    const std::vector<float> got = get(ops, out);
    for (size_t t = 0; t < ids.size(); ++t)
      for (int64_t i = 0; i < kFeatures; ++i)
        CHECK(got[t * kFeatures + static_cast<size_t>(i)] ==
              doctest::Approx(2 * table[static_cast<size_t>(ids[t] * kFeatures + i)]).epsilon(1e-3));
    const std::vector<int32_t> outside = {40};
    CHECK_THROWS_AS(ops.embed(floats, {}, outside, out.slice_rows(0, 1), false), Error);

    const OwnedWeight tied(DType::linear_f32, table, kRows, kFeatures);
    ops.embed(ops.prepare(tied.packed), ids, out);
    const std::vector<float> rows = get(ops, out);
    for (int64_t i = 0; i < kFeatures; ++i)
      CHECK(rows[static_cast<size_t>(kFeatures + i)] == table[static_cast<size_t>(39 * kFeatures + i)]);
  });
}

TEST_CASE("norms agree with the textbook, with and without a shift, and in place") {
  on_every_backend([](Ops& ops) {
    for (const int64_t cols : {7, 64, 100}) {
      const Ops::Scope scope(ops);
      constexpr int64_t kRows = 5;
      const auto x = random_floats(kRows * cols, 1, 3), gamma = random_floats(cols, 2), beta = random_floats(cols, 3);
      std::vector<float> want(x.size());
      const View out = put(ops, x, kRows, cols);
      for (const bool shifted : {true, false}) {
        const std::span<const float> shift = shifted ? std::span<const float>(beta) : std::span<const float>();
        reference::layer_norm(x, kRows, cols, gamma, shift, 1e-5f, want);
        ops.norm({NormKind::layer, gamma, shift, 1e-5f}, put(ops, x, kRows, cols), out);
        CHECK(relative_error(get(ops, out), want) < 1e-5);
      }
      reference::rms_norm(x, kRows, cols, gamma, 1e-5f, want);
      ops.upload(x, out);
      ops.norm({NormKind::rms, gamma, {}, 1e-5f}, out, out);
      CHECK(relative_error(get(ops, out), want) < 1e-5);
    }
  });
}

TEST_CASE("rotary positions agree with the textbook in both orders of pairs, and leave the rest of a head alone") {
  on_every_backend([](Ops& ops) {
    constexpr int64_t kHeads = 3, kDim = 20, kRotary = 16, kRows = 4, kPositions = 50;
    const std::vector<int32_t> positions = {0, 3, 4, 49};
    std::vector<float> cosine, sine;
    for (int64_t p = 0; p < kPositions; ++p)
      for (int64_t i = 0; i < kRotary / 2; ++i) {
        const double angle = double(p) * std::pow(10000.0, -2.0 * double(i) / double(kRotary));
        cosine.push_back(static_cast<float>(std::cos(angle)));
        sine.push_back(static_cast<float>(std::sin(angle)));
      }
    for (const bool interleaved : {false, true}) {
      const Ops::Scope scope(ops);
      std::vector<float> want = random_floats(kRows * kHeads * kDim, 1);
      const View x = put(ops, want, kRows, kHeads * kDim);
      ops.rope({cosine, sine, kRotary, interleaved}, positions, x, kHeads, kDim);
      for (int64_t r = 0; r < kRows; ++r)
        for (int64_t h = 0; h < kHeads; ++h)
          reference::rope(std::span(want).subspan(static_cast<size_t>((r * kHeads + h) * kDim), kDim), kRotary,
                          positions[static_cast<size_t>(r)], 10000.0, interleaved);
      CHECK(relative_error(get(ops, x), want) < 1e-5);
    }
  });
}

TEST_CASE("activations, alone, gated and inside a linear layer, agree with the textbook") {
  on_every_backend([](Ops& ops) {
    const std::pair<Activation, float (*)(float)> kinds[] = {{Activation::gelu, reference::gelu},
                                                             {Activation::gelu_tanh, reference::gelu_tanh},
                                                             {Activation::quick_gelu, reference::quick_gelu},
                                                             {Activation::silu, reference::silu},
                                                             {Activation::relu, reference::relu},
                                                             {Activation::tanh, reference::tanh}};
    constexpr int64_t kRows = 3, kCols = 50;
    const auto x = random_floats(kRows * kCols, 1, 2), up = random_floats(kRows * kCols, 2);
    std::vector<float> identity(kCols * kCols);
    for (size_t i = 0; i < kCols; ++i) identity[i * kCols + i] = 1;
    const OwnedWeight weight(DType::linear_f32, identity, kCols, kCols);
    for (const auto& [kind, f] : kinds) {
      const Ops::Scope scope(ops);
      std::vector<float> want(x.size()), gated(x.size());
      for (size_t i = 0; i < x.size(); ++i) gated[i] = (want[i] = f(x[i])) * up[i];
      const View in = put(ops, x, kRows, kCols), out = ops.allocate(in.shape);
      ops.activate(kind, in, out);
      CHECK(relative_error(get(ops, out), want) < 1e-5);
      ops.linear({ops.prepare(weight.packed), {}, kind}, in, out);
      CHECK(relative_error(get(ops, out), want) < 1e-5);
      ops.activate_gated(kind, in, put(ops, up, kRows, kCols), in);
      CHECK(relative_error(get(ops, in), gated) < 1e-5);
    }
  });
}

TEST_CASE("sums, multiples and copies work on matrices whose rows are apart") {
  on_every_backend([](Ops& ops) {
    const Ops::Scope scope(ops);
    const View wide = put(ops, {1, 2, 3, 4, 5, 6, 7, 8}, 2, 4);
    const View left = wide.columns(0, 2), right = wide.columns(2, 2), out = ops.allocate(Shape{2, 2});
    ops.add(left, right, out);
    CHECK(get(ops, out) == std::vector<float>{4, 6, 12, 14});
    ops.copy(right, out);
    CHECK(get(ops, out) == std::vector<float>{3, 4, 7, 8});
    ops.copy(out, left);
    CHECK(get(ops, wide) == std::vector<float>{3, 4, 3, 4, 7, 8, 7, 8});
    ops.scale(right, -0.5f);
    CHECK(get(ops, wide) == std::vector<float>{3, 4, -1.5f, -2, 7, 8, -3.5f, -4});
  });
}

TEST_CASE("pooling takes the mean, the first or the last token of each sequence") {
  on_every_backend([](Ops& ops) {
    const Ops::Scope scope(ops);
    const View x = put(ops, {1, 2, 3, 4, 5, 6, 0, 10}, 4, 2), out = ops.allocate(Shape{2, 2});
    const AttentionSpan spans[] = {{0, 3, 0, 3}, {3, 1, 3, 1}};
    ops.pool(Pooling::mean, spans, x, out);
    CHECK(get(ops, out) == std::vector<float>{3, 4, 0, 10});
    ops.pool(Pooling::cls, spans, x, out);
    CHECK(get(ops, out) == std::vector<float>{1, 2, 0, 10});
    ops.pool(Pooling::last, spans, x, out);
    CHECK(get(ops, out) == std::vector<float>{5, 6, 0, 10});
    ops.upload(std::vector<float>{3, 4, 0, 0}, out);
    ops.normalize_rows(out);
    CHECK(relative_error(get(ops, out), std::vector<float>{0.6f, 0.8f, 0, 0}) < 1e-6);
  });
}

TEST_CASE("key-value rows outlive scopes and keep their values as they grow") {
  on_every_backend([](Ops& ops) {
    const uint64_t row_bytes[] = {2 * sizeof(float), 300 * sizeof(float)};
    const std::unique_ptr<KvRows> rows = ops.allocate_kv_rows(row_bytes, 10'000, Budget::unlimited());
    rows->grow_to(2);
    {
      const View held(rows->row(0, 0), DType::f32, Shape{2, 2});
      const Ops::Scope scope(ops);
      ops.copy(put(ops, {1, 2, 3, 4}, 2, 2), held);
    }
    const Ops::Scope scope(ops);
    put(ops, {9, 9, 9, 9}, 2, 2);
    rows->grow_to(10'000);
    ops.copy(put(ops, {7, 7, 7, 7}, 2, 2), View(rows->row(0, 9'998), DType::f32, Shape{2, 2}));
    CHECK(get(ops, View(rows->row(0, 0), DType::f32, Shape{2, 2})) == std::vector<float>{1, 2, 3, 4});
    CHECK(get(ops, View(rows->row(0, 9'998), DType::f32, Shape{2, 2})) == std::vector<float>{7, 7, 7, 7});
  });
}

TEST_CASE("working memory released by a scope is reused, and is reserved in the budget before it is allocated") {
  ThreadPool pool(1);
  Budget budget(1 << 20);
  const auto ops = make_cpu_ops(pool, budget);
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
