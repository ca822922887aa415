// The integer products of linear_i8 and linear_i8g for instruction sets that multiply 16 bits at a time, when there are
// more rows than one tile. The codes of a strip are widened once, to signed 16 bits in the order of WideDot, and every
// tile of rows reads them from the first-level cache. Zen 3, 170 × 384 × 1,536: 131 GOP/s when each tile widens for
// itself, 143 this way, of 166 on registers alone; with scales by group 104 and 130 (bench_kernels).
// See isa/region.h for the primitives; widen_group(codes, to, stride) converts 32 inputs × kLanes outputs.
// linear_tile-inl.h has the tiles for fewer rows and the types used here.

constexpr int kWideStrips = 2;
constexpr int64_t kWideGroupBytes = kInputGroup * kLanes * 2;  // one strip
constexpr int64_t kWideGroups = 16;              // 16 groups × 2 strips are 16 KiB, half of the first-level cache
constexpr int64_t kMaxPanelRows = 252;           // a multiple of kTileRows
constexpr int64_t kWidePanelBytes = 256 * 1024;  // the rows' wide codes: half of the second-level cache
// Rows from which widening once is faster; fewer with scales by group, where it also saves the horizontal additions.
constexpr int64_t kWidenFromRows = 4 * kTileRows;
constexpr int64_t kWidenGroupedFromRows = kTileRows + 2;

// Sums of the tiles so far, kept between two chunks of groups: [panel rows][strips][kLanes], int32 or float.
struct WideSums {
  alignas(64) std::byte bytes[kMaxPanelRows * kWideStrips * kLanes * 4];

  template <class T>
  T* of(int64_t row, int strips, int strip) {
    return reinterpret_cast<T*>(bytes) + (row * strips + strip) * kLanes;
  }
};

// Groups [group_begin, group_end) of a few rows of the panel; group_begin 0 starts their sums. widened: [group][pair of
// inputs][strips][kLanes][2].
struct WideTile {
  QuantizedTile rows;
  const uint8_t* widened;
  int64_t group_begin, group_end;
  WideSums& sums;
  int64_t row_in_panel;
};

template <int R, int C>
FRUGAL_INLINE void find_inputs(const WideTile& tile, const int16_t* (&x)[R], const uint8_t* (&codes)[C]) {
  FRUGAL_UNROLL
  for (int r = 0; r < R; ++r) x[r] = tile.rows.row(r).wide_codes;
  FRUGAL_UNROLL
  for (int c = 0; c < C; ++c) codes[c] = tile.widened + c * kLanes * 4;
}

template <int R, int C>
void row_scaled_wide_tile(const WideTile& tile) {
  const int16_t* x[R];
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
  const int16_t* x[R];
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
      FRUGAL_UNROLL
      for (int c = 0; c < C; ++c) acc[r][c] = Dot::start(0);
    }
    add_group<Dot, R, C>(acc, x, codes, g);
    scale_group<Format, Dot, R, C>(total, acc, tile.rows, g);
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c) codes[c] += C * kWideGroupBytes;
  }
  FRUGAL_UNROLL
  for (int r = 0; r < R; ++r) {
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c) store(tile.sums.template of<float>(tile.row_in_panel + r, C, c), total[r][c]);
  }
}

// Converts the panel's sums to floats and applies the scales that the tiles have not. Format void: int32 sums, one
// scale per row and per output.
template <class Format, int C>
FRUGAL_INLINE void finish_sums(const QuantizedTile& rows, int64_t panel_rows, WideSums& sums) {
  if constexpr (!std::is_void_v<Format>) {
    if constexpr (Format::kScales != 0) return;
  }
  VecF scales[C];
  for (int c = 0; c < C; ++c) scales[c] = load(rows.scales + c * kLanes);
  for (int64_t r = 0; r < panel_rows; ++r) {
    [[maybe_unused]] const VecF row_scale = splat(rows.row(static_cast<int>(r)).scales[0]);
    for (int c = 0; c < C; ++c) {
      float* sum = sums.of<float>(r, C, c);
      if constexpr (std::is_void_v<Format>)
        store(sum, to_float(WideDot<C>::load_sums(sums.of<int32_t>(r, C, c))) * scales[c] * row_scale);
      else
        store(sum, load(sum) * scales[c]);
    }
  }
}

// Multiplies one pair of strips (or the last single one) with a panel of rows. Format void: one scale per row and per
// output.
template <class Format, int C>
void multiply_wide_strips(const PackedWeight& weight, const QuantizedRows& x, int64_t panel, int64_t panel_end,
                          int64_t strip, const Output& output) {
  constexpr int64_t kGroupBytes = std::conditional_t<std::is_void_v<Format>, FormatI8, Format>::kGroupBytes;
  const RowLayout layout(x.rows, x.cols);
  const int64_t block_bytes = static_cast<int64_t>(packed_block_bytes(weight.dtype, weight.inputs));
  alignas(64) uint8_t widened[C * kWideGroups * kWideGroupBytes];
  WideSums sums;
  const float* scales = weight.scales ? weight.scales + strip * kLanes : nullptr;
  WideTile tile{{layout, x.data, panel, {}, scales, nullptr}, widened, 0, 0, sums, 0};
  for (int c = 0; c < C; ++c) tile.rows.strips[c] = strip_of(weight, block_bytes, strip + c);
  for (int64_t begin = 0; begin < layout.groups; begin += kWideGroups) {
    tile.group_begin = begin;
    tile.group_end = min_of(begin + kWideGroups, layout.groups);
    for (int c = 0; c < C; ++c)
      for (int64_t g = begin; g < tile.group_end; ++g)
        widen_group(tile.rows.strips[c].codes() + g * kGroupBytes,
                    widened + (g - begin) * C * kWideGroupBytes + c * kLanes * 4, C);
    RowTiles tiles(panel_end - panel);
    for (int64_t row = panel; row < panel_end;) {
      const int rows = tiles.next();
      tile.rows.first_row = row;
      tile.row_in_panel = row - panel;
      with_rows(rows, [&](auto r) {
        if constexpr (std::is_void_v<Format>)
          row_scaled_wide_tile<r.value, C>(tile);
        else
          group_scaled_wide_tile<Format, r.value, C>(tile);
      });
      row += rows;
    }
  }
  tile.rows.first_row = panel;
  finish_sums<Format, C>(tile.rows, panel_end - panel, sums);
  output.write(sums.of<float>(0, C, 0), panel, panel_end - panel, strip * kLanes, C);
}

template <class Format>
void multiply_wide_panels(const PackedWeight& weight, const QuantizedRows& x, const Range& range,
                          const Output& output) {
  const int64_t fitting = kWidePanelBytes / (weight.padded_inputs() * 2) / kTileRows * kTileRows;
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
  if (weight.dtype == DType::linear_i4) return false;
  return rows >= (weight.dtype == DType::linear_i8g || x.grouped ? kWidenGroupedFromRows : kWidenFromRows);
}

FRUGAL_INLINE void multiply_widened(const PackedWeight& weight, const QuantizedRows& x, const Range& range,
                                    const Output& output) {
  if (weight.dtype == DType::linear_i8g) return multiply_wide_panels<FormatI8g>(weight, x, range, output);
  if (x.grouped) return multiply_wide_panels<FormatI8>(weight, x, range, output);
  multiply_wide_panels<void>(weight, x, range, output);
}
