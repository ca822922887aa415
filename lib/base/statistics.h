// What samples say and how sure they are: percentiles for latencies, bootstrap intervals for comparisons.
// Not a statistics package; deterministic, so that the same samples print the same report.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace frugal {

/// SplitMix64 (Steele, Lea & Flood 2014): the standard library's distributions differ between implementations.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  /// Evenly from 0 to count − 1.
  size_t below(size_t count);

 private:
  uint64_t state_;
};

/// All of these throw Error(internal) for no samples.
double mean(std::span<const double> samples);
/// Of the samples as they are spread, n − 1 in the denominator; 0 for a single one.
double standard_deviation(std::span<const double> samples);
/// The p-th percentile, p from 0 to 100, interpolated linearly between ranks (type 7 of Hyndman & Fan 1996, numpy's
/// default).
double percentile(std::span<const double> samples, double p);
double median(std::span<const double> samples);
/// Mean without the `share` lowest and the `share` highest samples, from 0 to 0.5: nearly as sharp as the mean where
/// there is no outlier, and not moved by them where there are.
double trimmed_mean(std::span<const double> samples, double share);

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

/// How many times b is a, with its 95 % bootstrap interval.
struct Ratio {
  double value = 1;
  Interval ci95;
};
/// Of pairs that belong together: exp of the 20 % trimmed mean of log(a[i] / b[i]), pairs resampled whole. What both of
/// a pair met (a hard question, a busy moment) cancels out. All samples above 0.
Ratio paired_ratio(std::span<const double> a, std::span<const double> b);
/// Of median(a) / median(b), where the two were sampled independently.
Ratio unpaired_ratio(std::span<const double> a, std::span<const double> b);

/// Positions of the samples whose modified z-score, |x − median| / (1.4826 · median |x − median|), is above 14.826
/// (Iglewicz & Hoaglin 1993 with hyperfine's threshold): flagged, not dropped.
std::vector<size_t> outliers(std::span<const double> samples);

struct Summary {
  int64_t count = 0;
  double mean = 0, stddev = 0, median = 0, p95 = 0, p99 = 0, min = 0, max = 0;
  Interval median_ci95;
  std::vector<size_t> outliers;
};
Summary summarize(std::span<const double> samples);

}  // namespace frugal
