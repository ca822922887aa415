// All kernel bodies, each after those it uses, and the table that holds them. The bodies include nothing: this is the
// only list. Included by isa/*.cpp inside their region, after the primitives of isa/region.h.

template <int N>
struct Constant {
  static constexpr int value = N;
};

#include "compute/kernels/math-inl.h"

#include "compute/kernels/rows-inl.h"
#include "compute/kernels/vectors-inl.h"

#include "compute/kernels/float_tile-inl.h"

#include "compute/kernels/attention-inl.h"

#include "compute/kernels/linear_tile-inl.h"
#if FRUGAL_WIDENS
#include "compute/kernels/wide-inl.h"
#endif
#if FRUGAL_TILES
#include "compute/kernels/tiles-inl.h"
#endif
#include "compute/kernels/linear-inl.h"

#include "compute/kernels/peak-inl.h"

constexpr KernelTable make_table(Isa isa) {
  KernelTable table{};
  table.isa = isa;
  table.quantized_rows_bytes = quantized_rows_bytes;
  table.quantize_rows = quantize_rows;
  table.linear_quantized = linear_quantized;
  table.linear_float = linear_float;
  table.layer_norm = layer_norm;
  table.rms_norm = rms_norm;
  table.activate = activate;
  table.activate_gated = activate_gated;
  table.add = add;
  table.softmax = softmax;
  table.rope = rope;
  table.attention = attention;
  table.attention_scratch_floats = attention_scratch_floats;
  table.dot_f32 = dot_f32;
  table.dot_i8_rows = dot_i8_rows;
  table.quantize_vector = quantize_vector;
  table.narrow_vector = narrow_vector;
  table.peak_int8_products = peak_int8_products;
  table.peak_float_products = peak_float_products;
  table.peak_read = peak_read;
  return table;
}
