// Linear layers: the two entry points of the kernel table, and the choice of tile by type of weight, scales and number
// of rows. linear_tile-inl.h has the tiles and says how a product is blocked. See isa/region.h for the primitives.
// Multiplies the range by tiles; `kernel(r, c, tile)` is the tile function for r.value rows and c.value strips.
template <int Rows, int Strips, class Kernel>
FRUGAL_INLINE void multiply_quantized(const PackedWeight& weight, const QuantizedRows& x, const Range& range,
                                      const Output& output, const Kernel& kernel) {
  const RowLayout layout(x.rows, x.cols);
  const int64_t block_bytes = static_cast<int64_t>(packed_block_bytes(weight.dtype, weight.inputs));
  alignas(64) float sums[kTileRows * kMaxStrips * kLanes];
  for_each_tile<Rows, Strips>(range, layout.groups * kInputGroup, [&](auto r, auto c, int64_t row, int64_t strip) {
    QuantizedTile tile{layout, x.data, row, {}, weight.scales ? weight.scales + strip * kLanes : nullptr, sums};
    for (int i = 0; i < c.value; ++i) tile.strips[i] = strip_of(weight, block_bytes, strip + i);
    kernel(r, c, tile);
    output.write(sums, row, r.value, strip * kLanes, c.value);
  });
}

template <class Format>
void multiply_grouped(const PackedWeight& weight, const QuantizedRows& x, const Range& range, const Output& output) {
  const auto kernel = [](auto r, auto c, const QuantizedTile& tile) {
    group_scaled_tile<Format, r.value, c.value>(tile);
  };
  if constexpr (Format::kStrips < kStripsPerBlock) {
    if (range.row_end - range.row_begin <= kFewRows)
      return multiply_quantized<kFewRows, 2 * Format::kStrips>(weight, x, range, output, kernel);
  }
  multiply_quantized<kTileRows, Format::kStrips>(weight, x, range, output, kernel);
}

void multiply_row_scaled(const PackedWeight& weight, const QuantizedRows& x, const Range& range, const Output& output) {
  const auto kernel = [](auto r, auto c, const QuantizedTile& tile) { row_scaled_tile<r.value, c.value>(tile); };
  if constexpr (kByteStrips < kStripsPerBlock) {
    if (range.row_end - range.row_begin <= kFewRows)
      return multiply_quantized<kFewRows, 2 * kByteStrips>(weight, x, range, output, kernel);
  }
  multiply_quantized<kTileRows, kByteStrips>(weight, x, range, output, kernel);
}

void linear_quantized(const PackedWeight& weight, const QuantizedRows& x, int64_t row_begin, int64_t row_end,
                      int64_t block_begin, int64_t block_end, float* out, int64_t out_stride,
                      const Epilogue& epilogue) {
  const Range range = range_of(weight, row_begin, row_end, block_begin, block_end);
  const Output output{out, out_stride, weight.outputs, epilogue};
#if FRUGAL_TILES
  if (worth_tiles(weight, row_end - row_begin)) return multiply_tiles(weight, x, range, output);
#endif
#if FRUGAL_WIDENS
  if (worth_widening(weight, x, row_end - row_begin)) return multiply_widened(weight, x, range, output);
#endif
  if (weight.dtype == DType::linear_i4 && !x.grouped) return multiply_grouped<FormatI4Rows>(weight, x, range, output);
  if (weight.dtype == DType::linear_i4) return multiply_grouped<FormatI4>(weight, x, range, output);
  if (weight.dtype == DType::linear_i8g) return multiply_grouped<FormatI8g>(weight, x, range, output);
  if (x.grouped) return multiply_grouped<FormatI8>(weight, x, range, output);
  multiply_row_scaled(weight, x, range, output);
}

template <class Weights>
void multiply_float(const PackedWeight& weight, const float* x, int64_t x_stride, const Range& range,
                    const Output& output) {
  const int64_t block_bytes = static_cast<int64_t>(packed_block_bytes(weight.dtype, weight.inputs));
  alignas(64) float sums[kTileRows * kFloatStrips * kLanes];
  for_each_tile<kTileRows, kFloatStrips>(range, weight.inputs * 4, [&](auto r, auto c, int64_t row, int64_t strip) {
    const std::byte* strips[c.value];
    for (int i = 0; i < c.value; ++i) {
      const Strip s = strip_of(weight, block_bytes, strip + i);
      strips[i] = s.block + s.output_in_block * Weights::kBytes;
    }
    float_tile<Weights, r.value, c.value>(x + row * x_stride, x_stride, strips, kOutputBlock * Weights::kBytes,
                                          weight.inputs, sums, c.value * kLanes, false);
    output.write(sums, row, r.value, strip * kLanes, c.value);
  });
}

void linear_float(const PackedWeight& weight, const float* x, int64_t x_stride, int64_t row_begin, int64_t row_end,
                  int64_t block_begin, int64_t block_end, float* out, int64_t out_stride, const Epilogue& epilogue) {
  const Range range = range_of(weight, row_begin, row_end, block_begin, block_end);
  const Output output{out, out_stride, weight.outputs, epilogue};
  if (weight.dtype == DType::linear_f16) return multiply_float<F16Weights>(weight, x, x_stride, range, output);
  multiply_float<F32Weights>(weight, x, x_stride, range, output);
}
