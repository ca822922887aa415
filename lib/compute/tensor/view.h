// A borrowed tensor: pointer, type, shape. Copying a View copies no data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "base/error.h"
#include "compute/tensor/dtype.h"

namespace frugal {

/// Up to four dimensions, outermost first. Dimensions are positive: sizes from files are checked before a Shape is
/// made.
class Shape {
 public:
  static constexpr int kMaxRank = 4;
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const int64_t> dims);

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return dims_[static_cast<size_t>(i)]; }
  int64_t elements() const;
  /// All dimensions but the last, multiplied; 1 for a vector.
  int64_t rows() const { return rank_ == 0 ? 0 : elements() / cols(); }
  int64_t cols() const { return rank_ == 0 ? 0 : dims_[static_cast<size_t>(rank_ - 1)]; }
  bool operator==(const Shape& other) const = default;
  std::string to_string() const;  // "[30522, 384]"

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

/// Row-major. Rows may be further apart than they are long (row_stride, in elements).
struct View {
  void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;
  int64_t row_stride = 0;  // 0 means dense: shape.cols()

  View() = default;
  View(void* data_, DType dtype_, Shape shape_, int64_t row_stride_ = 0)
      : data(data_), dtype(dtype_), shape(shape_), row_stride(row_stride_ ? row_stride_ : shape_.cols()) {}

  int64_t rows() const { return shape.rows(); }
  int64_t cols() const { return shape.cols(); }
  bool dense() const { return row_stride == shape.cols(); }
  explicit operator bool() const { return data != nullptr; }

  /// Typed pointer to a row. Checks neither type nor index: it is called inside loops.
  template <typename T = float>
  T* row(int64_t r) const {
    return static_cast<T*>(data) + r * row_stride;
  }
  /// Columns [begin, begin + count) of every row, sharing the memory.
  View columns(int64_t begin, int64_t count) const;
  /// Rows [begin, begin + count), as a matrix.
  View slice_rows(int64_t begin, int64_t count) const;
};

/// A View whose data is only read: a table in a file that is mapped.
struct ConstView {
  const void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;
  int64_t row_stride = 0;

  ConstView() = default;
  ConstView(const void* data_, DType dtype_, Shape shape_)
      : data(data_), dtype(dtype_), shape(shape_), row_stride(shape_.cols()) {}
  ConstView(const View& view)  // NOLINT(google-explicit-constructor): what may be written may be read
      : data(view.data), dtype(view.dtype), shape(view.shape), row_stride(view.row_stride) {}

  int64_t rows() const { return shape.rows(); }
  int64_t cols() const { return shape.cols(); }
  explicit operator bool() const { return data != nullptr; }

  /// As View::row().
  template <typename T = float>
  const T* row(int64_t r) const {
    return static_cast<const T*>(data) + r * row_stride;
  }
  /// The bytes of a row of a table. There must be one.
  std::span<const std::byte> row_bytes(int64_t r) const {
    FRUGAL_CHECK(r >= 0 && r < rows());
    const size_t element = element_bytes(dtype);
    return {static_cast<const std::byte*>(data) + static_cast<size_t>(r * row_stride) * element,
            static_cast<size_t>(cols()) * element};
  }
};

}  // namespace frugal
