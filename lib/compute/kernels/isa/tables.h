// The tables of this build, one per instruction set. Private to kernels/: other rooms call kernels::table().
#pragma once

#include "compute/kernels/kernels.h"

namespace frugal::kernels {

const KernelTable& scalar_table();
#if defined(__x86_64__)
const KernelTable& avx2_table();
const KernelTable& avx512vnni_table();
const KernelTable& amx_table();
#endif

}  // namespace frugal::kernels
