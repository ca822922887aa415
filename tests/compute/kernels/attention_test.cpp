#include <functional>

#include "compute/kernels/support.h"
#include "oracle/oracle.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

struct Problem {
  int64_t q_tokens, kv_tokens, head_dim;
  bool causal;
  int64_t window = 0;
  int64_t bias_reach = -1;  // −1: no bias
  float soft_cap = 0;

  int64_t q_position() const { return kv_tokens - q_tokens; }
  // Biases that differ enough to change every weight.
  std::vector<float> bias() const { return random_floats(2 * bias_reach + 1 > 0 ? 2 * bias_reach + 1 : 0, 9, -2, 2); }
};

// Around the tiles of rows (6), of keys and of queries (192) and of lanes; one query, as in decoding.
const Problem kProblems[] = {{1, 1, 32, false},    {1, 1, 32, true},     {3, 5, 8, false},     {4, 4, 7, true},
                             {7, 7, 32, false},    {10, 10, 64, true},   {1, 300, 64, true},   {2, 193, 20, true},
                             {5, 192, 16, false},  {17, 140, 33, true},  {194, 194, 32, true}, {170, 170, 32, false},
                             {200, 260, 64, true}, {193, 193, 8, false}, {6, 3, 16, false},    {1, 0, 32, false}};

// Windows below, at and above the tiles of keys, also where whole tiles lie outside; biases that reach less far than
// the keys, as far, and further; both at once.
const Problem kPositionProblems[] = {
    {10, 10, 16, false, 1},      {5, 300, 8, true, 3},          {700, 700, 16, false, 64},
    {450, 450, 20, true, 40},    {200, 200, 16, false, 199},    {194, 600, 16, false, 192},
    {1, 500, 32, false, 7},      {3, 500, 32, true, 250},       {1, 1, 8, false, 0, 0},
    {7, 7, 32, false, 0, 128},   {170, 170, 32, false, 0, 128}, {1, 300, 64, true, 0, 20},
    {300, 300, 12, true, 0, 17}, {9, 40, 16, false, 0, 5},      {400, 400, 16, false, 33, 12},
    {2, 400, 16, true, 250, 300}};

// Caps below, at and above the scores; decoding, in a window, and before a bias.
const Problem kCapProblems[] = {{7, 7, 32, false, 0, -1, 0.5f},
                                {200, 260, 64, true, 0, -1, 3},
                                {1, 300, 64, true, 40, -1, 50},
                                {300, 300, 12, true, 33, 17, 1}};

void check_all(const std::function<void(const kernels::KernelTable&, const Problem&)>& check_one) {
  for_each_isa([&](const kernels::KernelTable& table) {
    for (const Problem& p : kProblems) check_one(table, p);
    for (const Problem& p : kPositionProblems) check_one(table, p);
    for (const Problem& p : kCapProblems) check_one(table, p);
  });
}

void check(const kernels::KernelTable& table, const Problem& p, float low, float high, float scale, double tolerance) {
  CAPTURE(p.q_tokens);
  CAPTURE(p.kv_tokens);
  CAPTURE(p.head_dim);
  CAPTURE(p.causal);
  CAPTURE(p.window);
  CAPTURE(p.bias_reach);
  CAPTURE(p.soft_cap);
  // Heads lie side by side in rows of three heads; this one is in the middle.
  const int64_t stride = 3 * p.head_dim;
  const std::vector<float> bias = p.bias();
  const std::vector<float> q = random_floats(p.q_tokens * stride, 1, low, high);
  const std::vector<float> k = random_floats(p.kv_tokens * stride, 2, low, high);
  const std::vector<float> v = random_floats(p.kv_tokens * stride, 3);
  const auto dense = [&](const std::vector<float>& rows, int64_t tokens) {
    std::vector<float> head;
    for (int64_t t = 0; t < tokens; ++t)
      head.insert(head.end(), rows.begin() + t * stride + p.head_dim, rows.begin() + t * stride + 2 * p.head_dim);
    return head;
  };
  std::vector<float> expected(static_cast<size_t>(p.q_tokens * p.head_dim));
  reference::attention(dense(q, p.q_tokens), dense(k, p.kv_tokens), dense(v, p.kv_tokens), p.q_tokens, p.kv_tokens,
                       p.head_dim, scale, {p.causal, p.window, bias, p.soft_cap}, expected);
  std::vector<float> out(static_cast<size_t>(p.q_tokens * stride), 77.0f);
  Guarded<float> scratch(table.attention_scratch_floats(p.head_dim), 1);
  const auto middle = [&](auto& rows) { return rows.empty() ? nullptr : rows.data() + p.head_dim; };
  table.attention({middle(q),
                   stride,
                   {middle(k), stride},
                   {middle(v), stride},
                   middle(out),
                   stride,
                   p.q_tokens,
                   p.kv_tokens,
                   p.head_dim,
                   scale,
                   p.q_position(),
                   p.causal,
                   p.window,
                   bias.empty() ? nullptr : bias.data(),
                   p.bias_reach,
                   p.soft_cap},
                  scratch.data());
  REQUIRE(scratch.intact());
  for (int64_t t = 0; t < p.q_tokens; ++t)
    for (int64_t d = 0; d < stride; ++d) {
      const float actual = out[static_cast<size_t>(t * stride + d)];
      if (d < p.head_dim || d >= 2 * p.head_dim)
        REQUIRE(actual == 77.0f);
      else
        REQUIRE(close(actual, double(expected[static_cast<size_t>(t * p.head_dim + d - p.head_dim)]), tolerance,
                      tolerance));
    }
}

}  // namespace

