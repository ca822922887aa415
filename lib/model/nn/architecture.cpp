#include "model/nn/architecture.h"

namespace frugal {

int64_t source_row(const TensorSpec& spec, int64_t row) {
  if (spec.unpermute_heads == 0) return row;
  // In the file a head's rows alternate between its two halves: row half · width/2 + j lies at 2 · j + half.
  const int64_t width = spec.shape[0] / spec.unpermute_heads;
  const int64_t in_head = row % width;
  const int64_t half = in_head / (width / 2);
  return row - in_head + 2 * (in_head % (width / 2)) + half;
}

void read_planned_rows(const TensorSpec& spec, const SourceTensor& source, int64_t first, std::span<float> rows) {
  const auto cols = static_cast<size_t>(source.shape.cols());
  if (spec.unpermute_heads == 0) {
    read_rows_f32(source, first, static_cast<int64_t>(rows.size() / cols), rows);
  } else {
    for (size_t r = 0; r < rows.size() / cols; ++r)
      read_rows_f32(source, source_row(spec, first + static_cast<int64_t>(r)), 1, rows.subspan(r * cols, cols));
  }
  if (spec.offset != 0)
    for (float& value : rows) value += spec.offset;
}

namespace {

// True for [1, rows, cols] and [rows, cols].
bool is_first_of_one(const Shape& source, const Shape& planned) {
  return source.rank() == 3 && source[0] == 1 && Shape{source[1], source[2]} == planned;
}

}  // namespace

bool has_planned_shape(const SourceTensor& source, const TensorSpec& spec) {
  if (source.shape == spec.shape || is_first_of_one(source.shape, spec.shape)) return true;
  const bool same_rows = source.shape[0] == spec.shape[0] && source.shape.elements() == spec.shape.elements();
  if (spec.role == TensorRole::linear) return source.shape.rank() == 4 && same_rows;
  return spec.role == TensorRole::vector && source.shape.rows() == 1 && spec.shape.rows() == 1 &&
         source.shape.cols() == spec.shape.cols();
}

}  // namespace frugal
