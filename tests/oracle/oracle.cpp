#include "oracle/oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "base/error.h"

namespace frugal::reference {
namespace {

size_t at(int64_t index) {
  return static_cast<size_t>(index);
}

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double(a[i]) * double(b[i]);
  return sum;
}

void check_size(size_t actual, int64_t rows, int64_t cols) {
  FRUGAL_CHECK(int64_t(actual) == rows * cols);
}

// Rotates the pair (a, b) by `angle` radians.
void rotate(float& a, float& b, double angle) {
  const double first = double(a) * std::cos(angle) - double(b) * std::sin(angle);
  const double second = double(a) * std::sin(angle) + double(b) * std::cos(angle);
  a = static_cast<float>(first);
  b = static_cast<float>(second);
}

}  // namespace

void linear(std::span<const float> x, std::span<const float> weight, std::span<const float> bias, int64_t rows,
            int64_t inputs, int64_t outputs, std::span<float> out) {
  check_size(x.size(), rows, inputs);
  check_size(weight.size(), outputs, inputs);
  check_size(out.size(), rows, outputs);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t o = 0; o < outputs; ++o) {
      const double sum = dot(x.subspan(at(r * inputs), at(inputs)), weight.subspan(at(o * inputs), at(inputs)));
      out[at(r * outputs + o)] = static_cast<float>(sum + (bias.empty() ? 0.0 : double(bias[at(o)])));
    }
  }
}

void layer_norm(std::span<const float> x, int64_t rows, int64_t cols, std::span<const float> gamma,
                std::span<const float> beta, float epsilon, std::span<float> out) {
  check_size(x.size(), rows, cols);
  for (int64_t r = 0; r < rows; ++r) {
    const std::span<const float> row = x.subspan(at(r * cols), at(cols));
    double mean = 0, variance = 0;
    for (const float v : row) mean += double(v) / double(cols);
    for (const float v : row) variance += (double(v) - mean) * (double(v) - mean) / double(cols);
    for (int64_t c = 0; c < cols; ++c) {
      const double normal = (double(row[at(c)]) - mean) / std::sqrt(variance + double(epsilon));
      out[at(r * cols + c)] =
          static_cast<float>(normal * double(gamma[at(c)]) + (beta.empty() ? 0.0 : double(beta[at(c)])));
    }
  }
}

void rms_norm(std::span<const float> x, int64_t rows, int64_t cols, std::span<const float> gamma, float epsilon,
              std::span<float> out) {
  check_size(x.size(), rows, cols);
  for (int64_t r = 0; r < rows; ++r) {
    const std::span<const float> row = x.subspan(at(r * cols), at(cols));
    const double root = std::sqrt(dot(row, row) / double(cols) + double(epsilon));
    for (int64_t c = 0; c < cols; ++c)
      out[at(r * cols + c)] = static_cast<float>(double(row[at(c)]) / root * double(gamma[at(c)]));
  }
}

// 1 + erf(z) is written as erfc(−z), which keeps its relative precision where gelu vanishes.
float gelu(float x) {
  return static_cast<float>(0.5 * double(x) * std::erfc(-double(x) / std::numbers::sqrt2));
}

float gelu_tanh(float x) {
  const double v = double(x);
  return static_cast<float>(0.5 * v * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (v + 0.044715 * v * v * v))));
}

float quick_gelu(float x) {
  return static_cast<float>(double(x) / (1 + std::exp(-1.702 * double(x))));
}

float silu(float x) {
  return static_cast<float>(double(x) / (1 + std::exp(-double(x))));
}
float relu(float x) {
  return std::max(x, 0.0f);
}
float tanh(float x) {
  return static_cast<float>(std::tanh(double(x)));
}

void softmax(std::span<float> x, int64_t rows, int64_t cols) {
  check_size(x.size(), rows, cols);
  for (int64_t r = 0; r < rows; ++r) {
    const std::span<float> row = x.subspan(at(r * cols), at(cols));
    double highest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (const float v : row) highest = std::max(highest, double(v));
    for (const float v : row) sum += std::exp(double(v) - highest);
    for (float& v : row) v = static_cast<float>(std::exp(double(v) - highest) / sum);
  }
}

void rope(std::span<float> head, int64_t rotary_dim, int64_t position, double theta, bool interleaved) {
  FRUGAL_CHECK(rotary_dim % 2 == 0 && rotary_dim <= int64_t(head.size()));
  const int64_t pairs = rotary_dim / 2;
  for (int64_t i = 0; i < pairs; ++i) {
    const double angle = double(position) * std::pow(theta, -2.0 * double(i) / double(rotary_dim));
    const int64_t a = interleaved ? 2 * i : i;
    const int64_t b = interleaved ? 2 * i + 1 : i + pairs;
    rotate(head[at(a)], head[at(b)], angle);
  }
}

void attention(std::span<const float> q, std::span<const float> k, std::span<const float> v, int64_t q_tokens,
               int64_t kv_tokens, int64_t head_dim, float scale, const Positions& positions, std::span<float> out) {
  check_size(q.size(), q_tokens, head_dim);
  check_size(k.size(), kv_tokens, head_dim);
  check_size(v.size(), kv_tokens, head_dim);
  check_size(out.size(), q_tokens, head_dim);
  const int64_t reach = (int64_t(positions.bias.size()) - 1) / 2;
  for (int64_t i = 0; i < q_tokens; ++i) {
    std::vector<float> weights;
    std::vector<int64_t> seen;
    for (int64_t j = 0; j < kv_tokens; ++j) {
      const int64_t distance = j - (kv_tokens - q_tokens + i);
      if (positions.causal && distance > 0) continue;
      if (positions.window > 0 && std::abs(distance) > positions.window) continue;
      double score =
          double(scale) * dot(q.subspan(at(i * head_dim), at(head_dim)), k.subspan(at(j * head_dim), at(head_dim)));
      if (positions.soft_cap > 0) score = double(positions.soft_cap) * std::tanh(score / double(positions.soft_cap));
      const double bias =
          positions.bias.empty() ? 0 : double(positions.bias[at(std::clamp(distance, -reach, reach) + reach)]);
      weights.push_back(static_cast<float>(score + bias));
      seen.push_back(j);
    }
    softmax(weights, 1, int64_t(seen.size()));
    for (int64_t d = 0; d < head_dim; ++d) {
      double sum = 0;
      for (size_t n = 0; n < seen.size(); ++n) sum += double(weights[n]) * double(v[at(seen[n] * head_dim + d)]);
      out[at(i * head_dim + d)] = static_cast<float>(sum);
    }
  }
}

}  // namespace frugal::reference
