// One table of kernels per instruction set. A kernel is a pure, single-threaded function over plain pointers; the
// caller (compute/ops) splits rows and blocks of outputs between threads. Bodies are written once (*-inl.h) over a few
// primitives and compiled once per instruction set in isa/*.cpp.
//
// All kernels: lengths may be 0; pointers need only the alignment of their type; no padding is read beyond the layouts
// of compute/tensor/packed.h; in-place use is allowed where a comment says so. Integer matrix products are exact; the
// float epilogue may differ between ISAs in the last bits.
#pragma once

#include <cstdint>

#include "base/cpu.h"
#include "compute/tensor/activation.h"
#include "compute/tensor/packed.h"

namespace frugal::kernels {

/// Rows of activations quantised for the integer matrix products. The bytes are private to the ISA that wrote them.
struct QuantizedRows {
  std::byte* data = nullptr;  // quantized_rows_bytes(rows, cols) bytes, 64-byte aligned
  int64_t rows = 0;
  int64_t cols = 0;      // logical inputs; padded to a multiple of 32 inside with zeros
  bool grouped = false;  // false: one scale per row (encoders); true: one per 32 inputs (decoders)
};

/// Applied to the sums of a linear layer, in this order: + bias, activation, + residual.
struct Epilogue {
  const float* bias = nullptr;  // [outputs], or null
  Activation activation = Activation::none;
  const float* residual = nullptr;  // [rows, outputs] with residual_stride, or null; may alias out
  int64_t residual_stride = 0;
};

/// Keys or values of one head: rows `stride` elements apart. i8: a row's value is scales[row · scale_stride] · code.
struct HeadRows {
  const void* first = nullptr;
  int64_t stride = 0;
  DType dtype = DType::f32;  // f32, f16, i8
  const float* scales = nullptr;
  int64_t scale_stride = 0;
};

/// One attention problem: queries of one sequence and one head against its keys and values.
struct AttentionHead {
  const float* q = nullptr;  // [q_tokens] rows, q_stride apart, head_dim wide
  int64_t q_stride = 0;
  HeadRows k;            // [kv_tokens] rows
  HeadRows v;            // [kv_tokens] rows, of the same type
  float* out = nullptr;  // [q_tokens] rows
  int64_t out_stride = 0;
  int64_t q_tokens = 0;
  int64_t kv_tokens = 0;
  int64_t head_dim = 0;
  float scale = 1;
  int64_t q_position = 0;       // key beside which query 0 stands; query i stands beside key q_position + i
  bool causal = false;          // a query sees no key after its own position
  int64_t window = 0;           // if positive, it sees no key further than this from its own position
  const float* bias = nullptr;  // [2 · bias_reach + 1], or null: added to the scaled scores by key − position, clamped
  int64_t bias_reach = 0;       // to ± bias_reach
  float soft_cap = 0;           // if positive, a scaled score s becomes soft_cap · tanh(s / soft_cap), before its bias
};

/// Increased by every change of a kernel that changes the bits of its results, so that values computed by an earlier
/// build and kept on disk are computed again.
inline constexpr int kValuesVersion = 4;

struct KernelTable {
  Isa isa;

  // --- linear layers -------------------------------------------------------------------------------------------------
  /// Bytes that quantize_rows needs for `rows` × `cols`.
  uint64_t (*quantized_rows_bytes)(int64_t rows, int64_t cols, bool grouped);
  /// x: rows [row_begin, row_end) of [rows, cols], x_stride floats apart. Symmetric int8: scale = max|x| / 127 over the
  /// row or over each group of 32, round to nearest even. Different row ranges may be quantised by different threads.
  void (*quantize_rows)(const float* x, int64_t x_stride, int64_t row_begin, int64_t row_end, const QuantizedRows& out);
  /// out[r, o] = epilogue(Σ_i x[r, i] · w[o, i]) for rows [row_begin, row_end) and blocks of 16 outputs
  /// [block_begin, block_end). weight.dtype is linear_i8, linear_i8g or linear_i4; any combination with x.grouped is
  /// allowed. out: [rows, outputs], out_stride floats apart; only the logical outputs are written. out must not alias
  /// x.
  void (*linear_quantized)(const PackedWeight& weight, const QuantizedRows& x, int64_t row_begin, int64_t row_end,
                           int64_t block_begin, int64_t block_end, float* out, int64_t out_stride,
                           const Epilogue& epilogue);
  /// The same for linear_f32 and linear_f16 weights, on fp32 activations.
  void (*linear_float)(const PackedWeight& weight, const float* x, int64_t x_stride, int64_t row_begin, int64_t row_end,
                       int64_t block_begin, int64_t block_end, float* out, int64_t out_stride,
                       const Epilogue& epilogue);

