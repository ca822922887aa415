// Milliseconds that each stage takes, over many questions.
#pragma once

#include <string_view>
#include <vector>

#include "rag/reply/reply.h"

namespace frugal {

/// Mean, median and 95th percentile, in milliseconds.
struct StageTime {
  std::string_view stage;
  double mean = 0, p50 = 0, p95 = 0;
  bool operator==(const StageTime&) const = default;
};

class StageTimes {
 public:
  /// Adds the times of one question.
  void add(const Timings& timings);
  /// The stages that took time for any question, in the order of the pipeline, then "total"; empty before the first
  /// add().
  std::vector<StageTime> summary() const;

 private:
  std::vector<Timings> questions_;
};

/// The names that summary() can return, in its order.
std::vector<std::string_view> timed_stages();

}  // namespace frugal
