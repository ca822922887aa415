// The kernels for AVX-512 with VNNI and AMX (Sapphire Rapids 2023): the integer products of many rows are those of
// tiles.
#include "compute/kernels/isa/region.h"

#if defined(__x86_64__)

#if defined(__clang__)
#pragma clang attribute push(                                                                                 \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,amx-tile,amx-int8"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,amx-tile,amx-int8")
#endif

namespace frugal::kernels {
namespace {

#define FRUGAL_TILES 1
#include "compute/kernels/isa/avx512-inl.h"

#include "compute/kernels/table-inl.h"

constexpr KernelTable kTable = make_table(Isa::amx);

}  // namespace

const KernelTable& amx_table() {
  return kTable;
}

}  // namespace frugal::kernels

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif  // __x86_64__
