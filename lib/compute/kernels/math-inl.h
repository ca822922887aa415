// Elementary functions and activations over whole vectors. Coefficients are minimax fits (Lawson-weighted least squares
// in double, relative error), rounded to float; the errors named below are those of the fit. See isa/region.h for the
// primitives.

constexpr float kExpLowest = -87.33f;  // exp of less is subnormal; clamped, so that 2^n stays a normal number
constexpr float kExpHighest = 88.37f;

// e^x = 2^n · e^r with |r| ≤ ln 2 / 2; e^r = 1 + r + r²·P(r), relative error 3e-9 before rounding.
FRUGAL_INLINE VecF vexp(VecF x) {
  x = vmin(vmax(x, splat(kExpLowest)), splat(kExpHighest));
  const VecI n = round_int(x * splat(1.44269504f));
  const VecF whole = to_float(n);
  // ln 2 in two parts: the first has so few bits that its product with n is exact.
  VecF r = mul_add(whole, splat(-0.693359375f), x);
  r = mul_add(whole, splat(2.12194440e-4f), r);
  VecF p = splat(1.3814467e-3f);
  p = mul_add(p, r, splat(8.3687808e-3f));
  p = mul_add(p, r, splat(4.1668393e-2f));
  p = mul_add(p, r, splat(1.6666520e-1f));
  p = mul_add(p, r, splat(0.5f));
  return mul_add(p, r * r, r + splat(1.0f)) * exp2i(n);
}

// gelu(x) = max(x, 0) − a·Q(a) with a = |x| and Q(a) = erfc(a/√2)/2 = e^(−a²/2)·t·P(t), t = 1/(1 + 0.3 a): the tail
// keeps its relative precision (2e-7 of the fit; e^(−a²/2) adds up to 5e-6 where gelu is below 1e-30).
FRUGAL_INLINE VecF gelu_erf(VecF x) {
  const VecF a = vmin(vabs(x), splat(14.0f));
  const VecF t = splat(1.0f) / mul_add(a, splat(0.3f), splat(1.0f));
  VecF p = splat(3.5727829e-2f);
  p = mul_add(p, t, splat(-1.5742424e-1f));
  p = mul_add(p, t, splat(2.0673475e-1f));
  p = mul_add(p, t, splat(-5.4034673e-2f));
  p = mul_add(p, t, splat(1.2874739e-1f));
  p = mul_add(p, t, splat(9.9857189e-2f));
  p = mul_add(p, t, splat(1.2076297e-1f));
  p = mul_add(p, t, splat(1.1962871e-1f));
  const VecF tail = vexp(a * a * splat(-0.5f)) * (p * t);
  return vmax(x, splat(0.0f)) - a * tail;
}

// x · σ(x).
FRUGAL_INLINE VecF silu_of(VecF x) {
  return x / (splat(1.0f) + vexp(splat(0.0f) - x));
}

// x · σ(1.702 x).
FRUGAL_INLINE VecF quick_gelu_of(VecF x) {
  return x / (splat(1.0f) + vexp(x * splat(-1.702f)));
}

// x/2 · (1 + tanh u) = x / (1 + e^(−2u)) with u = √(2/π)·(x + 0.044715 x³).
FRUGAL_INLINE VecF gelu_tanh_of(VecF x) {
  const VecF twice_u = x * mul_add(x * x, splat(2 * 0.79788456f * 0.044715f), splat(2 * 0.79788456f));
  return x / (splat(1.0f) + vexp(splat(0.0f) - twice_u));
}

// Near 0, x + x³·P(x²) (1.2e-7); elsewhere 1 − 2/(e^(2x) + 1), which cancels there.
FRUGAL_INLINE VecF tanh_of(VecF x) {
  const VecF square = x * x;
  VecF p = splat(1.5178510e-2f);
  p = mul_add(p, square, splat(-5.1936783e-2f));
  p = mul_add(p, square, splat(1.3307957e-1f));
  p = mul_add(p, square, splat(-3.3332330e-1f));
  const VecF small = mul_add(p * square, x, x);
  const VecF large = splat(1.0f) - splat(2.0f) / (vexp(x + x) + splat(1.0f));
  return select_less(vabs(x), splat(0.625f), small, large);
}

FRUGAL_INLINE VecF relu_of(VecF x) {
  return vmax(x, splat(0.0f));
}

// Calls use(f) with the function that `kind` names, so that loops are compiled once for each.
template <class Use>
FRUGAL_INLINE void with_activation(Activation kind, const Use& use) {
  switch (kind) {
    case Activation::gelu:
      use([](VecF x) { return gelu_erf(x); });
      return;
    case Activation::gelu_tanh:
      use([](VecF x) { return gelu_tanh_of(x); });
      return;
    case Activation::silu:
      use([](VecF x) { return silu_of(x); });
      return;
    case Activation::relu:
      use([](VecF x) { return relu_of(x); });
      return;
    case Activation::tanh:
      use([](VecF x) { return tanh_of(x); });
      return;
    case Activation::quick_gelu:
      use([](VecF x) { return quick_gelu_of(x); });
      return;
    case Activation::none:
      use([](VecF x) { return x; });
      return;
  }
}

FRUGAL_INLINE int64_t min_of(int64_t a, int64_t b) {
  return a < b ? a : b;
}
FRUGAL_INLINE int64_t max_of(int64_t a, int64_t b) {
  return a > b ? a : b;
}
