// The kernels for AVX2 with FMA and F16C (Haswell 2013, Zen 2017).
#include "compute/kernels/isa/region.h"

#if defined(__x86_64__)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif

namespace frugal::kernels {
namespace {

using VecF = __m256;
using VecI = __m256i;
constexpr int64_t kLanes = 8;
constexpr bool kWideInputs = true;
#define FRUGAL_WIDENS 1
constexpr bool kWidensNibbles = false;  // they are multiplied as bytes where they lie
// A strip of the byte product takes two accumulators a row, so 6 × 1 strips fill the registers.
constexpr int kByteStrips = 1;
constexpr int kByteGroupStrips = 1;
constexpr int kNibbleStrips = 2;

// The first n of 8 lanes: kMask + 8 − n.
alignas(64) constexpr int32_t kMask[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
FRUGAL_INLINE __m256i mask_of(int64_t n) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMask + kLanes - n));
}

FRUGAL_INLINE VecF splat(float x) {
  return _mm256_set1_ps(x);
}
FRUGAL_INLINE VecF load(const float* p) {
  return _mm256_loadu_ps(p);
}
FRUGAL_INLINE VecF load_n(const float* p, int64_t n) {
  return n == kLanes ? load(p) : _mm256_maskload_ps(p, mask_of(n));
}
FRUGAL_INLINE void store(float* p, VecF v) {
  _mm256_storeu_ps(p, v);
}
FRUGAL_INLINE void store_n(float* p, VecF v, int64_t n) {
  if (n == kLanes) return store(p, v);
  _mm256_maskstore_ps(p, mask_of(n), v);
}
FRUGAL_INLINE VecF load_halves(const uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
FRUGAL_INLINE void store_halves(uint16_t* p, VecF v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
FRUGAL_INLINE VecF load_codes(const int8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
FRUGAL_INLINE VecF mul_add(VecF a, VecF b, VecF c) {
  return _mm256_fmadd_ps(a, b, c);
}
FRUGAL_INLINE VecF vmax(VecF a, VecF b) {
  return _mm256_max_ps(a, b);
}
FRUGAL_INLINE VecF vmin(VecF a, VecF b) {
  return _mm256_min_ps(a, b);
}
FRUGAL_INLINE VecF vabs(VecF a) {
  return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
FRUGAL_INLINE VecF select_less(VecF a, VecF b, VecF yes, VecF no) {
  return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
FRUGAL_INLINE void hide(VecF& a) {
  asm volatile("" : FRUGAL_VECTOR_REGISTER(a));
}
FRUGAL_INLINE float hsum(VecF a) {
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}
FRUGAL_INLINE float hmax(VecF a) {
  __m128 best = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  best = _mm_max_ps(best, _mm_movehl_ps(best, best));
  return _mm_cvtss_f32(_mm_max_ss(best, _mm_movehdup_ps(best)));
}
FRUGAL_INLINE VecI round_int(VecF a) {
  return _mm256_cvtps_epi32(a);
}
FRUGAL_INLINE VecF to_float(VecI a) {
  return _mm256_cvtepi32_ps(a);
}
FRUGAL_INLINE VecF exp2i(VecI n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

FRUGAL_INLINE void transpose_block(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  __m256 pair[8], quad[8];
  FRUGAL_UNROLL
  for (int i = 0; i < 4; ++i) {
    const VecF a = load(from + 2 * i * from_stride), b = load(from + (2 * i + 1) * from_stride);
    pair[2 * i] = _mm256_unpacklo_ps(a, b);
    pair[2 * i + 1] = _mm256_unpackhi_ps(a, b);
  }
  FRUGAL_UNROLL
  for (int i = 0; i < 8; i += 4) {
    quad[i] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0x44);
    quad[i + 1] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0xee);
    quad[i + 2] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0x44);
    quad[i + 3] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0xee);
  }
  FRUGAL_UNROLL
  for (int i = 0; i < 4; ++i) {
    store(to + i * to_stride, _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x20));
    store(to + (i + 4) * to_stride, _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x31));
  }
}

FRUGAL_INLINE int32_t hsum_i32(__m256i a) {
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1)));
}

