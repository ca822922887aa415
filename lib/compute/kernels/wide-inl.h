// The integer products of weights whose codes must be widened before they are multiplied, when there are more rows than
// one tile: bytes to 16 bits where the instruction set multiplies 16 bits at a time (linear_i8, linear_i8g), nibbles to
// bytes where it multiplies bytes (linear_i4). The codes of a strip are widened once, to the order of WideDot, and
// every tile of rows reads them from the first-level cache; the scales of groups are widened to fp32 beside them.
//
// Zen 3, 170 × 384 × 1,536, bytes: 131 GOP/s when each tile widens for itself, 143 this way, of 166 on registers alone;
// with scales by group 104 and 130 (bench_kernels). docs/design/0029 has the figures of nibbles.
//
// See isa/region.h for the primitives; widen_group(codes, to, stride) converts 32 inputs × kLanes outputs, and
// WideDot::kCentered says whether it also takes the offset off the codes. linear_tile-inl.h has the tiles for fewer
// rows and the types used here.

constexpr int kWideStrips = 2;
using WideInput = WideDot<1>::Input;
constexpr int64_t kWideGroupBytes = kInputGroup * kLanes * int64_t(sizeof(WideInput));  // one strip
constexpr int64_t kWideGroups = 16;              // 16 groups × 2 strips are 16 KiB, half of the first-level cache
constexpr int64_t kMaxPanelRows = 252;           // a multiple of kTileRows
constexpr int64_t kWidePanelBytes = 256 * 1024;  // the rows' codes: half of the second-level cache
// Rows from which widening once is faster; of bytes fewer with scales by group, where it also saves the horizontal
// additions.
constexpr int64_t kWidenFromRows = 4 * kTileRows;
constexpr int64_t kWidenGroupedFromRows = kTileRows + 2;
constexpr int64_t kWidenNibblesFromRows = 6 * kTileRows;

// linear_i4 under rows with one scale, where no group has anything left besides its centred codes: m = −8 d.
struct FormatI4Centered : FormatI4Rows {
  static constexpr int64_t kMinima = 0;
};

// Sums of the tiles so far, kept between two chunks of groups: [panel rows][strips][kLanes], int32 or float. If all
// groups are one chunk, every tile uses the first rows, which stay in the first-level cache.
struct WideSums {
  alignas(64) std::byte bytes[kMaxPanelRows * kWideStrips * kLanes * 4];

  template <class T>
  T* of(int64_t row, int strips, int strip) {
    return reinterpret_cast<T*>(bytes) + (row * strips + strip) * kLanes;
  }
};

// Groups of a pair of strips, widened.
struct Widened {
  alignas(64) uint8_t codes[kWideGroups * kWideStrips * kWideGroupBytes];  // [group][step][strips][kLanes][inputs]
  GroupScales scales[kWideGroups][kWideStrips];
};

// Groups [group_begin, group_end) of a few rows of the panel; group_begin 0 starts their sums.
struct WideTile {
  QuantizedTile rows;
  const Widened& widened;
  int64_t group_begin, group_end;
  WideSums& sums;
  int64_t row_in_panel;
};

template <int R, int C>
FRUGAL_INLINE void find_inputs(const WideTile& tile, const WideInput* (&x)[R], const uint8_t* (&codes)[C]) {
  FRUGAL_UNROLL
  for (int r = 0; r < R; ++r) x[r] = input_codes<WideInput>(tile.rows.row(r));
  FRUGAL_UNROLL
  for (int c = 0; c < C; ++c) codes[c] = tile.widened.codes + c * kLanes * 4;
}

template <int R, int C>
void row_scaled_wide_tile(const WideTile& tile) {
  const WideInput* x[R];
  const uint8_t* codes[C];
  find_inputs<R, C>(tile, x, codes);
  using Dot = WideDot<C>;
  typename Dot::Acc acc[R][C];
  FRUGAL_UNROLL
  for (int r = 0; r < R; ++r) {
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c)
      acc[r][c] = tile.group_begin == 0 ? Dot::start(0)
                                        : Dot::load_sums(tile.sums.template of<int32_t>(tile.row_in_panel + r, C, c));
  }
  for (int64_t g = tile.group_begin; g < tile.group_end; ++g) {
    add_group<Dot, R, C>(acc, x, codes, g);
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c) codes[c] += C * kWideGroupBytes;
  }
  FRUGAL_UNROLL
  for (int r = 0; r < R; ++r) {
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c) Dot::store_sums(tile.sums.template of<int32_t>(tile.row_in_panel + r, C, c), acc[r][c]);
  }
}

