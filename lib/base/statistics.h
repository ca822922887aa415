// Statistics of samples: percentiles for latencies, bootstrap intervals for comparisons. Deterministic: the same
// samples give the same report. Not a statistics package.
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
  /// Uniform over 0 to count − 1.
  size_t below(size_t count);

 private:
  uint64_t state_;
};

/// These functions throw Error(internal) for an empty sample.
double mean(std::span<const double> samples);
/// Sample standard deviation, with n − 1 in the denominator; 0 for a single sample.
double standard_deviation(std::span<const double> samples);
/// The p-th percentile, p from 0 to 100, interpolated linearly between ranks (type 7 of Hyndman & Fan 1996, numpy's
/// default).
double percentile(std::span<const double> samples, double p);
double median(std::span<const double> samples);
/// Mean without the lowest and the highest `share` of the samples, 0 to 0.5. Nearly as precise as the mean without
/// outliers, and not moved by them.
double trimmed_mean(std::span<const double> samples, double share);

struct Interval {
  double low = 0;
  double high = 0;
};

constexpr int kResamples = 2000;  // the ends of a 95 % interval move by about 1 % of its width between seeds

/// Percentile bootstrap (Efron & Tibshirani 1993) of any statistic of one sample.
Interval bootstrap(std::span<const double> samples, const std::function<double(std::span<const double>)>& statistic,
                   double confidence = 0.95, int resamples = kResamples, uint64_t seed = 1);
/// Interval of mean(a) − mean(b), where a[i] and b[i] belong together (the same question under two settings).
Interval paired_bootstrap(std::span<const double> a, std::span<const double> b, double confidence = 0.95,
                          int resamples = kResamples, uint64_t seed = 1);

/// The ratio a / b with its 95 % bootstrap interval.
struct Ratio {
  double value = 1;
  Interval ci95;
};
/// Ratio of paired samples: exp of the 20 % trimmed mean of log(a[i] / b[i]); pairs are resampled whole. Effects on
/// both samples of a pair (a hard question, a busy moment) cancel out. All samples must be above 0.
Ratio paired_ratio(std::span<const double> a, std::span<const double> b);
/// median(a) / median(b), for two independent samples.
Ratio unpaired_ratio(std::span<const double> a, std::span<const double> b);

/// Indices of the samples whose modified z-score, |x − median| / (1.4826 · median |x − median|), is above 14.826
/// (Iglewicz & Hoaglin 1993 with hyperfine's threshold). They are flagged, not dropped.
std::vector<size_t> outliers(std::span<const double> samples);

struct Summary {
  int64_t count = 0;
  double mean = 0, stddev = 0, median = 0, p95 = 0, p99 = 0, min = 0, max = 0;
  Interval median_ci95;
  std::vector<size_t> outliers;
};
Summary summarize(std::span<const double> samples);

}  // namespace frugal
