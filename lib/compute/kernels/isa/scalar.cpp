// The kernels in plain C++, one lane: they run on every machine, and the tests compare the others with them.
#include "compute/kernels/isa/region.h"

namespace frugal::kernels {
namespace {

using VecF = float;
using VecI = int32_t;
constexpr int64_t kLanes = 1;
constexpr bool kWideInputs = false;
constexpr int kByteStrips = 1;
constexpr int kByteGroupStrips = 1;
constexpr int kNibbleStrips = 1;

FRUGAL_INLINE VecF splat(float x) {
  return x;
}
FRUGAL_INLINE VecF load(const float* p) {
  return *p;
}
FRUGAL_INLINE VecF load_n(const float* p, int64_t n) {
  return n > 0 ? *p : 0.0f;
}
FRUGAL_INLINE void store(float* p, VecF v) {
  *p = v;
}
FRUGAL_INLINE void store_n(float* p, VecF v, int64_t n) {
  if (n > 0) *p = v;
}
FRUGAL_INLINE VecF load_halves(const uint16_t* p) {
  return f16_to_f32(*p);
}
FRUGAL_INLINE void store_halves(uint16_t* p, VecF v) {
  *p = f32_to_f16(v);
}
FRUGAL_INLINE VecF load_codes(const int8_t* p) {
  return static_cast<float>(*p);
}
FRUGAL_INLINE VecF mul_add(VecF a, VecF b, VecF c) {
  return a * b + c;
}
FRUGAL_INLINE VecF vmax(VecF a, VecF b) {
  return a > b ? a : b;
}
FRUGAL_INLINE VecF vmin(VecF a, VecF b) {
  return a < b ? a : b;
}
FRUGAL_INLINE VecF vabs(VecF a) {
  return std::fabs(a);
}
FRUGAL_INLINE VecF select_less(VecF a, VecF b, VecF yes, VecF no) {
  return a < b ? yes : no;
}
FRUGAL_INLINE void hide(VecF& a) {
  asm volatile("" : FRUGAL_VECTOR_REGISTER(a));
}
FRUGAL_INLINE float hsum(VecF a) {
  return a;
}
FRUGAL_INLINE float hmax(VecF a) {
  return a;
}
FRUGAL_INLINE VecI round_int(VecF a) {
  return static_cast<int32_t>(std::nearbyint(a));
}
FRUGAL_INLINE VecF to_float(VecI a) {
  return static_cast<float>(a);
}
FRUGAL_INLINE VecF exp2i(VecI n) {
  const uint32_t bits = static_cast<uint32_t>(n + 127) << 23;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
FRUGAL_INLINE void transpose_block(const float* from, int64_t, float* to, int64_t) {
  *to = *from;
}

FRUGAL_INLINE int32_t quantize_group(const float* x, float inverse, int8_t* codes, int16_t*) {
  int32_t sum = 0;
  for (int i = 0; i < kInputGroup; ++i) {
    const float rounded = std::nearbyint(x[i] * inverse);
    codes[i] = static_cast<int8_t>(vmin(vmax(rounded, -127.0f), 127.0f));
    sum += codes[i];
  }
  return sum;
}

struct ByteDot {
  using Input = int8_t;
  using Acc = int32_t;
  using Weights = const uint8_t*;
  using Inputs = const int8_t*;
  static constexpr int kInputsPerStep = 4;
  static constexpr int kUnrolledSteps = 4;
  static FRUGAL_INLINE Acc start(int32_t offset) { return offset; }
  static FRUGAL_INLINE Weights load(const uint8_t* codes, int quad) { return codes + quad * 64; }
  static FRUGAL_INLINE Inputs broadcast(const Input* x) { return x; }
  static FRUGAL_INLINE void step(Acc& acc, Weights w, Inputs x) {
    acc += w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3];
  }
  static FRUGAL_INLINE VecI finish(Acc acc) { return acc; }
  static FRUGAL_INLINE void hide(Weights& w, Inputs& x) { asm volatile("" : "+r"(w), "+r"(x)::"memory"); }
};

struct NibbleDot {
  using Input = int8_t;
  using Acc = int32_t;
  struct Weights {
    const uint8_t* bytes;
    int shift;
  };
  using Inputs = const int8_t*;
  static constexpr int kInputsPerStep = 4;
  static constexpr int kUnrolledSteps = 8;
  static FRUGAL_INLINE Acc start(int32_t offset) { return offset; }
  static FRUGAL_INLINE Weights load(const uint8_t* codes, int quad) { return {codes + quad % 4 * 64, quad / 4 * 4}; }
  static FRUGAL_INLINE Inputs broadcast(const Input* x) { return x; }
  static FRUGAL_INLINE void step(Acc& acc, Weights w, Inputs x) {
    for (int i = 0; i < 4; ++i) acc += (w.bytes[i] >> w.shift & 15) * x[i];
  }
  static FRUGAL_INLINE VecI finish(Acc acc) { return acc; }
};

FRUGAL_INLINE int32_t dot_i8(const int8_t* a, const int8_t* b, int64_t count) {
  int32_t sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

#include "compute/kernels/table-inl.h"

constexpr KernelTable kTable = make_table(Isa::scalar);

}  // namespace

const KernelTable& scalar_table() {
  return kTable;
}

}  // namespace frugal::kernels