// Eight floats to int32 codes. The clamp matters only for infinities and NaN, which become ±127.
FRUGAL_INLINE __m256i codes_of(const float* x, VecF inverse) {
  const VecF scaled = vmin(vmax(load(x) * inverse, splat(-127.0f)), splat(127.0f));
  return _mm256_cvtps_epi32(scaled);
}

FRUGAL_INLINE int32_t quantize_group(const float* x, float inverse, int8_t* codes, int16_t* wide) {
  const VecF factor = splat(inverse);
  __m256i half[2];
  FRUGAL_UNROLL
  for (int i = 0; i < 2; ++i) {
    const __m256i packed = _mm256_packs_epi32(codes_of(x + 16 * i, factor), codes_of(x + 16 * i + 8, factor));
    half[i] = _mm256_permute4x64_epi64(packed, 0xd8);
    if (wide) _mm256_storeu_si256(reinterpret_cast<__m256i*>(wide + 16 * i), half[i]);
  }
  const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(half[0], half[1]), 0xd8);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes), bytes);
  return hsum_i32(_mm256_madd_epi16(_mm256_add_epi16(half[0], half[1]), _mm256_set1_epi16(1)));
}

// maddubs would saturate on 8-bit codes (2 · 255 · 127 > 32767), so codes and inputs are widened to 16 bits: one
// vpmaddwd makes 4 outputs × 2 partial sums of two products each.
struct ByteDot {
  using Input = int16_t;
  struct Acc {
    __m256i first, second;  // outputs 0–3 and 4–7 of the strip
  };
  using Weights = Acc;
  using Inputs = __m256i;
  static FRUGAL_INLINE Acc start(int32_t offset) {
    const __m256i half =
        _mm256_set1_epi32(offset / 2);  // offset is a multiple of 128, and every output has two partial sums
    return {half, half};
  }
  static constexpr int kInputsPerStep = 4;
  static constexpr int kUnrolledSteps = 4;
  static FRUGAL_INLINE Weights load(const uint8_t* codes, int quad) {
    const __m128i* line = reinterpret_cast<const __m128i*>(codes + quad * 64);
    return {_mm256_cvtepu8_epi16(_mm_loadu_si128(line)), _mm256_cvtepu8_epi16(_mm_loadu_si128(line + 1))};
  }
  static FRUGAL_INLINE Inputs broadcast(const Input* x) {
    int64_t four;
    std::memcpy(&four, x, sizeof four);
    return _mm256_set1_epi64x(four);
  }
  static FRUGAL_INLINE void step(Acc& acc, const Weights& w, Inputs x) {
    acc.first = _mm256_add_epi32(acc.first, _mm256_madd_epi16(w.first, x));
    acc.second = _mm256_add_epi32(acc.second, _mm256_madd_epi16(w.second, x));
    FRUGAL_KEEP(acc.first);
    FRUGAL_KEEP(acc.second);
  }
  static FRUGAL_INLINE VecI finish(const Acc& acc) {
    return _mm256_permute4x64_epi64(_mm256_hadd_epi32(acc.first, acc.second), 0xd8);
  }
  static FRUGAL_INLINE void hide(Weights& w, Inputs& x) {
    asm volatile("" : FRUGAL_VECTOR_REGISTER(w.first), FRUGAL_VECTOR_REGISTER(w.second), FRUGAL_VECTOR_REGISTER(x));
  }
};

// Product of weights that widen_group has arranged in pairs of inputs, `Strips` strips side by side: one vpmaddwd gives
// 8 complete outputs.
template <int Strips>
struct WideDot {
  using Input = int16_t;
  using Acc = __m256i;
  using Weights = __m256i;
  using Inputs = __m256i;
  static constexpr int kInputsPerStep = 2;
  static constexpr int kUnrolledSteps = 4;
  static constexpr bool kCentered = true;
  static FRUGAL_INLINE Acc start(int32_t offset) { return _mm256_set1_epi32(offset); }
  static FRUGAL_INLINE Weights load(const uint8_t* widened, int pair) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(widened) + pair * Strips);
  }
  static FRUGAL_INLINE Inputs broadcast(const Input* x) {
    int32_t two;
    std::memcpy(&two, x, sizeof two);
    return _mm256_set1_epi32(two);
  }
  static FRUGAL_INLINE void step(Acc& acc, Weights w, Inputs x) {
    acc = _mm256_add_epi32(acc, _mm256_madd_epi16(w, x));
    FRUGAL_KEEP(acc);
  }
  static FRUGAL_INLINE VecI finish(Acc acc) { return acc; }
  static FRUGAL_INLINE Acc load_sums(const int32_t* p) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
  }
  static FRUGAL_INLINE void store_sums(int32_t* p, Acc acc) { _mm256_store_si256(reinterpret_cast<__m256i*>(p), acc); }
};

