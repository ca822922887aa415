// Single vectors: dot products and int8 codes of an embedding. See isa/region.h for the primitives.

float dot_f32(const float* a, const float* b, int64_t count) {
  VecF first = splat(0.0f), second = splat(0.0f);
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    first = mul_add(load(a + i), load(b + i), first);
    second = mul_add(load(a + i + kLanes), load(b + i + kLanes), second);
  }
  for (; i < count; i += kLanes) {
    const int64_t n = min_of(kLanes, count - i);
    first = mul_add(load_n(a + i, n), load_n(b + i, n), first);
  }
  return hsum(first + second);
}

void dot_i8_rows(const int8_t* query, const int8_t* rows, int64_t stride, int64_t row_count, int64_t dim,
                 int32_t* out) {
  for (int64_t r = 0; r < row_count; ++r) out[r] = dot_i8(query, rows + r * stride, dim);
}

FRUGAL_INLINE float max_abs(const float* x, int64_t count) {
  VecF first = splat(0.0f), second = splat(0.0f);
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    first = vmax(first, vabs(load(x + i)));
    second = vmax(second, vabs(load(x + i + kLanes)));
  }
  for (; i < count; i += kLanes) first = vmax(first, vabs(load_n(x + i, min_of(kLanes, count - i))));
  return hmax(vmax(first, second));
}

// scale = highest / 127 turns codes into floats, inverse turns floats into codes. Both are 0 where the inverse would
// overflow: the values are 0, or too small to matter.
struct CodeScale {
  float scale;
  float inverse;
};

FRUGAL_INLINE CodeScale code_scale(float highest) {
  if (!(highest > 127.0f / FLT_MAX)) return {0.0f, 0.0f};
  return {highest / 127.0f, 127.0f / highest};
}

// quantize_group for `count` ≤ 32 floats, padded with 0.
FRUGAL_INLINE int32_t quantize_tail(const float* x, int64_t count, float inverse, int8_t* codes, int16_t* wide) {
  alignas(64) float padded[kInputGroup] = {};
  for (int64_t i = 0; i < count; ++i) padded[i] = x[i];
  return quantize_group(padded, inverse, codes, wide);
}

float quantize_vector(const float* x, int64_t count, int8_t* codes) {
  const CodeScale s = code_scale(max_abs(x, count));
  int64_t i = 0;
  for (; i + kInputGroup <= count; i += kInputGroup) quantize_group(x + i, s.inverse, codes + i, nullptr);
  int8_t tail[kInputGroup];
  quantize_tail(x + i, count - i, s.inverse, tail, nullptr);
  for (int64_t t = 0; i + t < count; ++t) codes[i + t] = tail[t];
  return s.scale;
}

void narrow_vector(const float* x, int64_t count, uint16_t* halves) {
  const VecF highest = splat(65504.0f), lowest = splat(-65504.0f);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store_halves(halves + i, vmin(vmax(load(x + i), lowest), highest));
  if (i == count) return;
  uint16_t tail[kLanes];
  store_halves(tail, vmin(vmax(load_n(x + i, count - i), lowest), highest));
  for (int64_t t = 0; i + t < count; ++t) halves[i + t] = tail[t];
}
