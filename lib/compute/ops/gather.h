// Look-up of embedding rows in the host's memory, shared by the backends: a device receives only the rows that are
// used.
#pragma once

#include <cstdint>
#include <span>

#include "compute/tensor/view.h"

namespace frugal {

/// out[t] = table row ids[t] as fp32 (+ out[t] if accumulate). table: f32, f16 or i8 with row scales, [rows, features];
/// out: [ids, features]. Throws Error(internal) for an id outside the table.
void gather_rows(ConstView table, std::span<const float> row_scales, std::span<const int32_t> ids, View out,
                 bool accumulate);

}  // namespace frugal
