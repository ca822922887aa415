// The integer products of at least kAmxFromRows rows on AMX tiles (Intel SDM vol. 1, ch. 18). One instruction
// multiplies 16 rows by the codes of 64 inputs × 16 outputs, which is sixteen times what vpdpbusd does; the sums are
// the same integers, and floats are added in the order of the other tiles, so that a row has the same bits alone and
// among many.
//
// A tile of rows is read where quantize_rows put it. A tile of weights wants 4 inputs × 16 outputs in 64 bytes, as
// codes lie in the pack.
//
//   multiply_row_tiles    one scale per row and per output: 2 × 2 tiles of sums stay in tile registers over all inputs
//   multiply_group_tiles  scales by group: a group's sums leave the tile registers and are scaled, while the next
//                         group is multiplied
//
// The last rows take a tile that overlaps the one before; only their sums are written.

constexpr int kAmxRows = 16;
constexpr int64_t kAmxFromRows = 2 * kAmxRows;
constexpr int64_t kAmxPanelBytes = 512 * 1024;  // the rows' codes: a quarter of the second-level cache
constexpr int64_t kAmxMaxGroups = 256;          // widened codes of one strip: 128 KiB
constexpr int kAmxSums = 4;                     // tile registers 0–3 are sums, 4–5 rows, 6–7 weights
constexpr int64_t kAmxGroupCodes = kInputGroup * kLanes;

// Compilers do not know that a tile instruction reads memory: what was stored before must not move behind it.
FRUGAL_INLINE void finish_stores() {
  asm volatile("" ::: "memory");
}

// The tile registers' shapes, for steps of `inputs` inputs (32 or 64).
class TileShapes {
 public:
  FRUGAL_INLINE explicit TileShapes(int64_t inputs) {
    struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {};
      uint8_t rows[16] = {};
    } config;
    for (int t = 0; t < 8; ++t) {
      const bool is_rows = t == 4 || t == 5, is_weights = t >= 6;
      config.rows[t] = static_cast<uint8_t>(is_weights ? inputs / 4 : kAmxRows);
      config.row_bytes[t] = static_cast<uint16_t>(is_rows ? inputs : 64);
    }
    finish_stores();
    _tile_loadconfig(&config);
  }
  // An idle tile state costs the system nothing at a switch of threads.
  FRUGAL_INLINE ~TileShapes() { _tile_release(); }
  TileShapes(const TileShapes&) = delete;
  TileShapes& operator=(const TileShapes&) = delete;
};

// Rows [first, first + kAmxRows), of which those before `written` are written already.
struct RowsOfTile {
  int64_t first, written;
};

FRUGAL_INLINE RowsOfTile rows_of_tile(int64_t row, int64_t row_end) {
  return {min_of(row, row_end - kAmxRows), row};
}

FRUGAL_INLINE void write_tile(const float* sums, const RowsOfTile& rows, int64_t strip, const Output& output) {
  const int64_t skipped = rows.written - rows.first;
  output.write(sums + skipped * kLanes, rows.written, kAmxRows - skipped, strip * kLanes, 1);
}

// --- one scale per row and per output ---

// Sums of two tiles of rows and two of outputs: all inputs, in steps of `step`. codes: of the strips, contiguous.
FRUGAL_INLINE void multiply_four_tiles(const int8_t* const (&x)[2], int64_t x_stride, const uint8_t* const (&codes)[2],
                                       int64_t inputs, int64_t step, int32_t (&sums)[4][kAmxRows * kLanes]) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t i = 0; i < inputs; i += step) {
    _tile_loadd(4, x[0] + i, x_stride);
    _tile_loadd(6, codes[0] + i * kLanes, 64);
    _tile_dpbsud(0, 4, 6);
    _tile_loadd(7, codes[1] + i * kLanes, 64);
    _tile_dpbsud(1, 4, 7);
    _tile_loadd(5, x[1] + i, x_stride);
    _tile_dpbsud(2, 5, 6);
    _tile_dpbsud(3, 5, 7);
  }
  _tile_stored(0, sums[0], 64);
  _tile_stored(1, sums[1], 64);
  _tile_stored(2, sums[2], 64);
  _tile_stored(3, sums[3], 64);
}