// 32 inputs × 8 outputs of byte codes to (code − 128) in 16 bits: [pair of inputs][output][2], pairs `stride` vectors
// apart.
FRUGAL_INLINE void widen_group(const uint8_t* codes, uint8_t* to, int64_t stride) {
  // In each half, four outputs of four bytes: their first pairs, then their second pairs.
  const __m256i pairs = _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15,  //
                                         0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
  __m256i* out = reinterpret_cast<__m256i*>(to);
  for (int quad = 0; quad < 8; ++quad, out += 2 * stride) {
    const __m256i line = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + quad * 64));
    const __m256i centered = _mm256_xor_si256(line, _mm256_set1_epi8(-128));
    const __m256i sorted = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(centered, pairs), 0xd8);
    _mm256_store_si256(out, _mm256_cvtepi8_epi16(_mm256_castsi256_si128(sorted)));
    _mm256_store_si256(out + stride, _mm256_cvtepi8_epi16(_mm256_extracti128_si256(sorted, 1)));
  }
}

// Nibbles cannot saturate maddubs: a group's 8 steps of at most 2 · 15 · 127 add up to 30,480 in 16 bits. That also
// bounds sums that start at half of −8 · Σx, for every order of the steps.
struct NibbleDot {
  using Input = int8_t;
  using Acc = __m256i;
  using Weights = __m256i;
  using Inputs = __m256i;
  static constexpr int kInputsPerStep = 4;
  static constexpr int kUnrolledSteps = 8;
  // Every output has two partial sums.
  static FRUGAL_INLINE Acc start(int32_t offset) { return _mm256_set1_epi16(static_cast<int16_t>(offset / 2)); }
  static FRUGAL_INLINE Weights load(const uint8_t* codes, int quad) {
    __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + quad % 4 * 64));
    if (quad >= 4) bytes = _mm256_srli_epi16(bytes, 4);
    return _mm256_and_si256(bytes, _mm256_set1_epi8(15));
  }
  static FRUGAL_INLINE Inputs broadcast(const Input* x) {
    int32_t four;
    std::memcpy(&four, x, sizeof four);
    return _mm256_set1_epi32(four);
  }
  static FRUGAL_INLINE void step(Acc& acc, Weights w, Inputs x) {
    acc = _mm256_add_epi16(acc, _mm256_maddubs_epi16(w, x));
    FRUGAL_KEEP(acc);
  }
  static FRUGAL_INLINE VecI finish(Acc acc) { return _mm256_madd_epi16(acc, _mm256_set1_epi16(1)); }
};

// |a| · (b with the sign of a): pair sums stay within 2 · 127 · 127 < 32,767.
FRUGAL_INLINE __m256i dot_32(__m256i a, __m256i b) {
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(a), _mm256_sign_epi8(b, a));
  return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

FRUGAL_INLINE int32_t dot_i8(const int8_t* a, const int8_t* b, int64_t count) {
  const auto bytes = [](const int8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); };
  __m256i first = _mm256_setzero_si256(), second = first;
  int64_t i = 0;
  for (; i + 64 <= count; i += 64) {
    first = _mm256_add_epi32(first, dot_32(bytes(a + i), bytes(b + i)));
    second = _mm256_add_epi32(second, dot_32(bytes(a + i + 32), bytes(b + i + 32)));
  }
  if (i + 32 <= count) {
    first = _mm256_add_epi32(first, dot_32(bytes(a + i), bytes(b + i)));
    i += 32;
  }
  int32_t sum = hsum_i32(_mm256_add_epi32(first, second));
  for (; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

#include "compute/kernels/table-inl.h"

constexpr KernelTable kTable = make_table(Isa::avx2);

}  // namespace

const KernelTable& avx2_table() {
  return kTable;
}

}  // namespace frugal::kernels

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif  // __x86_64__
