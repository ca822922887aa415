// The tiles of linear layers: rows of activations quantised to int8, multiplied with packed weights
// (compute/tensor/packed.h), and the loop that covers a range of rows and outputs with tiles. wide-inl.h and
// linear-inl.h build on it. See isa/region.h for the primitives.
//
// How a product is blocked. A weight lies in blocks of 16 outputs; inside a block of int8, the codes of 4 inputs × 16
// outputs are 64 neighbouring bytes, so a vector load brings the next inputs of several outputs and no shuffle is
// needed. The kLanes outputs that one vector of sums holds are a strip: a block is one strip with AVX-512, two with
// AVX2, sixteen without vectors.
//
//   tile    R rows × C strips, summed over all inputs in registers: each vector of codes is loaded once for R rows,
//           each input is broadcast once for C strips. R × C is bounded by the registers (isa/*.cpp gives C, R is 6).
//   panel   as many rows as stay in the second-level cache (kPanelBytes). Every strip visits a panel before the next
//           panel begins: the weights stream from memory once per panel, and the rows come from the cache.
//   task    a range of rows × output blocks that ops/ gives to one thread.
//
// Up to kFewRows rows (decoding one token has one) the time is that of reading the weights. A tile is then a whole
// block wide, so that memory is read once and in order, and cache lines are prefetched kPrefetchBytes ahead, because
// the processor's own prefetcher stops at the end of a page.
//
// Signs. The codes of weights are unsigned. With value = d · (code − 128), a sum is d · (Σ code·x − 128 · Σx), so an
// integer product starts at −128 · Σx, which quantize_rows has stored. With value = d · code + m it is
// d · Σ code·x + m · Σx. Integer sums are exact: the order of additions does not change the result.
//
// Scales. With one scale a row and an output (linear_i8 under an encoder) a tile multiplies once at its end
// (row_scaled_tile). Otherwise each group of 32 inputs has its own scales: the integer sum of a group is converted and
// added to a float total (group_scaled_tile). linear_i4 under an encoder has scales by group and one scale a row, which
// is multiplied once at the end; its codes are centred, value = d · (code − 8) + (m + 8 d), so that the second part is
// zero for weights from Q4_0 and need not be computed (docs/design/0029).
//
// An instruction set describes an integer product by a type with
//   Input                        element type of the activations' codes
//   Acc, start(offset)           partial sums of kLanes outputs; each output's partial sums add up to `offset`
//   kInputsPerStep               inputs that one step multiplies and adds
//   kUnrolledSteps               steps of a group that are unrolled; more cost compile time and gain nothing
//   Weights, load(codes, step)   codes of that step's inputs in a group, for the kLanes outputs at `codes`
//   Inputs, broadcast(x)         the inputs at x
//   step(acc, weights, inputs)
//   finish(acc)                  kLanes exact int32 sums, in order

constexpr int64_t kStripsPerBlock = kOutputBlock / kLanes;
constexpr int kMaxStrips = 4;

// Up to this many rows, the time is spent reading the weights: see above.
constexpr int kFewRows = 3;
constexpr int64_t kPrefetchBytes = 2048;

// --- quantised rows ---

// Quantised rows are stored in three planes: { scales f32[groups], minimum factors f32[groups], offsets i32[groups + 1]
// } of every row; the i8 codes of every row; their i16 codes (if kWideInputs). Without groups, every group repeats the
// scale of the row. minimum factor: what a group's minimum is multiplied by, Σ codes of the group, and that times the
// scale if there are groups. offset = −8 · Σ codes of the group, the last one that of the whole row: an integer product
// that starts there has its 4-bit codes centred, and one that starts at 16 times it its 8-bit codes.
struct RowLayout {
  int64_t groups;
  int64_t minimum_factors;  // byte offsets in a row's part of the first plane
  int64_t offsets;
  int64_t sums_bytes;  // of one row, in the first plane
  int64_t codes;       // offsets of the planes
  int64_t wide_codes;
  int64_t bytes;

  RowLayout(int64_t rows, int64_t cols) {
    groups = (cols + kInputGroup - 1) / kInputGroup;
    minimum_factors = groups * 4;
    offsets = minimum_factors + groups * 4;
    sums_bytes = (offsets + (groups + 1) * 4 + 63) / 64 * 64;
    codes = rows * sums_bytes;
    wide_codes = codes + (rows * groups * kInputGroup + 63) / 64 * 64;
    bytes = wide_codes + (kWideInputs ? rows * groups * kInputGroup * 2 : 0);
  }
};

struct RowOfCodes {
  float* scales;
  float* minimum_factors;
  int32_t* offsets;
  int8_t* codes;
  int16_t* wide_codes;

