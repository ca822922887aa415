#include "base/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace frugal {
namespace {

void resample(std::span<const double> from, std::vector<double>& to, Random& random) {
  to.resize(from.size());
  for (double& value : to) value = from[random.below(from.size())];
}

Interval central(std::vector<double> estimates, double confidence) {
  const double tail = (1 - confidence) / 2 * 100;
  return {percentile(estimates, tail), percentile(estimates, 100 - tail)};
}

}  // namespace

size_t Random::below(size_t count) {
  uint64_t z = state_ += 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return static_cast<size_t>((static_cast<unsigned __int128>(z ^ (z >> 31)) * count) >> 64);
}

double mean(std::span<const double> samples) {
  FRUGAL_CHECK(!samples.empty());
  return std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(samples.size());
}

double standard_deviation(std::span<const double> samples) {
  if (samples.size() == 1) return 0;
  const double center = mean(samples);
  double sum = 0;
  for (double sample : samples) sum += (sample - center) * (sample - center);
  return std::sqrt(sum / static_cast<double>(samples.size() - 1));
}

double percentile(std::span<const double> samples, double p) {
  FRUGAL_CHECK(!samples.empty() && p >= 0 && p <= 100);
  std::vector<double> sorted(samples.begin(), samples.end());
  const double rank = p / 100 * static_cast<double>(sorted.size() - 1);
  const auto lower = sorted.begin() + static_cast<int64_t>(rank);
  std::nth_element(sorted.begin(), lower, sorted.end());
  if (lower + 1 == sorted.end()) return *lower;
  const double upper = *std::min_element(lower + 1, sorted.end());
  return *lower + (rank - std::floor(rank)) * (upper - *lower);
}

double median(std::span<const double> samples) {
  return percentile(samples, 50);
}

double trimmed_mean(std::span<const double> samples, double share) {
  FRUGAL_CHECK(!samples.empty() && share >= 0 && share <= 0.5);
  std::vector<double> sorted(samples.begin(), samples.end());
  // At least the middle one or two samples are kept.
  const auto cut = std::min(static_cast<size_t>(share * static_cast<double>(sorted.size())), (sorted.size() - 1) / 2);
  std::sort(sorted.begin(), sorted.end());
  return mean(std::span(sorted).subspan(cut, sorted.size() - 2 * cut));
}

Interval bootstrap(std::span<const double> samples, const std::function<double(std::span<const double>)>& statistic,
                   double confidence, int resamples, uint64_t seed) {
  FRUGAL_CHECK(!samples.empty());
  Random random(seed);
  std::vector<double> drawn, estimates;
  for (int i = 0; i < resamples; ++i) {
    resample(samples, drawn, random);
    estimates.push_back(statistic(drawn));
  }
  return central(std::move(estimates), confidence);
}

Interval paired_bootstrap(std::span<const double> a, std::span<const double> b, double confidence, int resamples,
                          uint64_t seed) {
  FRUGAL_CHECK(a.size() == b.size());
  std::vector<double> differences;
  for (size_t i = 0; i < a.size(); ++i) differences.push_back(a[i] - b[i]);
  return bootstrap(differences, mean, confidence, resamples, seed);
}

Ratio paired_ratio(std::span<const double> a, std::span<const double> b) {
  FRUGAL_CHECK(a.size() == b.size() && !a.empty());
  constexpr double kTrim = 0.2;
  const auto center = [](std::span<const double> logs) { return std::exp(trimmed_mean(logs, kTrim)); };
  std::vector<double> logs;
  for (size_t i = 0; i < a.size(); ++i) logs.push_back(std::log(a[i] / b[i]));
  return {center(logs), bootstrap(logs, center)};
}

Ratio unpaired_ratio(std::span<const double> a, std::span<const double> b) {
  Random random(1);
  std::vector<double> drawn_a, drawn_b, estimates;
  for (int i = 0; i < kResamples; ++i) {
    resample(a, drawn_a, random);
    resample(b, drawn_b, random);
    estimates.push_back(median(drawn_a) / median(drawn_b));
  }
  return {median(a) / median(b), central(std::move(estimates), 0.95)};
}

std::vector<size_t> outliers(std::span<const double> samples) {
  constexpr double kThreshold = 14.826;
  const double center = median(samples);
  std::vector<double> deviations;
  for (double sample : samples) deviations.push_back(std::fabs(sample - center));
  const double scale = 1.4826 * median(deviations);  // the standard deviation of a normal sample with this deviation
  std::vector<size_t> found;
  for (size_t i = 0; i < deviations.size(); ++i)
    if (scale > 0 && deviations[i] / scale > kThreshold) found.push_back(i);
  return found;
}

Summary summarize(std::span<const double> samples) {
  Summary summary;
  summary.count = static_cast<int64_t>(samples.size());
  summary.mean = mean(samples);
  summary.stddev = standard_deviation(samples);
  summary.median = median(samples);
  summary.p95 = percentile(samples, 95);
  summary.p99 = percentile(samples, 99);
  summary.min = *std::min_element(samples.begin(), samples.end());
  summary.max = *std::max_element(samples.begin(), samples.end());
  summary.median_ci95 = bootstrap(samples, median);
  summary.outliers = outliers(samples);
  return summary;
}

}  // namespace frugal
