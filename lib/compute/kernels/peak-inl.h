// The machine's peak, for benchmarks: the tiles' multiply-adds on registers alone, and loads whose values are not used.
// See isa/region.h for the primitives.

// 6 rows × one byte strip, `steps` times.
int64_t peak_int8_products(int64_t steps) {
  constexpr int64_t kProductsPerStep = kTileRows * kByteStrips * kLanes * 4;
  alignas(64) static constexpr uint8_t kCodes[64] = {1, 2, 3};
  alignas(64) static constexpr typename ByteDot::Input kInputs[4] = {4, 5, 6};
  ByteDot::Acc acc[kTileRows][kByteStrips];
  ByteDot::Weights w = ByteDot::load(kCodes, 0);
  ByteDot::Inputs x = ByteDot::broadcast(kInputs);
  FRUGAL_UNROLL
  for (int r = 0; r < kTileRows; ++r) {
    FRUGAL_UNROLL
    for (int c = 0; c < kByteStrips; ++c) acc[r][c] = ByteDot::start(0);
  }
  for (int64_t i = 0; i < steps; ++i) {
    FRUGAL_UNROLL
    for (int r = 0; r < kTileRows; ++r) {
      FRUGAL_UNROLL
      for (int c = 0; c < kByteStrips; ++c) {
        ByteDot::hide(w, x);  // otherwise the compiler computes the product once
        ByteDot::step(acc[r][c], w, x);
      }
    }
  }
  FRUGAL_UNROLL
  for (int r = 0; r < kTileRows; ++r) {
    FRUGAL_UNROLL
    for (int c = 0; c < kByteStrips; ++c) {
      VecF sum = to_float(ByteDot::finish(acc[r][c]));
      hide(sum);
    }
  }
  return steps * kProductsPerStep;
}

int64_t peak_float_products(int64_t steps) {
  VecF total[kTileRows][kFloatStrips];
  FRUGAL_UNROLL
  for (int r = 0; r < kTileRows; ++r) {
    FRUGAL_UNROLL
    for (int c = 0; c < kFloatStrips; ++c) total[r][c] = splat(0.0f);
  }
  const VecF w = splat(0.5f), x = splat(0.25f);
  for (int64_t i = 0; i < steps; ++i) {
    FRUGAL_UNROLL
    for (int r = 0; r < kTileRows; ++r) {
      FRUGAL_UNROLL
      for (int c = 0; c < kFloatStrips; ++c) {
        total[r][c] = mul_add(w, x, total[r][c]);
        hide(total[r][c]);
      }
    }
  }
  return steps * kTileRows * kFloatStrips * kLanes;
}

void peak_read(const float* p, int64_t count) {
  for (int64_t i = 0; i + 4 * kLanes <= count; i += 4 * kLanes) {
    FRUGAL_UNROLL
    for (int v = 0; v < 4; ++v) {
      VecF value = load(p + i + v * kLanes);
      hide(value);
    }
  }
}
