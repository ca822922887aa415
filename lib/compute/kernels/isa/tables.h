// The tables that this build may hold, one an instruction set. Private to kernels/: others call kernels::table().
#pragma once

#include "compute/kernels/kernels.h"

namespace frugal::kernels {

const Table& scalar_table();
#if defined(__x86_64__)
const Table& avx2_table();
const Table& avx512vnni_table();
#endif

}  // namespace frugal::kernels
