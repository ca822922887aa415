// Numbers the tasks of several grids without gaps, so that one parallel loop covers them all. Each grid is a part: a
// layer of a call, or a sequence of a batch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace frugal {

class TaskGrid {
 public:
  struct Task {
    size_t part = 0;
    int64_t outer = 0, inner = 0;  // inner varies fastest
  };

  explicit TaskGrid(size_t parts) { parts_.reserve(parts); }
  /// Appends a part of outer × inner tasks, perhaps 0.
  void add(int64_t outer, int64_t inner) {
    parts_.push_back({tasks_, inner});
    tasks_ += outer * inner;
  }
  int64_t tasks() const { return tasks_; }
  /// The task of that number, in [0, tasks()).
  Task at(int64_t task) const {
    const auto after = std::upper_bound(parts_.begin(), parts_.end(), task,
                                        [](int64_t number, const Part& part) { return number < part.first_task; });
    const Part& part = *(after - 1);
    const int64_t local = task - part.first_task;
    return {static_cast<size_t>(after - parts_.begin()) - 1, local / part.inner, local % part.inner};
  }

 private:
  struct Part {
    int64_t first_task, inner;
  };
  std::vector<Part> parts_;
  int64_t tasks_ = 0;
};

}  // namespace frugal
