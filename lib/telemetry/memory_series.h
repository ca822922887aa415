// A process's memory over time, in bounded space, for drawing a timeline.
// Not a log: if there are more readings than points, neighbours merge into one point with the largest of each figure,
// so no peak is lost, but its time becomes less exact.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace frugal {

struct MemoryPoint {
  int64_t time_ns = 0;  // of the steady clock
  uint64_t anon_with_swap_bytes = 0;
  uint64_t file_bytes = 0;
  uint64_t shared_bytes = 0;
};

class MemorySeries {
 public:
  /// `capacity` is even and at least 2. 2,048 points of 32 bytes are 64 KiB, more than a picture has pixels.
  explicit MemorySeries(size_t capacity = 2048);

  /// Times must not decrease.
  void add(const MemoryPoint& point);
  /// At most `capacity`.
  const std::vector<MemoryPoint>& points() const { return points_; }

 private:
  void halve();

  size_t capacity_;
  size_t readings_a_point_ = 1;
  size_t readings_in_last_ = 0;
  std::vector<MemoryPoint> points_;
};

}  // namespace frugal
