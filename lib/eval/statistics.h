// What samples say and how sure they are: percentiles for latencies, bootstrap intervals for comparisons.
// Not a statistics package; deterministic, so that the same samples print the same report.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace frugal {

/// All of these throw Error(internal) for no samples.
double mean(std::span<const double> samples);
/// Of the samples as they are spread, n − 1 in the denominator; 0 for a single one.
double standard_deviation(std::span<const double> samples);
/// The p-th percentile, p from 0 to 100, interpolated linearly between ranks (type 7 of Hyndman & Fan 1996, numpy's
/// default).
double percentile(std::span<const double> samples, double p);
double median(std::span<const double> samples);

struct Interval {
  double low = 0;
  double high = 0;
};

constexpr int kResamples = 2000;  // the ends of a 95 % interval move by about 1 % of its width between seeds

/// Percentile bootstrap (Efron & Tibshirani 1993) of any statistic of one sample.
Interval bootstrap(std::span<const double> samples, const std::function<double(std::span<const double>)>& statistic,
                   double confidence = 0.95, int resamples = kResamples, uint64_t seed = 1);
/// Of mean(a) − mean(b), where a[i] and b[i] belong together (the same question under two settings).
Interval paired_bootstrap(std::span<const double> a, std::span<const double> b, double confidence = 0.95,
                          int resamples = kResamples, uint64_t seed = 1);
/// Of median(a) / median(b), where the two were sampled independently.
Interval bootstrap_ratio(std::span<const double> a, std::span<const double> b, double confidence = 0.95,
                         int resamples = kResamples, uint64_t seed = 1);

struct Summary {
  int64_t count = 0;
  double mean = 0, stddev = 0, median = 0, p95 = 0, p99 = 0, min = 0, max = 0;
  Interval median_ci95;
  int64_t outliers =
      0;  // flagged, not dropped: modified z-score above 14.826 (Iglewicz & Hoaglin 1993, as hyperfine sets it)
};
Summary summarize(std::span<const double> samples);

}  // namespace frugal