  FRUGAL_INLINE RowOfCodes(std::byte* data, const RowLayout& layout, int64_t row)
      : scales(reinterpret_cast<float*>(data + row * layout.sums_bytes)),
        minimum_factors(reinterpret_cast<float*>(data + row * layout.sums_bytes + layout.minimum_factors)),
        offsets(reinterpret_cast<int32_t*>(data + row * layout.sums_bytes + layout.offsets)),
        codes(reinterpret_cast<int8_t*>(data + layout.codes) + row * layout.groups * kInputGroup),
        wide_codes(reinterpret_cast<int16_t*>(data + layout.wide_codes) + row * layout.groups * kInputGroup) {}
};

uint64_t quantized_rows_bytes(int64_t rows, int64_t cols, bool) {
  return static_cast<uint64_t>(RowLayout(rows, cols).bytes);
}

void quantize_row(const float* x, int64_t cols, bool grouped, const RowLayout& layout, const RowOfCodes& row) {
  const CodeScale whole = grouped ? CodeScale{} : code_scale(max_abs(x, cols));
  int32_t total = 0;
  for (int64_t g = 0; g < layout.groups; ++g) {
    const int64_t at = g * kInputGroup;
    const int64_t count = min_of(kInputGroup, cols - at);
    const CodeScale s = grouped ? code_scale(max_abs(x + at, count)) : whole;
    int16_t* wide = kWideInputs ? row.wide_codes + at : nullptr;
    const int32_t sum = count == kInputGroup ? quantize_group(x + at, s.inverse, row.codes + at, wide)
                                             : quantize_tail(x + at, count, s.inverse, row.codes + at, wide);
    row.scales[g] = s.scale;
    row.minimum_factors[g] = grouped ? s.scale * float(sum) : float(sum);
    row.offsets[g] = -8 * sum;
    total += sum;
  }
  row.offsets[layout.groups] = -8 * total;
}

void quantize_rows(const float* x, int64_t x_stride, int64_t row_begin, int64_t row_end, const QuantizedRows& out) {
  const RowLayout layout(out.rows, out.cols);
  for (int64_t r = row_begin; r < row_end; ++r)
    quantize_row(x + r * x_stride, out.cols, out.grouped, layout, RowOfCodes(out.data, layout, r));
}

// --- weight formats ---

// kScales, kMinima: byte offset of a group's d and m in its record; 0 if the format has none. kRowScaled: the
// activations have one scale per row, applied at the end of the sums.
struct FormatI8 {
  using Dot = ByteDot;
  static constexpr bool kRowScaled = false;
  static constexpr int64_t kGroupBytes = kInputGroup * kOutputBlock;
  static constexpr int64_t kScales = 0;
  static constexpr int64_t kMinima = 0;
  static constexpr int kStrips = kByteGroupStrips;
};
struct FormatI8g {
  using Dot = ByteDot;
  static constexpr bool kRowScaled = false;
  static constexpr int64_t kGroupBytes = kRecordBytesI8g;
  static constexpr int64_t kScales = kInputGroup * kOutputBlock;
  static constexpr int64_t kMinima = 0;
  static constexpr int kStrips = kByteGroupStrips;
};
struct FormatI4 {
  using Dot = NibbleDot;
  static constexpr bool kRowScaled = false;
  static constexpr int64_t kGroupBytes = kRecordBytesI4;
  static constexpr int64_t kScales = kInputGroup * kOutputBlock / 2;
  static constexpr int64_t kMinima = kScales + 2 * kOutputBlock;
  static constexpr int kStrips = kNibbleStrips;
};
// linear_i4 under activations with one scale per row.
struct FormatI4Rows : FormatI4 {
  static constexpr bool kRowScaled = true;
};

// Where the integer product of a group starts.
template <class Format>
FRUGAL_INLINE int32_t group_offset(const RowOfCodes& row, int64_t g) {
  if constexpr (Format::kRowScaled) return row.offsets[g];
  return Format::kMinima ? 0 : 16 * row.offsets[g];
}

// kLanes neighbouring outputs: the block that holds them, and the first of them in it.
struct Strip {
  const std::byte* block;
  int64_t output_in_block;

  const uint8_t* codes() const { return reinterpret_cast<const uint8_t*>(block) + output_in_block * 4; }
  const uint16_t* halves(int64_t offset) const {
    return reinterpret_cast<const uint16_t*>(block + offset) + output_in_block;
  }
};

FRUGAL_INLINE Strip strip_of(const PackedWeight& weight, int64_t block_bytes, int64_t strip) {
  return {weight.data + strip / kStripsPerBlock * block_bytes, strip % kStripsPerBlock * kLanes};
}

// The scales of a group of one strip, as far as the format has them: d of the products, m of the minimum factors.
struct GroupScales {
  VecF d, m;
};

