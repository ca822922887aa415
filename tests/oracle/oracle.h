// Every operation in plain fp32 loops, as the textbook has it: the oracle of the kernel and conformance tests.
// Not fast, and it never will be.
#pragma once

#include <cstdint>
#include <span>

#include "compute/tensor/view.h"

namespace frugal::reference {

/// out[r, o] = bias[o] + Σ_i x[r, i] · weight[o, i], accumulated in double. x: [rows, inputs]; weight: [outputs,
/// inputs]; bias may be empty.
void linear(std::span<const float> x, std::span<const float> weight, std::span<const float> bias, int64_t rows,
            int64_t inputs, int64_t outputs, std::span<float> out);
void layer_norm(std::span<const float> x, int64_t rows, int64_t cols, std::span<const float> gamma,
                std::span<const float> beta, float epsilon, std::span<float> out);
void rms_norm(std::span<const float> x, int64_t rows, int64_t cols, std::span<const float> gamma, float epsilon,
              std::span<float> out);
float gelu(float x);
float gelu_tanh(float x);
float quick_gelu(float x);
float silu(float x);
float relu(float x);
float tanh(float x);
void softmax(std::span<float> x, int64_t rows, int64_t cols);
/// One position of one head, in place. interleaved as in kernels::KernelTable::rope.
void rope(std::span<float> head, int64_t rotary_dim, int64_t position, double theta, bool interleaved);
/// What a query sees of the keys, by the distance of a key from its position, and what becomes of its scores: the
/// fields of AttentionSpec for one head. bias: [2 · reach + 1], or empty.
struct Positions {
  bool causal = false;
  int64_t window = 0;
  std::span<const float> bias = {};
  float soft_cap = 0;
};
/// One head. q: [q_tokens, head_dim]; k, v: [kv_tokens, head_dim]; out: [q_tokens, head_dim]. The last query stands
/// beside the last key. A query that sees no key gives zeros.
void attention(std::span<const float> q, std::span<const float> k, std::span<const float> v, int64_t q_tokens,
               int64_t kv_tokens, int64_t head_dim, float scale, const Positions& positions, std::span<float> out);

}  // namespace frugal::reference