TEST_CASE("attention matches the reference for every shape of queries, keys, mask, window and bias") {
  check_all([](const kernels::KernelTable& table, const Problem& p) { check(table, p, -1, 1, 0.3f, 1e-5); });
}

// Keys or values of two heads a token, of which the second is attended to; at odd places, for they need no alignment.
template <typename Element>
struct NarrowRows {
  // narrow(from, count, to) gives the scale.
  template <typename Narrow>
  NarrowRows(const Problem& p, uint32_t seed, const Narrow& narrow)
      : head_dim(p.head_dim), count(p.kv_tokens * 2 * p.head_dim), elements(count, 1), scales(p.kv_tokens * 2, 1) {
    for (int64_t row = 0; row < p.kv_tokens * 2; ++row) {
      const std::vector<float> x = random_floats(head_dim, seed + static_cast<uint32_t>(row));
      scales.data()[row] = narrow(x.data(), head_dim, elements.data() + row * head_dim);
    }
  }
  // What the rows stand for.
  template <typename Widen>
  std::vector<float> meant(const Widen& widen) const {
    std::vector<float> result;
    for (int64_t i = 0; i < count; ++i)
      if (const int64_t row = i / head_dim; row % 2 == 1) result.push_back(widen(elements[i]) * scales[row]);
    return result;
  }
  kernels::HeadRows rows(DType dtype, bool scaled) {
    kernels::HeadRows rows{elements.data() + head_dim, 2 * head_dim, dtype};
    if (!scaled) return rows;
    rows.scales = scales.data() + 1;
    rows.scale_stride = 2;
    return rows;
  }
  int64_t head_dim, count;
  Guarded<Element> elements;
  Guarded<float> scales;
};

void check_narrow(const kernels::KernelTable& table, const Problem& p, const kernels::HeadRows& k,
                  const kernels::HeadRows& v, const std::vector<float>& k_meant, const std::vector<float>& v_meant) {
  CAPTURE(p.q_tokens);
  CAPTURE(p.kv_tokens);
  CAPTURE(p.head_dim);
  CAPTURE(p.causal);
  CAPTURE(p.window);
  CAPTURE(p.bias_reach);
  CAPTURE(p.soft_cap);
  const std::vector<float> q = random_floats(p.q_tokens * p.head_dim, 1), bias = p.bias();
  std::vector<float> expected(static_cast<size_t>(p.q_tokens * p.head_dim));
  reference::attention(q, k_meant, v_meant, p.q_tokens, p.kv_tokens, p.head_dim, 0.3f,
                       {p.causal, p.window, bias, p.soft_cap}, expected);
  Guarded<float> out(p.q_tokens * p.head_dim, 3);
  Guarded<float> scratch(table.attention_scratch_floats(p.head_dim), 1);
  table.attention({q.data(), p.head_dim, k, v, out.data(), p.head_dim, p.q_tokens, p.kv_tokens, p.head_dim, 0.3f,
                   p.q_position(), p.causal, p.window, bias.empty() ? nullptr : bias.data(), p.bias_reach, p.soft_cap},
                  scratch.data());
  REQUIRE(scratch.intact());
  REQUIRE(out.intact());
  for (int64_t i = 0; i < p.q_tokens * p.head_dim; ++i)
    REQUIRE(close(out[i], double(expected[static_cast<size_t>(i)]), 1e-5, 1e-5));
}

