#include "compute/ops/gather.h"

#include "base/error.h"
#include "compute/tensor/dtype.h"

namespace frugal {

void gather_rows(ConstView table, std::span<const float> row_scales, std::span<const int32_t> ids, View out,
                 bool accumulate) {
  FRUGAL_CHECK(out.rows() == int64_t(ids.size()) && out.cols() == table.cols());
  const int64_t features = table.cols();
  for (int64_t t = 0; t < out.rows(); ++t) {
    const int64_t id = ids[static_cast<size_t>(t)];
    FRUGAL_CHECK(id >= 0 && id < table.rows());
    float* to = out.row<float>(t);
    const auto put = [&](auto value_at) {
      for (int64_t i = 0; i < features; ++i) to[i] = accumulate ? to[i] + value_at(i) : value_at(i);
    };
    switch (table.dtype) {
      case DType::f32:
        put([row = table.row<float>(id)](int64_t i) { return row[i]; });
        break;
      case DType::f16:
        put([row = table.row<uint16_t>(id)](int64_t i) { return f16_to_f32(row[i]); });
        break;
      case DType::i8:
        put([row = table.row<int8_t>(id), scale = row_scales[static_cast<size_t>(id)]](int64_t i) {
          return scale * float(row[i]);
        });
        break;
      default:
        FRUGAL_CHECK(!"an embedding table is f32, f16 or i8");
    }
  }
}

}  // namespace frugal
