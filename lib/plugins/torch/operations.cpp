// The operations of compute/ops/ops.h on ATen. Each is written like its definition; speed is left to libtorch. The
// tensors made from arguments share the caller's memory, and results are copied into them.
#include <limits>

#include "context.h"

namespace frugal_torch {
namespace {

at::Tensor apply_activation(int32_t kind, const at::Tensor& x) {
  switch (kind) {
    case FRUGAL_NONE:
      return x;
    case FRUGAL_GELU:
      return at::gelu(x);
    case FRUGAL_GELU_TANH:
      return at::gelu(x, "tanh");
    case FRUGAL_SILU:
      return at::silu(x);
    case FRUGAL_RELU:
      return at::relu(x);
    case FRUGAL_TANH:
      return at::tanh(x);
    case FRUGAL_QUICK_GELU:
      return x * at::sigmoid(1.702 * x);
  }
  throw Failure(FRUGAL_UNSUPPORTED, "unknown activation " + std::to_string(kind));
}

int32_t embed(frugal_context* context, int64_t weight, const int32_t* ids, int64_t count, frugal_matrix out) {
  return guarded([&] {
    const at::Tensor rows = at::from_blob(const_cast<int32_t*>(ids), {count}, at::kInt).to(context->device, at::kLong);
    tensor_of(*context, out).copy_(weight_of(*context, weight).index_select(0, rows));
  });
}

int32_t linear(frugal_context* context, int64_t weight, frugal_vector bias, int32_t activation, frugal_matrix x,
               frugal_matrix residual, frugal_matrix out) {
  return guarded([&] {
    at::Tensor y =
        at::linear(tensor_of(*context, x).to(context->precision), weight_of(*context, weight)).to(at::kFloat);
    if (bias.data) y.add_(tensor_of(*context, bias));
    y = apply_activation(activation, y);
    if (residual.data) y = y + tensor_of(*context, residual);
    tensor_of(*context, out).copy_(y);
  });
}

int32_t norm(frugal_context* context, int32_t kind, frugal_vector gamma, frugal_vector beta, float epsilon,
             frugal_matrix x, frugal_matrix out) {
  return guarded([&] {
    const at::Tensor in = tensor_of(*context, x), scale = tensor_of(*context, gamma), shift = tensor_of(*context, beta);
    at::Tensor y;
    if (kind == FRUGAL_LAYER_NORM) {
      y = at::layer_norm(in, {x.cols}, scale, shift, epsilon);
    } else {
      y = in * at::rsqrt(in.square().mean(-1, true) + epsilon) * scale;
    }
    tensor_of(*context, out).copy_(y);
  });
}

int32_t rope(frugal_context* context, frugal_vector cosine, frugal_vector sine, int64_t rotary_dim, int32_t interleaved,
             int64_t heads, int64_t head_dim, frugal_matrix x) {
  return guarded([&] {
    const int64_t half = rotary_dim / 2;
    const at::Tensor cos = tensor_of(*context, cosine).view({x.rows, 1, half});
    const at::Tensor sin = tensor_of(*context, sine).view({x.rows, 1, half});
    const at::Tensor rotated = tensor_of(*context, x).view({x.rows, heads, head_dim}).narrow(2, 0, rotary_dim);
    const auto part = [&](int64_t which) {
      return interleaved ? rotated.slice(2, which, rotary_dim, 2) : rotated.narrow(2, which * half, half);
    };
    const at::Tensor a = part(0), b = part(1);
    const at::Tensor new_a = a * cos - b * sin, new_b = a * sin + b * cos;
    a.copy_(new_a);
    b.copy_(new_b);
  });
}

// Adds the bias by distance (key − position of the query) to the scores and hides keys, as `spec` has it. scores:
// [kv_heads, group, tokens, kv_tokens]. relative_bias: [heads, 2 · reach + 1], or undefined. The last query stands
// beside the last key.
void apply_positions(const frugal_attention& spec, const at::Tensor& relative_bias, at::Tensor& scores) {
  const int64_t tokens = scores.size(2), kv_tokens = scores.size(3);
  const auto numbers = scores.options().dtype(at::kLong);
  const at::Tensor distance =
      at::arange(kv_tokens, numbers).unsqueeze(0) - at::arange(kv_tokens - tokens, kv_tokens, numbers).unsqueeze(1);
  if (relative_bias.defined()) {
    const int64_t reach = (relative_bias.size(1) - 1) / 2;
    const at::Tensor columns = distance.clamp(-reach, reach).add_(reach).reshape({-1});
    scores.add_(relative_bias.index_select(1, columns).view(scores.sizes()));
  }
  at::Tensor hidden = at::zeros_like(distance, distance.options().dtype(at::kBool));
  if (spec.causal) hidden = hidden.logical_or(distance > 0);
  if (spec.window > 0) hidden = hidden.logical_or(distance.abs() > spec.window);
  scores.masked_fill_(hidden, -std::numeric_limits<float>::infinity());
}

// Attention of one sequence. q: [tokens, heads · dim]. k, v: [kv_tokens, kv_heads · dim], shared by the heads of a
// group. Returns [tokens, heads · dim].
at::Tensor attend(const frugal_attention& spec, const at::Tensor& relative_bias, const at::Tensor& q,
                  const at::Tensor& k, const at::Tensor& v) {
  const int64_t tokens = q.size(0), group = spec.num_heads / spec.num_kv_heads;
  const auto by_head = [&](const at::Tensor& x, int64_t shared) {
    return x.reshape({x.size(0), spec.num_kv_heads, shared, spec.head_dim}).permute({1, 2, 0, 3});
  };
  at::Tensor scores = at::matmul(by_head(q, group), by_head(k, 1).transpose(-1, -2)).mul_(spec.scale);
  if (spec.soft_cap > 0) scores.div_(spec.soft_cap).tanh_().mul_(spec.soft_cap);
  if ((spec.causal && tokens > 1) || spec.window > 0 || relative_bias.defined())
    apply_positions(spec, relative_bias, scores);
  const at::Tensor context = at::matmul(at::softmax(scores, -1), by_head(v, 1));
  return context.permute({2, 0, 1, 3}).reshape({tokens, spec.num_heads * spec.head_dim});
}

int32_t attention(frugal_context* context, const frugal_attention* spec, const frugal_span* spans, int64_t count,
                  frugal_matrix q, frugal_matrix k, frugal_matrix v, frugal_matrix out) {
  return guarded([&] {
    const at::Tensor queries = tensor_of(*context, q), keys = tensor_of(*context, k), values = tensor_of(*context, v),
                     to = tensor_of(*context, out);
    at::Tensor bias = tensor_of(*context, spec->relative_bias);
    if (bias.defined()) bias = bias.view({spec->num_heads, -1});
    for (const frugal_span* s = spans; s != spans + count; ++s)
      to.narrow(0, s->q_begin, s->q_tokens)
          .copy_(attend(*spec, bias, queries.narrow(0, s->q_begin, s->q_tokens),
                        keys.narrow(0, s->kv_begin, s->kv_tokens), values.narrow(0, s->kv_begin, s->kv_tokens)));
  });
}

int32_t activate(frugal_context* context, int32_t activation, frugal_matrix x, frugal_matrix out) {
  return guarded([&] { tensor_of(*context, out).copy_(apply_activation(activation, tensor_of(*context, x))); });
}

int32_t activate_gated(frugal_context* context, int32_t activation, frugal_matrix gate, frugal_matrix up,
                       frugal_matrix out) {
  return guarded([&] {
    tensor_of(*context, out).copy_(apply_activation(activation, tensor_of(*context, gate)) * tensor_of(*context, up));
  });
}

int32_t add(frugal_context* context, frugal_matrix a, frugal_matrix b, frugal_matrix out) {
  return guarded([&] { tensor_of(*context, out).copy_(tensor_of(*context, a) + tensor_of(*context, b)); });
}

int32_t scale(frugal_context* context, float factor, frugal_matrix x) {
  return guarded([&] { tensor_of(*context, x).mul_(factor); });
}

int32_t pool(frugal_context* context, int32_t kind, const frugal_span* spans, int64_t count, frugal_matrix x,
             frugal_matrix out) {
  return guarded([&] {
    const at::Tensor in = tensor_of(*context, x), to = tensor_of(*context, out);
    for (int64_t i = 0; i < count; ++i) {
      const at::Tensor tokens = in.narrow(0, spans[i].q_begin, spans[i].q_tokens);
      const at::Tensor pooled = kind == FRUGAL_POOL_MEAN  ? tokens.mean(0)
                                : kind == FRUGAL_POOL_CLS ? tokens[0]
                                                          : tokens[spans[i].q_tokens - 1];
      to[i].copy_(pooled);
    }
  });
}

int32_t normalize_rows(frugal_context* context, frugal_matrix x) {
  return guarded([&] {
    const at::Tensor rows = tensor_of(*context, x);
    const at::Tensor length = rows.norm(2, -1, true);
    rows.div_(at::where(length > 0, length, at::ones_like(length)));
  });
}

int32_t copy(frugal_context* context, frugal_matrix from, frugal_matrix to) {
  return guarded([&] { tensor_of(*context, to).copy_(tensor_of(*context, from)); });
}

int32_t svd(frugal_context* context, const float* a, int64_t rows, int64_t cols, float* u, float* s, float* vt) {
  return guarded([&] {
    const int64_t k = std::min(rows, cols);
    const auto host = [](float* data, at::IntArrayRef shape) { return at::from_blob(data, shape, at::kFloat); };
    const auto [left, values, right] =
        at::linalg_svd(host(const_cast<float*>(a), {rows, cols}).to(context->device), /*full_matrices=*/false);
    host(u, {rows, k}).copy_(left);
    host(s, {k}).copy_(values);
    host(vt, {k, cols}).copy_(right);
  });
}

}  // namespace

void add_operations(frugal_plugin& plugin) {
  plugin.embed = embed;
  plugin.linear = linear;
  plugin.norm = norm;
  plugin.rope = rope;
  plugin.attention = attention;
  plugin.activate = activate;
  plugin.activate_gated = activate_gated;
  plugin.add = add;
  plugin.scale = scale;
  plugin.pool = pool;
  plugin.normalize_rows = normalize_rows;
  plugin.copy = copy;
  plugin.svd = svd;
}

}  // namespace frugal_torch