TEST_CASE("attention over keys and values in int8 is attention over what the codes stand for") {
  check_all([](const kernels::KernelTable& table, const Problem& p) {
    NarrowRows<int8_t> k(p, 100, table.quantize_vector), v(p, 5000, table.quantize_vector);
    const auto widen = [](int8_t code) { return static_cast<float>(code); };
    check_narrow(table, p, k.rows(DType::i8, true), v.rows(DType::i8, true), k.meant(widen), v.meant(widen));
  });
}

TEST_CASE("attention over keys and values in binary16 is attention over what the halves stand for") {
  check_all([](const kernels::KernelTable& table, const Problem& p) {
    const auto narrow = [&](const float* x, int64_t count, uint16_t* to) {
      table.narrow_vector(x, count, to);
      return 1.0f;
    };
    NarrowRows<uint16_t> k(p, 100, narrow), v(p, 5000, narrow);
    check_narrow(table, p, k.rows(DType::f16, false), v.rows(DType::f16, false), k.meant(f16_to_f32),
                 v.meant(f16_to_f32));
  });
}

TEST_CASE("attention stays exact where scores are large and the maximum comes in the last tile of keys") {
  for_each_isa([](const kernels::KernelTable& table) {
    check(table, {20, 400, 32, false}, -30, 30, 1.0f, 1e-3);
    check(table, {1, 400, 32, false}, -30, 30, 1.0f, 1e-3);
  });
}

TEST_CASE("a causal query sees its own key and those before it, and no later one") {
  for_each_isa([](const kernels::KernelTable& table) {
    constexpr int64_t kTokens = 150, kDim = 16;
    const std::vector<float> q = random_floats(kTokens * kDim, 4), k = random_floats(kTokens * kDim, 5);
    std::vector<float> v = random_floats(kTokens * kDim, 6), before(kTokens * kDim), after(kTokens * kDim);
    std::vector<float> scratch(static_cast<size_t>(table.attention_scratch_floats(kDim)));
    const auto attend = [&](std::vector<float>& out) {
      table.attention({q.data(),
                       kDim,
                       {k.data(), kDim},
                       {v.data(), kDim},
                       out.data(),
                       kDim,
                       kTokens,
                       kTokens,
                       kDim,
                       0.25f,
                       0,
                       true},
                      scratch.data());
    };
    attend(before);
    constexpr int64_t kChanged = 131;
    for (int64_t d = 0; d < kDim; ++d) v[kChanged * kDim + d] += 1.0f;
    attend(after);
    for (int64_t t = 0; t < kTokens; ++t)
      for (int64_t d = 0; d < kDim; ++d) {
        const size_t i = static_cast<size_t>(t * kDim + d);
        REQUIRE((before[i] == after[i]) == (t < kChanged));
      }
  });
}

TEST_CASE("a query with a window has the same bits whichever queries share its call") {
  for_each_isa([](const kernels::KernelTable& table) {
    constexpr int64_t kTokens = 500, kDim = 16, kWindow = 30;
    const std::vector<float> q = random_floats(kTokens * kDim, 4), k = random_floats(kTokens * kDim, 5),
                             v = random_floats(kTokens * kDim, 6);
    std::vector<float> whole(kTokens * kDim), parts(kTokens * kDim);
    std::vector<float> scratch(static_cast<size_t>(table.attention_scratch_floats(kDim)));
    const auto attend = [&](int64_t begin, int64_t end, std::vector<float>& out) {
      table.attention({q.data() + begin * kDim,
                       kDim,
                       {k.data(), kDim},
                       {v.data(), kDim},
                       out.data() + begin * kDim,
                       kDim,
                       end - begin,
                       kTokens,
                       kDim,
                       0.25f,
                       begin,
                       false,
                       kWindow},
                      scratch.data());
    };
    attend(0, kTokens, whole);
    for (int64_t begin = 0; begin < kTokens; begin += 100) attend(begin, begin + 100, parts);
    REQUIRE(whole == parts);
  });
}
