// Operations on rows of fp32 activations: norms, softmax, activation functions, rotary positions. See isa/region.h for
// the primitives.

// Σ f(x[i]) over a row, with two accumulators to hide the latency of an addition.
template <class Term>
FRUGAL_INLINE float sum_of(const float* x, int64_t count, const Term& term) {
  VecF first = splat(0.0f), second = splat(0.0f);
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    first = first + term(load(x + i));
    second = second + term(load(x + i + kLanes));
  }
  for (; i + kLanes <= count; i += kLanes) first = first + term(load(x + i));
  float sum = hsum(first + second);
  // The tail is summed in scalars: a term of the padding lanes need not be 0.
  alignas(64) float tail[kLanes];
  store(tail, term(load_n(x + i, count - i)));
  for (int64_t t = 0; i + t < count; ++t) sum += tail[t];
  return sum;
}

void layer_norm(const float* x, int64_t x_stride, int64_t rows, int64_t cols, const float* gamma, const float* beta,
                float epsilon, float* out, int64_t out_stride) {
  for (int64_t r = 0; r < rows; ++r, x += x_stride, out += out_stride) {
    const float mean = sum_of(x, cols, [](VecF v) { return v; }) / float(cols);
    const VecF center = splat(mean);
    const float variance = sum_of(x, cols, [center](VecF v) { return (v - center) * (v - center); }) / float(cols);
    const VecF inverse = splat(1.0f / std::sqrt(variance + epsilon));
    for (int64_t c = 0; c < cols; c += kLanes) {
      const int64_t n = min_of(kLanes, cols - c);
      const VecF normal = (load_n(x + c, n) - center) * inverse;
      const VecF shift = beta ? load_n(beta + c, n) : splat(0.0f);
      store_n(out + c, mul_add(normal, load_n(gamma + c, n), shift), n);
    }
  }
}

void rms_norm(const float* x, int64_t x_stride, int64_t rows, int64_t cols, const float* gamma, float epsilon,
              float* out, int64_t out_stride) {
  for (int64_t r = 0; r < rows; ++r, x += x_stride, out += out_stride) {
    const float mean_square = sum_of(x, cols, [](VecF v) { return v * v; }) / float(cols);
    const VecF inverse = splat(1.0f / std::sqrt(mean_square + epsilon));
    for (int64_t c = 0; c < cols; c += kLanes) {
      const int64_t n = min_of(kLanes, cols - c);
      store_n(out + c, load_n(x + c, n) * inverse * load_n(gamma + c, n), n);
    }
  }
}

void activate(Activation kind, const float* x, int64_t count, float* out) {
  with_activation(kind, [&](auto f) {
    for (int64_t i = 0; i < count; i += kLanes) {
      const int64_t n = min_of(kLanes, count - i);
      store_n(out + i, f(load_n(x + i, n)), n);
    }
  });
}

void activate_gated(Activation kind, const float* gate, const float* up, int64_t count, float* out) {
  with_activation(kind, [&](auto f) {
    for (int64_t i = 0; i < count; i += kLanes) {
      const int64_t n = min_of(kLanes, count - i);
      store_n(out + i, f(load_n(gate + i, n)) * load_n(up + i, n), n);
    }
  });
}

void add(const float* a, const float* b, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const int64_t n = min_of(kLanes, count - i);
    store_n(out + i, load_n(a + i, n) + load_n(b + i, n), n);
  }
}

// Maximum of a row; −FLT_MAX for an empty one.
FRUGAL_INLINE float max_of_row(const float* x, int64_t count) {
  VecF best = splat(-FLT_MAX);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) best = vmax(best, load(x + i));
  float highest = hmax(best);
  for (; i < count; ++i) highest = x[i] > highest ? x[i] : highest;
  return highest;
}

// x[i] = e^(x[i]·scale − shift), in place. Returns their sum.
FRUGAL_INLINE float exp_row(float* x, int64_t count, float scale, float shift) {
  const VecF factor = splat(scale), offset = splat(-shift);
  VecF sum = splat(0.0f);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const VecF e = vexp(mul_add(load(x + i), factor, offset));
    store(x + i, e);
    sum = sum + e;
  }
  if (i < count) {
    store_n(x + i, vexp(mul_add(load_n(x + i, count - i), factor, offset)), count - i);
    sum = sum + load_n(x + i, count - i);  // read back: of the padding lanes, e^(−shift) must not count
  }
  return hsum(sum);
}

// x[i] = cap · tanh(x[i] · scale / cap), in place.
FRUGAL_INLINE void cap_row(float* x, int64_t count, float scale, float cap) {
  const VecF inner = splat(scale / cap), outer = splat(cap);
  for (int64_t i = 0; i < count; i += kLanes) {
    const int64_t n = min_of(kLanes, count - i);
    store_n(x + i, tanh_of(load_n(x + i, n) * inner) * outer, n);
  }
}

FRUGAL_INLINE void scale_row(float* x, int64_t count, float factor) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const int64_t n = min_of(kLanes, count - i);
    store_n(x + i, load_n(x + i, n) * splat(factor), n);
  }
}

void softmax(float* x, int64_t x_stride, int64_t rows, int64_t cols) {
  for (int64_t r = 0; r < rows; ++r, x += x_stride)
    scale_row(x, cols, 1.0f / exp_row(x, cols, 1.0f, max_of_row(x, cols)));
}

// The pairs (i, i + half) of one head.
FRUGAL_INLINE void rope_halves(float* head, int64_t half, const float* cosine, const float* sine) {
  for (int64_t i = 0; i < half; i += kLanes) {
    const int64_t n = min_of(kLanes, half - i);
    const VecF a = load_n(head + i, n), b = load_n(head + half + i, n);
    const VecF c = load_n(cosine + i, n), s = load_n(sine + i, n);
    store_n(head + i, a * c - b * s, n);
    store_n(head + half + i, a * s + b * c, n);
  }
}

// The pairs (2i, 2i + 1). Few checkpoints use them, so they stay scalar.
FRUGAL_INLINE void rope_neighbours(float* head, int64_t half, const float* cosine, const float* sine) {
  for (int64_t i = 0; i < half; ++i) {
    const float a = head[2 * i], b = head[2 * i + 1];
    head[2 * i] = a * cosine[i] - b * sine[i];
    head[2 * i + 1] = a * sine[i] + b * cosine[i];
  }
}

void rope(float* row, int64_t heads, int64_t head_dim, int64_t rotary_dim, const float* cosine, const float* sine,
          bool interleaved) {
  for (int64_t h = 0; h < heads; ++h, row += head_dim) {
    if (interleaved)
      rope_neighbours(row, rotary_dim / 2, cosine, sine);
    else
      rope_halves(row, rotary_dim / 2, cosine, sine);
  }
}