template <class Format>
FRUGAL_INLINE GroupScales group_scales(const Strip& strip, int64_t g) {
  GroupScales scales{};
  if constexpr (Format::kScales) scales.d = load_halves(strip.halves(g * Format::kGroupBytes + Format::kScales));
  if constexpr (Format::kMinima) scales.m = load_halves(strip.halves(g * Format::kGroupBytes + Format::kMinima));
  if constexpr (Format::kRowScaled) scales.m = mul_add(splat(8.0f), scales.d, scales.m);
  return scales;
}

// --- integer tiles ---

// The rows (of the quantised rows `data`) and strips of one tile. sums: [rows][strips · kLanes].
struct QuantizedTile {
  const RowLayout& layout;
  std::byte* data;
  int64_t first_row;
  Strip strips[kMaxStrips];
  const float* scales;  // of the first strip's outputs; linear_i8 only
  float* sums;

  FRUGAL_INLINE RowOfCodes row(int r) const { return RowOfCodes(data, layout, first_row + r); }
};

template <class Input>
FRUGAL_INLINE const Input* input_codes(const RowOfCodes& row) {
  if constexpr (sizeof(Input) == 2)
    return row.wide_codes;
  else
    return row.codes;
}

// acc[r][c] += the products of one group of 32 inputs.
template <class Dot, int R, int C>
FRUGAL_INLINE void add_group(typename Dot::Acc (&acc)[R][C], const typename Dot::Input* const (&x)[R],
                             const uint8_t* const (&codes)[C], int64_t group) {
  for (int first = 0; first < kInputGroup / Dot::kInputsPerStep; first += Dot::kUnrolledSteps) {
    FRUGAL_UNROLL
    for (int i = first; i < first + Dot::kUnrolledSteps; ++i) {
      typename Dot::Weights w[C];
      FRUGAL_UNROLL
      for (int c = 0; c < C; ++c) {
        w[c] = Dot::load(codes[c], i);
        if constexpr (R <= kFewRows) __builtin_prefetch(codes[c] + i * 64 + kPrefetchBytes);
      }
      FRUGAL_UNROLL
      for (int r = 0; r < R; ++r) {
        const typename Dot::Inputs inputs = Dot::broadcast(x[r] + group * kInputGroup + i * Dot::kInputsPerStep);
        FRUGAL_UNROLL
        for (int c = 0; c < C; ++c) Dot::step(acc[r][c], w[c], inputs);
      }
    }
  }
}

// One scale per output and one per row: integers until the end.
template <int R, int C>
void row_scaled_tile(const QuantizedTile& tile) {
  using Dot = ByteDot;
  typename Dot::Acc acc[R][C];
  const typename Dot::Input* x[R];
  const uint8_t* codes[C];
  float scale[R];
  FRUGAL_UNROLL
  for (int r = 0; r < R; ++r) {
    const RowOfCodes row = tile.row(r);
    x[r] = input_codes<typename Dot::Input>(row);
    scale[r] = row.scales[0];
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c) acc[r][c] = Dot::start(16 * row.offsets[tile.layout.groups]);
  }
  FRUGAL_UNROLL
  for (int c = 0; c < C; ++c) codes[c] = tile.strips[c].codes();
  for (int64_t g = 0; g < tile.layout.groups; ++g) {
    add_group<Dot, R, C>(acc, x, codes, g);
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c) codes[c] += FormatI8::kGroupBytes;
  }
  FRUGAL_UNROLL
  for (int r = 0; r < R; ++r) {
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c) {
      const VecF value = to_float(Dot::finish(acc[r][c])) * load(tile.scales + c * kLanes) * splat(scale[r]);
      store(tile.sums + (r * C + c) * kLanes, value);
    }
  }
}

// total[r][c] += acc[r][c] of group `g`, scaled. scales: of the group's strips.
template <class Format, class Dot, int R, int C>
FRUGAL_INLINE void scale_group(VecF (&total)[R][C], const typename Dot::Acc (&acc)[R][C], const QuantizedTile& tile,
                               int64_t g, const GroupScales (&scales)[C]) {
  FRUGAL_UNROLL
  for (int c = 0; c < C; ++c) {
    FRUGAL_UNROLL
    for (int r = 0; r < R; ++r) {
      const RowOfCodes row = tile.row(r);
      VecF sum = to_float(Dot::finish(acc[r][c]));
      if constexpr (Format::kScales) {
        if constexpr (!Format::kRowScaled) sum = sum * splat(row.scales[g]);
        total[r][c] = mul_add(sum, scales[c].d, total[r][c]);
      } else {
        total[r][c] = mul_add(sum, splat(row.scales[g]), total[r][c]);
      }
      if constexpr (Format::kMinima) total[r][c] = mul_add(scales[c].m, splat(row.minimum_factors[g]), total[r][c]);
    }
  }
}