template <class Format, int R, int C>
void group_scaled_wide_tile(const WideTile& tile) {
  using Dot = WideDot<C>;
  const WideInput* x[R];
  const uint8_t* codes[C];
  find_inputs<R, C>(tile, x, codes);
  VecF total[R][C];
  FRUGAL_UNROLL
  for (int r = 0; r < R; ++r) {
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c)
      total[r][c] =
          tile.group_begin == 0 ? splat(0.0f) : load(tile.sums.template of<float>(tile.row_in_panel + r, C, c));
  }
  for (int64_t g = tile.group_begin; g < tile.group_end; ++g) {
    typename Dot::Acc acc[R][C];
    FRUGAL_UNROLL
    for (int r = 0; r < R; ++r) {
      const int32_t offset = Dot::kCentered ? 0 : group_offset<Format>(tile.rows.row(r), g);
      FRUGAL_UNROLL
      for (int c = 0; c < C; ++c) acc[r][c] = Dot::start(offset);
    }
    add_group<Dot, R, C>(acc, x, codes, g);
    GroupScales scales[C];
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c) {
      if constexpr (Format::kScales) scales[c] = tile.widened.scales[g - tile.group_begin][c];
    }
    scale_group<Format, Dot, R, C>(total, acc, tile.rows, g, scales);
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c) codes[c] += C * kWideGroupBytes;
  }
  FRUGAL_UNROLL
  for (int r = 0; r < R; ++r) {
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c) store(tile.sums.template of<float>(tile.row_in_panel + r, C, c), total[r][c]);
  }
}

// Converts the sums of a tile to floats and applies the scales that the tile has not. Format void: int32 sums, one
// scale per row and per output.
template <class Format, int R, int C>
FRUGAL_INLINE void finish_sums(const WideTile& tile) {
  if constexpr (!std::is_void_v<Format>) {
    if constexpr (Format::kScales != 0 && !Format::kRowScaled) return;
  }
  for (int r = 0; r < R; ++r) {
    [[maybe_unused]] const VecF row_scale = splat(tile.rows.row(r).scales[0]);
    for (int c = 0; c < C; ++c) {
      float* sum = tile.sums.template of<float>(tile.row_in_panel + r, C, c);
      if constexpr (std::is_void_v<Format>) {
        const VecI exact = WideDot<C>::load_sums(tile.sums.template of<int32_t>(tile.row_in_panel + r, C, c));
        store(sum, to_float(exact) * load(tile.rows.scales + c * kLanes) * row_scale);
      } else if constexpr (Format::kRowScaled) {
        store(sum, load(sum) * row_scale);
      } else {
        store(sum, load(sum) * load(tile.rows.scales + c * kLanes));
      }
    }
  }
}

// Fills `widened` with groups [begin, end) of the strips. Returns whether any has something to add for minimum factors.
template <class Format, int C>
FRUGAL_INLINE bool widen(const Strip* strips, int64_t begin, int64_t end, Widened& widened) {
  [[maybe_unused]] VecF largest = splat(0.0f);
  for (int c = 0; c < C; ++c)
    for (int64_t g = begin; g < end; ++g) {
      widen_group(strips[c].codes() + g * Format::kGroupBytes,
                  widened.codes + (g - begin) * C * kWideGroupBytes + c * kLanes * 4, C);
      if constexpr (Format::kScales) {
        const GroupScales scales = group_scales<Format>(strips[c], g);
        widened.scales[g - begin][c] = scales;
        if constexpr (Format::kMinima) largest = vmax(largest, vabs(scales.m));
      }
    }
  return hmax(largest) > 0.0f;
}