void multiply_row_tiles(const PackedWeight& weight, const QuantizedRows& x, int64_t panel, int64_t panel_end,
                        const Range& range, const Output& output) {
  const RowLayout layout(x.rows, x.cols);
  const int64_t inputs = layout.groups * kInputGroup, step = inputs % 64 == 0 ? 64 : 32;
  const auto block_bytes = static_cast<int64_t>(packed_block_bytes(weight.dtype, weight.inputs));
  const TileShapes shapes(step);
  alignas(64) int32_t sums[4][kAmxRows * kLanes];
  alignas(64) float values[kAmxRows * kLanes];
  for (int64_t strip = range.strip_begin; strip < range.strip_end; strip += 2) {
    const int strips = static_cast<int>(min_of(2, range.strip_end - strip));
    const uint8_t* const codes[2] = {strip_of(weight, block_bytes, strip).codes(),
                                     strip_of(weight, block_bytes, strip + strips - 1).codes()};
    for (int64_t row = panel; row < panel_end; row += 2 * kAmxRows) {
      const RowsOfTile tiles[2] = {rows_of_tile(row, panel_end),
                                   rows_of_tile(min_of(row + kAmxRows, panel_end), panel_end)};
      const int8_t* const rows[2] = {RowOfCodes(x.data, layout, tiles[0].first).codes,
                                     RowOfCodes(x.data, layout, tiles[1].first).codes};
      multiply_four_tiles(rows, inputs, codes, inputs, step, sums);
      for (int t = 0; t < 2; ++t)
        for (int c = 0; c < strips && tiles[t].written < panel_end; ++c) {
          const VecF scale = load(weight.scales + (strip + c) * kLanes);
          for (int r = 0; r < kAmxRows; ++r) {
            const RowOfCodes from(x.data, layout, tiles[t].first + r);
            const VecI sum = _mm512_add_epi32(_mm512_load_si512(sums[2 * t + c] + r * kLanes),
                                              _mm512_set1_epi32(16 * from.offsets[layout.groups]));
            store(values + r * kLanes, to_float(sum) * scale * splat(from.scales[0]));
          }
          write_tile(values, tiles[t], strip + c, output);
        }
    }
  }
}

// --- scales by group ---

// A strip's codes as signed bytes, ready to be tiles of one group, and its scales.
struct StripOfGroups {
  alignas(64) uint8_t codes[kAmxMaxGroups * kAmxGroupCodes];
  GroupScales scales[kAmxMaxGroups];
};

// Codes of one group, with the offset taken off that an integer product of the other tiles starts with.
template <class Format>
FRUGAL_INLINE void center_group(const uint8_t* from, uint8_t* to) {
  FRUGAL_UNROLL
  for (int quad = 0; quad < 8; ++quad) {
    __m512i codes = Format::Dot::load(from, quad);
    if constexpr (Format::kRowScaled) codes = _mm512_sub_epi8(codes, _mm512_set1_epi8(8));
    if constexpr (Format::kMinima == 0) codes = _mm512_xor_si512(codes, _mm512_set1_epi8(-128));
    _mm512_store_si512(to + quad * 64, codes);
  }
}

// Returns whether the strip has minima.
template <class Format>
FRUGAL_INLINE bool prepare(const Strip& strip, int64_t groups, StripOfGroups& prepared) {
  VecF largest = splat(0.0f);
  for (int64_t g = 0; g < groups; ++g) {
    center_group<Format>(strip.codes() + g * Format::kGroupBytes, prepared.codes + g * kAmxGroupCodes);
    prepared.scales[g] = group_scales<Format>(strip, g);
    if constexpr (Format::kMinima != 0) largest = vmax(largest, vabs(prepared.scales[g].m));
  }
  finish_stores();
  return hmax(largest) > 0.0f;
}

using SumsOfTile = int32_t[kAmxRows * kLanes];

