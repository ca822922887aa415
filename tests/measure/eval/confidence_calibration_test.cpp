#include "measure/eval/confidence_calibration.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

using namespace frugal;

namespace {

// Written by tests/golden/calibration/make.py, which counts pairs and groups by the definitions.
nlohmann::json golden() {
  std::ifstream in(FRUGAL_SOURCE_DIR "/tests/golden/calibration/calibration.json");
  REQUIRE(in);
  return nlohmann::json::parse(in);
}

}  // namespace

TEST_CASE("the area under the curve is the share of pairs in order, and ties count half") {
  // Right: .9, .6, .4; wrong: .6, .2. Of 6 pairs, .9 wins 2, .6 wins 1 and ties 1, .4 wins 1: 4.5.
  const auto calibration = calibration_of({{.9, true}, {.6, true}, {.4, true}, {.6, false}, {.2, false}});
  REQUIRE(calibration);
  CHECK(calibration->auroc->mean == doctest::Approx(4.5 / 6));
  CHECK(calibration->answers == 5);
  CHECK(calibration->right == 3);
}

TEST_CASE("the calibration error is the distance of confidence from the share of right answers, bin by bin") {
  // Twenty answers, two a bin. Each bin has confidence i / 10 + .05 and one right answer of two.
  std::vector<ScoredAnswer> answers;
  double expected = 0;
  for (int bin = 0; bin < 10; ++bin) {
    const double confidence = bin / 10.0 + 0.05;
    answers.push_back({confidence - 0.01, true});
    answers.push_back({confidence + 0.01, false});
    expected += std::abs(confidence - 0.5) / 10;
  }
  const auto calibration = calibration_of(answers);
  CHECK(calibration->error.mean == doctest::Approx(expected));
  REQUIRE(calibration->bins.size() == 10);
  CHECK(calibration->bins[9].confidence == doctest::Approx(0.95));
  CHECK(calibration->bins[9].right == doctest::Approx(0.5));
}

TEST_CASE("area, error and bins equal those of an independent implementation, in any order of the answers") {
  for (const auto& one : golden()) {
    std::vector<ScoredAnswer> answers;
    for (const auto& answer : one.at("answers")) answers.push_back({answer.at(0), answer.at(1) == 1});
    std::vector<ScoredAnswer> reversed(answers.rbegin(), answers.rend());
    for (const auto& order : {answers, reversed}) {
      const auto calibration = calibration_of(order);
      REQUIRE(calibration);
      CHECK(calibration->error.mean == doctest::Approx(one.at("calibration_error").get<double>()));
      REQUIRE(calibration->auroc.has_value() == !one.at("auroc").is_null());
      if (calibration->auroc) CHECK(calibration->auroc->mean == doctest::Approx(one.at("auroc").get<double>()));
      std::vector<int64_t> bins;
      for (const ReliabilityBin& bin : calibration->bins) bins.push_back(bin.answers);
      CHECK(bins == one.at("bins").get<std::vector<int64_t>>());
    }
  }
}

TEST_CASE("the intervals contain the values of a good sample and are narrow for a large one") {
  const nlohmann::json cases = golden();
  const auto& large = cases.back();
  std::vector<ScoredAnswer> answers;
  for (const auto& answer : large.at("answers")) answers.push_back({answer.at(0), answer.at(1) == 1});
  const auto calibration = calibration_of(answers);
  const Interval area = calibration->auroc->ci95;
  CHECK(area.low < calibration->auroc->mean);
  CHECK(calibration->auroc->mean < area.high);
  CHECK(area.high - area.low < 0.2);
  CHECK(calibration->error.ci95.low <= calibration->error.ci95.high);
}

TEST_CASE("without answers there is no calibration, and answers of one kind have no area") {
  CHECK_FALSE(calibration_of({}));
  const auto all_right = calibration_of({{.7, true}, {.9, true}});
  CHECK_FALSE(all_right->auroc);
  CHECK(all_right->error.mean == doctest::Approx(0.2));
}
