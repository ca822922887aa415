#include "telemetry/memory_series.h"

#include <algorithm>

#include "base/error.h"

namespace frugal {
namespace {

// The place in time is that of the larger anonymous figure, the headline.
void merge(MemoryPoint& into, const MemoryPoint& point) {
  if (point.anon_with_swap_bytes >= into.anon_with_swap_bytes) into.time_ns = point.time_ns;
  into.anon_with_swap_bytes = std::max(into.anon_with_swap_bytes, point.anon_with_swap_bytes);
  into.file_bytes = std::max(into.file_bytes, point.file_bytes);
  into.shared_bytes = std::max(into.shared_bytes, point.shared_bytes);
}

}  // namespace

MemorySeries::MemorySeries(size_t capacity) : capacity_(capacity) {
  FRUGAL_CHECK(capacity >= 2 && capacity % 2 == 0);
  points_.reserve(capacity);  // now, and not while it is measured
}

void MemorySeries::add(const MemoryPoint& point) {
  if (!points_.empty() && readings_in_last_ < readings_a_point_) {
    merge(points_.back(), point);
    ++readings_in_last_;
    return;
  }
  if (points_.size() == capacity_) halve();
  points_.push_back(point);
  readings_in_last_ = 1;
}

void MemorySeries::halve() {
  for (size_t i = 0; i < capacity_ / 2; ++i) {
    points_[i] = points_[2 * i];
    merge(points_[i], points_[2 * i + 1]);
  }
  points_.resize(capacity_ / 2);
  readings_a_point_ *= 2;
}

}  // namespace frugal
