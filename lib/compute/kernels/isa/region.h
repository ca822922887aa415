// Included by every isa/*.cpp before it opens its target region: all headers that the bodies (*-inl.h) use, so that no
// function of the standard library is compiled for a stronger instruction set than the build's baseline.
//
// A body is included inside `namespace frugal::kernels { namespace {`, after the primitives of its instruction set:
//
// clang-format off
//   VecF, VecI, kLanes                        vector of floats, vector of int32, their length; + − · / are native
//   splat, load, load_n, store, store_n       _n: the first n lanes, 0 ≤ n ≤ kLanes; the others read as 0, are not written
//   load_halves, store_halves                 kLanes binary16 values: widened; rounded to nearest even
//   load_codes                                kLanes int8 values, as floats
//   mul_add(a, b, c)                          a·b + c
//   vmax, vmin, vabs, vsqrt, hsum, hmax
//   select_less(a, b, yes, no)
//   round_int, to_float, exp2i                to nearest even; exp2i(n) = 2^n for n in [−126, 127]
//   transpose_block                           kLanes × kLanes of a matrix
//   quantize_group                            32 floats to codes; returns their sum
//   ByteDot, NibbleDot                        the integer products: see linear_tile-inl.h
//   dot_i8                                    one exact int8 dot product
//   WideDot, widen_group, kWidensNibbles      if FRUGAL_WIDENS is defined: see wide-inl.h
//   AMX                                       if FRUGAL_TILES is defined: see tiles-inl.h
//   kWideInputs, kByteStrips, …               tile shapes that fit its registers
// clang-format on
#pragma once

#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "compute/kernels/isa/tables.h"
#include "compute/kernels/kernels.h"
#include "compute/tensor/dtype.h"
#include "compute/tensor/packed.h"

#if defined(__GNUC__) && !defined(__clang__)
// Vectors are passed between functions of one region only, so that there is no ABI to change; and GCC 12's own AVX-512
// headers start from a deliberately uninitialised vector (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wpsabi"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

// A tile stays in registers only if its loops are fully unrolled, which -O2 alone does not promise.
#if defined(__clang__)
#define FRUGAL_UNROLL _Pragma("clang loop unroll(full)")
#else
#define FRUGAL_UNROLL _Pragma("GCC unroll 16")
#endif
// The inline-assembly constraint of a vector register.
#if defined(__aarch64__)
#define FRUGAL_VECTOR_REGISTER "+w"
#else
#define FRUGAL_VECTOR_REGISTER "+v"
#endif
// Keeps an accumulator in one register and its additions in the order written. GCC reassociates integer sums into trees
// that spill (170 × 384 × 1,536 on Zen 3: 78 GOP/s without, 131 with).
#define FRUGAL_KEEP(acc) asm("" : FRUGAL_VECTOR_REGISTER(acc))
#define FRUGAL_INLINE inline __attribute__((always_inline, unused))
