// A mean over questions with its confidence interval: what reports print.
#pragma once

#include <optional>
#include <span>

#include "base/statistics.h"

namespace frugal {

/// A mean with its 95 % confidence interval (percentile bootstrap).
struct Measure {
  double mean = 0;
  Interval ci95;
};

/// The mean of `values`, resampled one by one; nullopt if there are none.
inline std::optional<Measure> measure_of(std::span<const double> values) {
  if (values.empty()) return std::nullopt;
  const double center = mean(values);
  return Measure{center, bootstrap(values, [](std::span<const double> sample) { return mean(sample); })};
}

}  // namespace frugal
