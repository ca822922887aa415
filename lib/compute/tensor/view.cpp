#include "compute/tensor/view.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace frugal {

Shape::Shape(std::span<const int64_t> dims) : rank_(static_cast<int>(dims.size())) {
  FRUGAL_CHECK(dims.size() <= size_t(kMaxRank));
  std::copy(dims.begin(), dims.end(), dims_.begin());
}

int64_t Shape::elements() const {
  if (rank_ == 0) return 0;
  int64_t product = 1;
  for (int i = 0; i < rank_; ++i) product *= (*this)[i];
  return product;
}

std::string Shape::to_string() const {
  return fmt::format("[{}]", fmt::join(std::span(dims_.data(), static_cast<size_t>(rank_)), ", "));
}

View View::columns(int64_t begin, int64_t count) const {
  FRUGAL_CHECK(begin >= 0 && count >= 0 && begin + count <= cols());
  std::byte* base = static_cast<std::byte*>(data) + static_cast<uint64_t>(begin) * element_bytes(dtype);
  return View(base, dtype, Shape{rows(), count}, row_stride);
}

View View::slice_rows(int64_t begin, int64_t count) const {
  FRUGAL_CHECK(begin >= 0 && count >= 0 && begin + count <= rows());
  std::byte* base = static_cast<std::byte*>(data) + static_cast<uint64_t>(begin * row_stride) * element_bytes(dtype);
  return View(base, dtype, Shape{count, cols()}, row_stride);
}

}  // namespace frugal