// One scale per group of inputs (of the activations, the weights or both): each group's integer sum is scaled and added
// in float.
template <class Format, int R, int C>
void group_scaled_tile(const QuantizedTile& tile) {
  using Dot = typename Format::Dot;
  VecF total[R][C];
  const typename Dot::Input* x[R];
  const uint8_t* codes[C];
  FRUGAL_UNROLL
  for (int r = 0; r < R; ++r) {
    x[r] = input_codes<typename Dot::Input>(tile.row(r));
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c) total[r][c] = splat(0.0f);
  }
  FRUGAL_UNROLL
  for (int c = 0; c < C; ++c) codes[c] = tile.strips[c].codes();
  for (int64_t g = 0; g < tile.layout.groups; ++g) {
    typename Dot::Acc acc[R][C];
    FRUGAL_UNROLL
    for (int r = 0; r < R; ++r) {
      const RowOfCodes row = tile.row(r);
      FRUGAL_UNROLL
      for (int c = 0; c < C; ++c) acc[r][c] = Dot::start(group_offset<Format>(row, g));
    }
    add_group<Dot, R, C>(acc, x, codes, g);
    GroupScales scales[C];
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c) scales[c] = group_scales<Format>(tile.strips[c], g);
    scale_group<Format, Dot, R, C>(total, acc, tile, g, scales);
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c) codes[c] += Format::kGroupBytes;
  }
  FRUGAL_UNROLL
  for (int r = 0; r < R; ++r) {
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c) {
      if constexpr (!Format::kScales) total[r][c] = total[r][c] * load(tile.scales + c * kLanes);
      if constexpr (Format::kRowScaled) total[r][c] = total[r][c] * splat(tile.row(r).scales[0]);
      store(tile.sums + (r * C + c) * kLanes, total[r][c]);
    }
  }
}

// --- epilogue ---

// Writes the sums of a tile to the output matrix, through the epilogue.
struct Output {
  float* out;
  int64_t stride;
  int64_t outputs;
  const Epilogue& epilogue;

  // sums: [rows][strips · kLanes], for rows from `row` and outputs from `first`. Not inlined: some hundred tiles share
  // one copy, and a tile makes one call.
  __attribute__((noinline)) void write(const float* sums, int64_t row, int64_t rows, int64_t first, int strips) const {
    with_activation(epilogue.activation, [&](auto activation) {
      for (int64_t r = 0; r < rows; ++r, sums += strips * kLanes) {
        float* to = out + (row + r) * stride;
        const float* residual = epilogue.residual ? epilogue.residual + (row + r) * epilogue.residual_stride : nullptr;
        for (int c = 0; c < strips; ++c) {
          const int64_t o = first + c * kLanes;
          const int64_t n = min_of(kLanes, outputs - o);
          VecF sum = load(sums + c * kLanes);
          if (epilogue.bias) sum = sum + load_n(epilogue.bias + o, n);
          sum = activation(sum);
          if (residual) sum = sum + load_n(residual + o, n);
          store_n(to + o, sum, n);
        }
      }
    });
  }
};

// --- covering a range with tiles ---

// Bytes of the rows of a panel: they stay in the second-level cache while every strip of outputs visits them.
constexpr int64_t kPanelBytes = 192 * 1024;

struct Range {
  int64_t row_begin, row_end;
  int64_t strip_begin, strip_end;
};

FRUGAL_INLINE Range range_of(const PackedWeight& weight, int64_t row_begin, int64_t row_end, int64_t block_begin,
                             int64_t block_end) {
  const int64_t strips = (weight.outputs + kLanes - 1) / kLanes;
  return {row_begin, row_end, min_of(block_begin * kStripsPerBlock, strips),
          min_of(block_end * kStripsPerBlock, strips)};
}

// Calls tile(Constant<rows>, Constant<strips>, row, strip) for tiles of at most Rows × Strips that cover the
// range.
template <int Rows, int Strips, class Tile>
FRUGAL_INLINE void for_each_tile(const Range& range, int64_t row_bytes, const Tile& tile) {
  const int64_t panel_rows = max_of(kPanelBytes / (row_bytes + 1) / Rows, 1) * Rows;
  for (int64_t panel = range.row_begin; panel < range.row_end; panel += panel_rows) {
    const int64_t panel_end = min_of(panel + panel_rows, range.row_end);
    int64_t strip = range.strip_begin;
    const auto visit_rows = [&](auto strips) {
      RowTiles tiles(panel_end - panel, Rows);
      for (int64_t row = panel; row < panel_end;) {
        const int rows = tiles.next();
        with_rows<Rows>(rows, [&](auto r) { tile(r, strips, row, strip); });
        row += rows;
      }
    };
    for (; strip + Strips <= range.strip_end; strip += Strips) visit_rows(Constant<Strips>());
    for (; strip < range.strip_end; ++strip) visit_rows(Constant<1>());
  }
}
