#include "measure/eval/evaluation.h"

#include <doctest/doctest.h>

#include "rag/fakes.h"

using namespace frugal;
using frugal::testing::FakeModels;
using frugal::testing::FakeStore;

TEST_CASE("a chunk that the store does not hold counts as no document, and the rest keep their order") {
  FakeStore store;
  FakeModels models;
  store.add("gone", "harbour master ships");
  store.add("held", "harbour master");
  store.lost = {1};
  EvalSet set;
  set.name = "harbour";
  set.queries.push_back({"q", "harbour master ships", {}, {{"held", 1}}});
  const EvalReport report = evaluate(set, store, models, {});
  REQUIRE(report.runs.at(0).name == "sparse");
  CHECK(report.runs[0].recall_at_1.mean == 1);
}
