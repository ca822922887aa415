#include "base/statistics.h"

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
  const Ratio same = unpaired_ratio(a, a), doubled = unpaired_ratio(twice, a);
  CHECK(same.ci95.low <= 1);
  CHECK(same.ci95.high >= 1);
  CHECK(doubled.value == Approx(2));
  CHECK(doubled.ci95.low > 1.9);
  CHECK(doubled.ci95.high < 2.1);
}

TEST_CASE("a trimmed mean is the mean of what is left of the sorted samples") {
  const std::vector<double> samples = {9, 1, 2, 100, 3, 4, 5, 6, 7, -50};
  CHECK(trimmed_mean(samples, 0) == Approx(8.7));
  CHECK(trimmed_mean(samples, 0.1) == Approx((1 + 2 + 3 + 4 + 5 + 6 + 7 + 9) / 8.0));
  CHECK(trimmed_mean(samples, 0.2) == Approx((2 + 3 + 4 + 5 + 6 + 7) / 6.0));
  CHECK(trimmed_mean(samples, 0.5) == Approx(4.5));  // the median
  CHECK(trimmed_mean(std::vector<double>{3}, 0.5) == 3);
}

TEST_CASE("a paired ratio is exact where every pair has it, however far the pairs are apart") {
  const std::vector<double> before = {1, 10, 100, 1000, 5, 50, 500, 7, 70, 700};
  std::vector<double> now;
  for (double wall : before) now.push_back(1.07 * wall);
  const Ratio ratio = paired_ratio(now, before);
  CHECK(ratio.value == Approx(1.07));
  CHECK(ratio.ci95.low == Approx(1.07));
  CHECK(ratio.ci95.high == Approx(1.07));
}

TEST_CASE("a paired ratio keeps its value where a tenth of the pairs went wrong") {
  std::vector<double> now(40, 110), before(40, 100);
  for (size_t i : {3, 14, 25, 36}) now[i] = 5000;
  CHECK(paired_ratio(now, before).value == Approx(1.1));
  CHECK(paired_ratio(before, now).value == Approx(1 / 1.1));
}

// Brute force: every way to draw 4 of 4 pairs with replacement, 256 of them, each as likely as the others.
TEST_CASE("a paired interval holds the middle 95 % of all ways to redraw the pairs") {
  const std::vector<double> now = {105, 99, 130, 118}, before = {100, 100, 100, 100};
  std::vector<double> all;
  for (int draw = 0; draw < 256; ++draw) {
    double sum = 0;  // of 4 samples none is trimmed
    for (int i = 0; i < 4; ++i) sum += std::log(now[static_cast<size_t>(draw >> (2 * i) & 3)] / 100);
    all.push_back(std::exp(sum / 4));
  }
  const Ratio ratio = paired_ratio(now, before);
  CHECK(ratio.ci95.low == Approx(percentile(all, 2.5)).epsilon(0.005));
  CHECK(ratio.ci95.high == Approx(percentile(all, 97.5)).epsilon(0.005));
}

TEST_CASE("random places are spread evenly and the same for the same seed") {
  Random random(7), again(7);
  std::vector<int> counts(10);
  for (int i = 0; i < 10000; ++i) {
    const size_t place = random.below(10);
    REQUIRE(place < 10);
    CHECK(place == again.below(10));
    ++counts[place];
  }
  for (int count : counts) CHECK(std::abs(count - 1000) < 150);  // 5 standard deviations
}

TEST_CASE("a summary flags an outlier and keeps it") {
  std::vector<double> samples = {10, 11, 10, 12, 11, 10, 11, 500};
  const Summary summary = summarize(samples);
  CHECK(summary.outliers == std::vector<size_t>{7});
  CHECK(summary.max == 500);
  CHECK(summary.count == 8);
  CHECK(summary.median == 11);
  CHECK(summary.median_ci95.low <= 11);
  CHECK(summary.median_ci95.high >= 11);
}