// Multiplies one pair of strips (or the last single one) with a panel of rows. Format void: one scale per row and per
// output.
template <class Format, int C>
void multiply_wide_strips(const PackedWeight& weight, const QuantizedRows& x, int64_t panel, int64_t panel_end,
                          int64_t strip, const Output& output) {
  const RowLayout layout(x.rows, x.cols);
  const int64_t block_bytes = static_cast<int64_t>(packed_block_bytes(weight.dtype, weight.inputs));
  Widened widened;
  WideSums sums;
  const float* scales = weight.scales ? weight.scales + strip * kLanes : nullptr;
  WideTile tile{{layout, x.data, panel, {}, scales, nullptr}, widened, 0, 0, sums, 0};
  for (int c = 0; c < C; ++c) tile.rows.strips[c] = strip_of(weight, block_bytes, strip + c);
  for (int64_t begin = 0; begin < layout.groups; begin += kWideGroups) {
    tile.group_begin = begin;
    tile.group_end = min_of(begin + kWideGroups, layout.groups);
    using Stored = std::conditional_t<std::is_void_v<Format>, FormatI8, Format>;
    [[maybe_unused]] const bool has_minima = widen<Stored, C>(tile.rows.strips, begin, tile.group_end, widened);
    RowTiles tiles(panel_end - panel);
    for (int64_t row = panel; row < panel_end;) {
      const int rows = tiles.next();
      tile.rows.first_row = row;
      tile.row_in_panel = layout.groups <= kWideGroups ? 0 : row - panel;
      with_rows(rows, [&](auto r) {
        if constexpr (std::is_void_v<Format>) {
          row_scaled_wide_tile<r.value, C>(tile);
        } else if constexpr (Format::kRowScaled) {
          if (has_minima)
            group_scaled_wide_tile<Format, r.value, C>(tile);
          else
            group_scaled_wide_tile<FormatI4Centered, r.value, C>(tile);
        } else {
          group_scaled_wide_tile<Format, r.value, C>(tile);
        }
        if (tile.group_end == layout.groups) {
          finish_sums<Format, r.value, C>(tile);
          output.write(sums.of<float>(tile.row_in_panel, C, 0), row, r.value, strip * kLanes, C);
        }
      });
      row += rows;
    }
  }
}

template <class Format>
void multiply_wide_panels(const PackedWeight& weight, const QuantizedRows& x, const Range& range,
                          const Output& output) {
  const int64_t fitting =
      kWidePanelBytes / (weight.padded_inputs() * int64_t(sizeof(WideInput))) / kTileRows * kTileRows;
  const int64_t max_rows = min_of(max_of(fitting, 4 * kTileRows), kMaxPanelRows);
  const int64_t panels = (range.row_end - range.row_begin + max_rows - 1) / max_rows;
  const int64_t panel_rows = (range.row_end - range.row_begin + panels - 1) / panels;
  for (int64_t panel = range.row_begin; panel < range.row_end; panel += panel_rows) {
    const int64_t panel_end = min_of(panel + panel_rows, range.row_end);
    int64_t strip = range.strip_begin;
    for (; strip + kWideStrips <= range.strip_end; strip += kWideStrips)
      multiply_wide_strips<Format, kWideStrips>(weight, x, panel, panel_end, strip, output);
    for (; strip < range.strip_end; ++strip)
      multiply_wide_strips<Format, 1>(weight, x, panel, panel_end, strip, output);
  }
}

FRUGAL_INLINE bool worth_widening(const PackedWeight& weight, const QuantizedRows& x, int64_t rows) {
  if ((weight.dtype == DType::linear_i4) != kWidensNibbles) return false;
  if constexpr (kWidensNibbles) return rows >= kWidenNibblesFromRows;
  return rows >= (weight.dtype == DType::linear_i8g || x.grouped ? kWidenGroupedFromRows : kWidenFromRows);
}

template <bool kNibbles = kWidensNibbles>
FRUGAL_INLINE void multiply_widened(const PackedWeight& weight, const QuantizedRows& x, const Range& range,
                                    const Output& output) {
  if constexpr (kNibbles) {
    if (!x.grouped) return multiply_wide_panels<FormatI4Rows>(weight, x, range, output);
    multiply_wide_panels<FormatI4>(weight, x, range, output);
  } else {
    if (weight.dtype == DType::linear_i8g) return multiply_wide_panels<FormatI8g>(weight, x, range, output);
    if (x.grouped) return multiply_wide_panels<FormatI8>(weight, x, range, output);
    multiply_wide_panels<void>(weight, x, range, output);
  }
}