  // --- rows ----------------------------------------------------------------------------------------------------------
  /// (x − mean) / sqrt(var + epsilon) · gamma + beta over each row (Ba et al. 2016). beta may be null. In place
  /// allowed.
  void (*layer_norm)(const float* x, int64_t x_stride, int64_t rows, int64_t cols, const float* gamma,
                     const float* beta, float epsilon, float* out, int64_t out_stride);
  /// x / sqrt(mean(x²) + epsilon) · gamma (Zhang & Sennrich 2019). In place allowed.
  void (*rms_norm)(const float* x, int64_t x_stride, int64_t rows, int64_t cols, const float* gamma, float epsilon,
                   float* out, int64_t out_stride);
  /// out[i] = f(x[i]). gelu is the exact erf form (relative error below 1e-5); gelu_tanh and quick_gelu are its
  /// approximations. In place allowed.
  void (*activate)(Activation f, const float* x, int64_t count, float* out);
  /// out[i] = f(gate[i]) · up[i]. out may alias either.
  void (*activate_gated)(Activation f, const float* gate, const float* up, int64_t count, float* out);
  /// out[i] = a[i] + b[i]. out may alias either.
  void (*add)(const float* a, const float* b, int64_t count, float* out);
  /// Softmax of each row, in place, stable for any finite input.
  void (*softmax)(float* x, int64_t x_stride, int64_t rows, int64_t cols);
  /// Rotary positions on `heads` heads of head_dim in a row, in place. cosine, sine: [rotary_dim / 2] for this row's
  /// position. interleaved false: pairs (i, i + rotary_dim/2), as Hugging Face; true: pairs (2i, 2i + 1), as the paper
  /// (Su et al. 2021).
  void (*rope)(float* row, int64_t heads, int64_t head_dim, int64_t rotary_dim, const float* cosine, const float* sine,
               bool interleaved);

  // --- attention -----------------------------------------------------------------------------------------------------
  /// softmax(scale · q kᵀ + bias, masked) v, holding one tile of scores at a time (online softmax, Milakov & Gimelshein
  /// 2018). scratch: attention_scratch_floats(head_dim) floats.
  void (*attention)(const AttentionHead& head, float* scratch);
  int64_t (*attention_scratch_floats)(int64_t head_dim);

  // --- vectors -------------------------------------------------------------------------------------------------------
  float (*dot_f32)(const float* a, const float* b, int64_t count);
  /// out[r] = Σ_i query[i] · rows[r · stride + i], exact in int32, for codes in [−127, 127].
  void (*dot_i8_rows)(const int8_t* query, const int8_t* rows, int64_t stride, int64_t row_count, int64_t dim,
                      int32_t* out);
  /// codes = round(x / scale) with scale = max|x| / 127, returned. A zero vector gives zeros and scale 0.
  float (*quantize_vector)(const float* x, int64_t count, int8_t* codes);
  /// halves = x in binary16, rounded to nearest even, clamped to ±65,504.
  void (*narrow_vector)(const float* x, int64_t count, uint16_t* halves);

  // --- peak of the machine, for benchmarks ---
  /// Runs `steps` tiles of integer (fp32) multiply-adds on registers alone; returns the number of multiply-adds.
  int64_t (*peak_int8_products)(int64_t steps);
  int64_t (*peak_float_products)(int64_t steps);
  /// Loads `count` floats once, in order, and discards them.
  void (*peak_read)(const float* p, int64_t count);
};

/// The table for `isa`. Throws Error(usage) if this build or machine has none.
const KernelTable& table(Isa isa);
/// The table of choose_isa(), resolved once.
const KernelTable& active();

}  // namespace frugal::kernels
