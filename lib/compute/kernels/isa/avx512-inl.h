// The primitives of AVX-512 with VNNI: vpdpbusd multiplies unsigned weight codes and signed activations as they lie, 64
// products an instruction. See isa/region.h. Included by isa/avx512vnni.cpp and isa/amx.cpp inside their region.

using VecF = __m512;
using VecI = __m512i;
constexpr int64_t kLanes = 16;
constexpr bool kWideInputs = false;
#define FRUGAL_WIDENS 1
constexpr bool kWidensNibbles = true;
constexpr int kByteStrips = 4;       // 6 × 4 accumulators, 4 of weights; inputs are broadcast from memory
constexpr int kByteGroupStrips = 2;  // 6 × 2 integer and 6 × 2 float accumulators
constexpr int kNibbleStrips = 2;

FRUGAL_INLINE __mmask16 mask_of(int64_t n) {
  return static_cast<__mmask16>((1u << n) - 1);
}

FRUGAL_INLINE VecF splat(float x) {
  return _mm512_set1_ps(x);
}
FRUGAL_INLINE VecF load(const float* p) {
  return _mm512_loadu_ps(p);
}
FRUGAL_INLINE VecF load_n(const float* p, int64_t n) {
  return n == kLanes ? load(p) : _mm512_maskz_loadu_ps(mask_of(n), p);
}
FRUGAL_INLINE void store(float* p, VecF v) {
  _mm512_storeu_ps(p, v);
}
FRUGAL_INLINE void store_n(float* p, VecF v, int64_t n) {
  if (n == kLanes) return store(p, v);
  _mm512_mask_storeu_ps(p, mask_of(n), v);
}
FRUGAL_INLINE VecF load_halves(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
FRUGAL_INLINE void store_halves(uint16_t* p, VecF v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
FRUGAL_INLINE VecF load_codes(const int8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
FRUGAL_INLINE VecF mul_add(VecF a, VecF b, VecF c) {
  return _mm512_fmadd_ps(a, b, c);
}
FRUGAL_INLINE VecF vmax(VecF a, VecF b) {
  return _mm512_max_ps(a, b);
}
FRUGAL_INLINE VecF vmin(VecF a, VecF b) {
  return _mm512_min_ps(a, b);
}
FRUGAL_INLINE VecF vabs(VecF a) {
  return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a);
}
FRUGAL_INLINE VecF select_less(VecF a, VecF b, VecF yes, VecF no) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
}
FRUGAL_INLINE void hide(VecF& a) {
  asm volatile("" : FRUGAL_VECTOR_REGISTER(a));
}
FRUGAL_INLINE float hsum(VecF a) {
  return _mm512_reduce_add_ps(a);
}
FRUGAL_INLINE float hmax(VecF a) {
  return _mm512_reduce_max_ps(a);
}
FRUGAL_INLINE VecI round_int(VecF a) {
  return _mm512_cvtps_epi32(a);
}
FRUGAL_INLINE VecF to_float(VecI a) {
  return _mm512_cvtepi32_ps(a);
}
FRUGAL_INLINE VecF exp2i(VecI n) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(n, _mm512_set1_epi32(127)), 23));
}

// Gathers a column at a time: the transposed tile is used a hundred times, so this need not be clever.
FRUGAL_INLINE void transpose_block(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i index = _mm512_mullo_epi32(lanes, _mm512_set1_epi32(static_cast<int>(from_stride)));
  for (int64_t i = 0; i < kLanes; ++i) store(to + i * to_stride, _mm512_i32gather_ps(index, from + i, 4));
}

FRUGAL_INLINE int32_t quantize_group(const float* x, float inverse, int8_t* codes, int16_t*) {
  __m128i sum = _mm_setzero_si128();
  FRUGAL_UNROLL
  for (int i = 0; i < 2; ++i) {
    const VecF scaled = vmin(vmax(load(x + 16 * i) * splat(inverse), splat(-127.0f)), splat(127.0f));
    const __m128i bytes = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(scaled));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + 16 * i), bytes);
    sum = _mm_dpbusd_epi32(sum, _mm_set1_epi8(1), bytes);
  }
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1)));
}

FRUGAL_INLINE __m512i four_codes(const int8_t* x) {
  int32_t four;
  std::memcpy(&four, x, sizeof four);
  return _mm512_set1_epi32(four);
}

struct ByteDot {
  using Input = int8_t;
  using Acc = __m512i;
  using Weights = __m512i;
  using Inputs = __m512i;
  static constexpr int kInputsPerStep = 4;
  static constexpr int kUnrolledSteps = 4;
  static FRUGAL_INLINE Acc start(int32_t offset) { return _mm512_set1_epi32(offset); }
  static FRUGAL_INLINE Weights load(const uint8_t* codes, int quad) { return _mm512_loadu_si512(codes + quad * 64); }
  static FRUGAL_INLINE Inputs broadcast(const Input* x) { return four_codes(x); }
  static FRUGAL_INLINE void step(Acc& acc, Weights w, Inputs x) { acc = _mm512_dpbusd_epi32(acc, w, x); }
  static FRUGAL_INLINE VecI finish(Acc acc) { return acc; }
  static FRUGAL_INLINE void hide(Weights& w, Inputs& x) {
    asm volatile("" : FRUGAL_VECTOR_REGISTER(w), FRUGAL_VECTOR_REGISTER(x));
  }
};

struct NibbleDot : ByteDot {
  static constexpr int kUnrolledSteps = 8;
  static FRUGAL_INLINE Weights load(const uint8_t* codes, int quad) {
    __m512i bytes = _mm512_loadu_si512(codes + quad % 4 * 64);
    if (quad >= 4) bytes = _mm512_srli_epi16(bytes, 4);
    return _mm512_and_si512(bytes, _mm512_set1_epi8(15));
  }
};

// Product of weights that widen_group has unpacked to bytes, `Strips` strips side by side.
template <int Strips>
struct WideDot : ByteDot {
  static constexpr int kUnrolledSteps = 8;
  static constexpr bool kCentered = false;
  static FRUGAL_INLINE Weights load(const uint8_t* widened, int quad) {
    return _mm512_load_si512(widened + quad * Strips * 64);
  }
};

// 32 inputs × 16 outputs of nibbles to bytes: [4 inputs][output][4], fours of inputs `stride` vectors apart.
FRUGAL_INLINE void widen_group(const uint8_t* codes, uint8_t* to, int64_t stride) {
  FRUGAL_UNROLL
  for (int quad = 0; quad < 8; ++quad) _mm512_store_si512(to + quad * stride * 64, NibbleDot::load(codes, quad));
}

// vpdpbusd wants one side unsigned: b + 128, and what that adds is 128 · Σa.
FRUGAL_INLINE int32_t dot_i8(const int8_t* a, const int8_t* b, int64_t count) {
  const __m512i flip = _mm512_set1_epi8(-128), ones = _mm512_set1_epi8(1);
  __m512i sum = _mm512_setzero_si512(), sum_a = sum;
  for (int64_t i = 0; i < count; i += 64) {
    const __mmask64 mask = count - i >= 64 ? ~__mmask64(0) : (__mmask64(1) << (count - i)) - 1;
    const __m512i x = _mm512_maskz_loadu_epi8(mask, a + i);
    sum = _mm512_dpbusd_epi32(sum, _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, b + i), flip), x);
    sum_a = _mm512_dpbusd_epi32(sum_a, ones, x);
  }
  return _mm512_reduce_add_epi32(_mm512_sub_epi32(sum, _mm512_slli_epi32(sum_a, 7)));
}
