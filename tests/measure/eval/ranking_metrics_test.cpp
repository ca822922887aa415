#include "measure/eval/ranking_metrics.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

using namespace frugal;

namespace {

// Written by tests/golden/metrics/make.py, which shares no code with lib/measure/eval.
nlohmann::json golden() {
  std::ifstream in(FRUGAL_SOURCE_DIR "/tests/golden/metrics/metrics.json");
  REQUIRE(in);
  return nlohmann::json::parse(in);
}

}  // namespace

TEST_CASE("nDCG equals the value computed by hand") {
  const Judgements judged{{"a", 3}, {"b", 1}, {"c", 2}};
  const std::vector<std::string> ranked{"b", "x", "a"};
  // (1/log2 2 + 3/log2 4) / (3/log2 2 + 2/log2 3 + 1/log2 4)
  const double expected = (1 + 3 / 2.0) / (3 + 2 / std::log2(3.0) + 0.5);
  CHECK(ndcg_at(ranked, judged, 10) == doctest::Approx(expected));
  CHECK(ndcg_at(ranked, judged, 2) == doctest::Approx(1 / (3 + 2 / std::log2(3.0))));
  CHECK(ndcg_at(std::vector<std::string>{"a", "c", "b"}, judged, 10) == doctest::Approx(1));
}

TEST_CASE("reciprocal rank and recall equal the values computed by hand") {
  const Judgements judged{{"a", 1}, {"b", 2}, {"bad", 0}};
  const std::vector<std::string> ranked{"bad", "x", "b", "y", "a"};
  CHECK(reciprocal_rank_at(ranked, judged, 10) == doctest::Approx(1.0 / 3));
  CHECK(reciprocal_rank_at(ranked, judged, 2) == 0);
  CHECK(recall_at(ranked, judged, 1) == 0);
  CHECK(recall_at(ranked, judged, 3) == doctest::Approx(0.5));
  CHECK(recall_at(ranked, judged, 10) == doctest::Approx(1));
}

TEST_CASE("a query without relevant documents scores 0") {
  const Judgements judged{{"a", 0}, {"b", -1}};
  const std::vector<std::string> ranked{"a", "b"};
  CHECK(ndcg_at(ranked, judged, 10) == 0);
  CHECK(reciprocal_rank_at(ranked, judged, 10) == 0);
  CHECK(recall_at(ranked, judged, 10) == 0);
}

TEST_CASE("ranking metrics agree with an independent implementation") {
  const nlohmann::json cases = golden().at("rankings");
  REQUIRE(cases.size() == 60);
  for (const auto& one : cases) {
    const auto ranked = one.at("ranked").get<std::vector<std::string>>();
    Judgements judged;
    for (const auto& [document, grade] : one.at("judged").items()) judged[document] = grade;
    CHECK(ndcg_at(ranked, judged, 10) == doctest::Approx(one.at("ndcg_at_10").get<double>()));
    CHECK(reciprocal_rank_at(ranked, judged, 10) == doctest::Approx(one.at("mrr_at_10").get<double>()));
    for (const auto& [depth, recall] : one.at("recall_at").items())
      CHECK(recall_at(ranked, judged, std::stoul(depth)) == doctest::Approx(recall.get<double>()));
  }
}

TEST_CASE("Portuguese articles are dropped in Portuguese only") {
  const std::vector<std::string> accepted{"os Estados Unidos"};
  CHECK(normalise_answer("A pena é de um a quatro anos.", Language::portuguese) == "pena e de quatro anos");
  CHECK(normalise_answer("as soon as a ship") == "as soon as ship");
  CHECK(exact_match("Estados Unidos", accepted, Language::portuguese) == 1);
  CHECK(exact_match("Estados Unidos", accepted) == 0);
  CHECK(answer_f1("uns Estados Unidos", accepted, Language::portuguese) == 1);
  CHECK(answer_contained("Foi nos Estados Unidos, em 1932.", accepted, Language::portuguese) == 1);
  CHECK(answer_contained("Foi nos Estados Unidos, em 1932.", accepted) == 0);
}

TEST_CASE("answer metrics agree with SQuAD's rules") {
  const nlohmann::json cases = golden().at("answers");
  for (const auto& one : cases) {
    const auto answer = one.at("answer").get<std::string>();
    const auto accepted = one.at("accepted").get<std::vector<std::string>>();
    INFO("answer: ", answer);
    CHECK(exact_match(answer, accepted) == one.at("exact_match").get<double>());
    CHECK(answer_f1(answer, accepted) == doctest::Approx(one.at("f1").get<double>()));
    CHECK(answer_contained(answer, accepted) == one.at("contained").get<double>());
  }
}
