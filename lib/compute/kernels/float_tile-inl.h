// The fp32 matrix product of linear layers and attention: a tile of rows × strips kept in registers. A strip is kLanes
// neighbouring outputs. See isa/region.h for the primitives.

constexpr int kTileRows = 6;  // 6 × 2 AVX2 vectors, 2 of weights and 1 of input are 15 of 16 registers
constexpr int kFloatStrips = 2;

// Splits rows into as few tiles as possible, of sizes as even as possible: no tile is left with a single row.
class RowTiles {
 public:
  explicit RowTiles(int64_t rows, int max_rows = kTileRows) {
    const int64_t tiles = (rows + max_rows - 1) / max_rows;
    if (tiles == 0) return;
    smaller_ = static_cast<int>(rows / tiles);
    larger_tiles_ = rows - smaller_ * tiles;
  }
  // Rows of the next tile. Call it at most once per tile.
  int next() { return larger_tiles_-- > 0 ? smaller_ + 1 : smaller_; }

 private:
  int smaller_ = 0;
  int64_t larger_tiles_ = 0;
};

// Calls tile(Constant<rows>): turns a number of rows from 1 to Most, known at run time, into a constant.
template <int Most = kTileRows, class Tile>
FRUGAL_INLINE void with_rows(int rows, const Tile& tile) {
  if constexpr (Most > 1) {
    if (rows < Most) return with_rows<Most - 1>(rows, tile);
  }
  tile(Constant<Most>());
}

struct F32Weights {
  using Element = float;
  static constexpr int64_t kBytes = 4;
  static FRUGAL_INLINE VecF load_strip(const std::byte* p) { return load(reinterpret_cast<const float*>(p)); }
};
struct F16Weights {
  using Element = uint16_t;
  static constexpr int64_t kBytes = 2;
  static FRUGAL_INLINE VecF load_strip(const std::byte* p) { return load_halves(reinterpret_cast<const uint16_t*>(p)); }
};

struct I8Weights {
  using Element = int8_t;
  static constexpr int64_t kBytes = 1;
  static FRUGAL_INLINE VecF load_strip(const std::byte* p) { return load_codes(reinterpret_cast<const int8_t*>(p)); }
};

// sums[r, c·kLanes + lane] (+)= Σ_i x[r, i] · weight, where input i of strip c lies at strips[c] + i · step_bytes.
template <class Weights, int R, int C>
void float_tile(const float* x, int64_t x_stride, const std::byte* const* strips, int64_t step_bytes, int64_t depth,
                float* sums, int64_t sums_stride, bool accumulate) {
  const float* row[R];
  const std::byte* strip[C];
  VecF total[R][C];
  FRUGAL_UNROLL
  for (int r = 0; r < R; ++r) {
    row[r] = x + r * x_stride;
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c) total[r][c] = accumulate ? load(sums + r * sums_stride + c * kLanes) : splat(0.0f);
  }
  FRUGAL_UNROLL
  for (int c = 0; c < C; ++c) strip[c] = strips[c];
  for (int64_t i = 0; i < depth; ++i) {
    VecF w[C];
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c) {
      w[c] = Weights::load_strip(strip[c]);
      strip[c] += step_bytes;
    }
    FRUGAL_UNROLL
    for (int r = 0; r < R; ++r) {
      const VecF input = splat(row[r][i]);
      FRUGAL_UNROLL
      for (int c = 0; c < C; ++c) total[r][c] = mul_add(w[c], input, total[r][c]);
    }
  }
  FRUGAL_UNROLL
  for (int r = 0; r < R; ++r) {
    FRUGAL_UNROLL
    for (int c = 0; c < C; ++c) store(sums + r * sums_stride + c * kLanes, total[r][c]);
  }
}