// Multiplies one group into tile register I.
template <int I>
FRUGAL_INLINE void multiply_group(const int8_t* x, int64_t x_stride, const uint8_t* codes) {
  if constexpr (I == 0) {
    _tile_zero(0);
    _tile_loadd(4, x, x_stride);
    _tile_loadd(6, codes, 64);
    _tile_dpbssd(0, 4, 6);
  } else if constexpr (I == 1) {
    _tile_zero(1);
    _tile_loadd(5, x, x_stride);
    _tile_loadd(7, codes, 64);
    _tile_dpbssd(1, 5, 7);
  } else if constexpr (I == 2) {
    _tile_zero(2);
    _tile_loadd(4, x, x_stride);
    _tile_loadd(6, codes, 64);
    _tile_dpbssd(2, 4, 6);
  } else {
    _tile_zero(3);
    _tile_loadd(5, x, x_stride);
    _tile_loadd(7, codes, 64);
    _tile_dpbssd(3, 5, 7);
  }
}

template <int I>
FRUGAL_INLINE void store_group(SumsOfTile& sums) {
  if constexpr (I == 0) _tile_stored(0, sums, 64);
  if constexpr (I == 1) _tile_stored(1, sums, 64);
  if constexpr (I == 2) _tile_stored(2, sums, 64);
  if constexpr (I == 3) _tile_stored(3, sums, 64);
}

// Scales and minimum factors of a panel's rows, each [tile of rows][group][row]: sixteen rows' factors of a group are
// broadcast from one cache line, where those of RowLayout lie in sixteen.
struct FactorsOfPanel {
  alignas(64) float scales[kAmxPanelBytes / kInputGroup];
  alignas(64) float minima[kAmxPanelBytes / kInputGroup];

  FactorsOfPanel(const QuantizedRows& x, const RowLayout& layout, int64_t panel, int64_t panel_end) {
    int64_t at = 0;
    for (int64_t row = panel; row < panel_end; row += kAmxRows, at += layout.groups * kAmxRows)
      for (int64_t r = 0; r < kAmxRows; ++r) {
        const RowOfCodes from(x.data, layout, rows_of_tile(row, panel_end).first + r);
        for (int64_t g = 0; g < layout.groups; ++g) {
          scales[at + g * kAmxRows + r] = from.scales[g];
          minima[at + g * kAmxRows + r] = from.minimum_factors[g];
        }
      }
  }
};

// One tile of rows against one strip.
struct GroupTile {
  const int8_t* x;
  int64_t groups;
  const float* row_scales;  // [group][row]
  const float* row_minima;
  const StripOfGroups& strip;
  const float* output_scales;  // linear_i8 only
};

// total += the sums of group `g`, scaled in the order of scale_group().
template <class Format>
FRUGAL_INLINE void add_scaled(VecF (&total)[kAmxRows], const SumsOfTile& sums, const GroupTile& tile, int64_t g) {
  const GroupScales scales = tile.strip.scales[g];
  FRUGAL_UNROLL
  for (int r = 0; r < kAmxRows; ++r) {
    VecF sum = to_float(_mm512_load_si512(sums + r * kLanes));
    const VecF row_scale = splat(tile.row_scales[g * kAmxRows + r]);
    if constexpr (!Format::kScales) {
      total[r] = mul_add(sum, row_scale, total[r]);
    } else {
      if constexpr (!Format::kRowScaled) sum = sum * row_scale;
      total[r] = mul_add(sum, scales.d, total[r]);
    }
    if constexpr (Format::kMinima) total[r] = mul_add(scales.m, splat(tile.row_minima[g * kAmxRows + r]), total[r]);
  }
}

// A product takes some fifty cycles and its sums some ten more to reach memory, while sixteen rows are scaled in about
// twenty: so a step starts one group, stores the one that was started kStoreAfter steps ago and scales an earlier one.
constexpr int kStoreAfter = 3, kScaleAfter = 5;

template <class Format, int I>
FRUGAL_INLINE void step_group(const GroupTile& tile, int64_t step, SumsOfTile (&sums)[kAmxSums],
                              VecF (&total)[kAmxRows]) {
  if (step < tile.groups)
    multiply_group<I>(tile.x + step * kInputGroup, tile.groups * kInputGroup, tile.strip.codes + step * kAmxGroupCodes);
  const int64_t stored = step - kStoreAfter, scaled = step - kScaleAfter;
  constexpr int kStored = (I + 2 * kAmxSums - kStoreAfter) % kAmxSums;
  constexpr int kScaled = (I + 2 * kAmxSums - kScaleAfter) % kAmxSums;
  if (stored >= 0 && stored < tile.groups) store_group<kStored>(sums[kStored]);
  if (scaled >= 0 && scaled < tile.groups) add_scaled<Format>(total, sums[kScaled], tile, scaled);
}

