#include "eval/statistics.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "base/error.h"

using namespace frugal;
using doctest::Approx;

TEST_CASE("percentiles interpolate between ranks as numpy does") {
  const std::vector<double> samples = {15, 20, 35, 40, 50};  // numpy.percentile(samples, [0, 5, 30, 40, 50, 95, 100])
  CHECK(percentile(samples, 0) == 15);
  CHECK(percentile(samples, 5) == Approx(16));
  CHECK(percentile(samples, 30) == Approx(23));
  CHECK(percentile(samples, 40) == Approx(29));
  CHECK(median(samples) == 35);
  CHECK(percentile(samples, 95) == Approx(48));
  CHECK(percentile(samples, 100) == 50);
  CHECK(median(std::vector<double>{4, 1}) == 2.5);
  CHECK(percentile(std::vector<double>{7}, 99) == 7);
}

TEST_CASE("no samples are an error of the caller") {
  CHECK_THROWS_AS(median({}), Error);
  CHECK_THROWS_AS(mean({}), Error);
  CHECK_THROWS_AS(summarize({}), Error);
}

TEST_CASE("a bootstrap interval of the mean agrees with the normal theory") {
  std::vector<double> samples;
  for (int i = 0; i < 400; ++i) samples.push_back(i % 20);  // uniform on 0…19: mean 9.5, deviation 5.77
  const Interval interval = bootstrap(samples, mean);
  const double half_width = 1.96 * standard_deviation(samples) / std::sqrt(400.0);
  CHECK(interval.low == Approx(9.5 - half_width).epsilon(0.02));
  CHECK(interval.high == Approx(9.5 + half_width).epsilon(0.02));
}

TEST_CASE("pairing shows a small constant gain that the spread of the questions would hide") {
  std::vector<double> a, b;
  for (int i = 0; i < 100; ++i) {
    b.push_back((i * 37 % 100) / 100.0);
    a.push_back(b.back() + 0.01 + (i % 2 ? 0.001 : -0.001));
  }
  const Interval interval = paired_bootstrap(a, b);
  CHECK(interval.low > 0.0095);
  CHECK(interval.high < 0.0105);
}

TEST_CASE("a ratio of medians covers 1 for equal samples and excludes it for a doubled one") {
  std::vector<double> a, twice;
  for (int i = 0; i < 50; ++i) a.push_back(100 + i * 17 % 10);
  for (double sample : a) twice.push_back(2 * sample);
  const Interval same = bootstrap_ratio(a, a), doubled = bootstrap_ratio(twice, a);
  CHECK(same.low <= 1);
  CHECK(same.high >= 1);
  CHECK(doubled.low > 1.9);
  CHECK(doubled.high < 2.1);
}

TEST_CASE("a summary flags an outlier and keeps it") {
  std::vector<double> samples = {10, 11, 10, 12, 11, 10, 11, 500};
  const Summary summary = summarize(samples);
  CHECK(summary.outliers == 1);
  CHECK(summary.max == 500);
  CHECK(summary.count == 8);
  CHECK(summary.median == 11);
  CHECK(summary.median_ci95.low <= 11);
  CHECK(summary.median_ci95.high >= 11);
}