template <class Format>
void multiply_group_tile(const GroupTile& tile, float* values) {
  alignas(64) SumsOfTile sums[kAmxSums];
  VecF total[kAmxRows];
  FRUGAL_UNROLL
  for (int r = 0; r < kAmxRows; ++r) total[r] = splat(0.0f);
  for (int64_t step = 0; step < tile.groups + kScaleAfter; step += kAmxSums) {
    step_group<Format, 0>(tile, step, sums, total);
    step_group<Format, 1>(tile, step + 1, sums, total);
    step_group<Format, 2>(tile, step + 2, sums, total);
    step_group<Format, 3>(tile, step + 3, sums, total);
  }
  FRUGAL_UNROLL
  for (int r = 0; r < kAmxRows; ++r) {
    if constexpr (!Format::kScales) total[r] = total[r] * load(tile.output_scales);
    if constexpr (Format::kRowScaled) total[r] = total[r] * splat(tile.row_scales[r]);
    store(values + r * kLanes, total[r]);
  }
}

template <class Format>
void multiply_group_tiles(const PackedWeight& weight, const QuantizedRows& x, int64_t panel, int64_t panel_end,
                          const Range& range, const Output& output) {
  const RowLayout layout(x.rows, x.cols);
  const auto block_bytes = static_cast<int64_t>(packed_block_bytes(weight.dtype, weight.inputs));
  const TileShapes shapes(kInputGroup);
  const FactorsOfPanel factors(x, layout, panel, panel_end);
  StripOfGroups prepared;
  alignas(64) float values[kAmxRows * kLanes];
  for (int64_t strip = range.strip_begin; strip < range.strip_end; ++strip) {
    const bool has_minima = prepare<Format>(strip_of(weight, block_bytes, strip), layout.groups, prepared);
    int64_t at = 0;
    for (int64_t row = panel; row < panel_end; row += kAmxRows, at += layout.groups * kAmxRows) {
      const RowsOfTile rows = rows_of_tile(row, panel_end);
      const GroupTile tile{RowOfCodes(x.data, layout, rows.first).codes,
                           layout.groups,
                           factors.scales + at,
                           factors.minima + at,
                           prepared,
                           weight.scales ? weight.scales + strip * kLanes : nullptr};
      if constexpr (Format::kRowScaled) {
        if (has_minima)
          multiply_group_tile<Format>(tile, values);
        else
          multiply_group_tile<FormatI4Centered>(tile, values);
      } else {
        multiply_group_tile<Format>(tile, values);
      }
      write_tile(values, rows, strip, output);
    }
  }
}

// --- choice ---

FRUGAL_INLINE bool worth_tiles(const PackedWeight& weight, int64_t rows) {
  return rows >= kAmxFromRows && weight.padded_inputs() <= kAmxMaxGroups * kInputGroup;
}

void multiply_tiles(const PackedWeight& weight, const QuantizedRows& x, const Range& range, const Output& output) {
  const int64_t rows = range.row_end - range.row_begin;
  const int64_t fitting = kAmxPanelBytes / weight.padded_inputs() / kAmxRows * kAmxRows - kAmxRows;
  const int64_t panels = (rows + fitting - 1) / fitting;
  const int64_t panel_rows = (rows + panels - 1) / panels;
  int64_t end = range.row_begin;
  for (int64_t panel = range.row_begin; panel < range.row_end; panel = end) {
    end = min_of(panel + panel_rows, range.row_end);
    if (range.row_end - end < kAmxRows) end = range.row_end;  // a panel holds one tile more than `fitting`
    if (weight.dtype == DType::linear_i4 && !x.grouped)
      multiply_group_tiles<FormatI4Rows>(weight, x, panel, end, range, output);
    else if (weight.dtype == DType::linear_i4)
      multiply_group_tiles<FormatI4>(weight, x, panel, end, range, output);
    else if (weight.dtype == DType::linear_i8g)
      multiply_group_tiles<FormatI8g>(weight, x, panel, end, range, output);
    else if (x.grouped)
      multiply_group_tiles<FormatI8>(weight, x, panel, end, range, output);
    else
      multiply_row_tiles(weight, x, panel, end, range, output);
  }
}
