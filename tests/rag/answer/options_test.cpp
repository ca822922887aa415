// Checks that no option of a question is missing from the key of the answer cache.
#include <doctest/doctest.h>

#include <concepts>
#include <set>
#include <string>

#include "rag/answer/pipeline.h"

using namespace frugal;

namespace {

/// Converts to anything: an aggregate of n members takes n of them and no more.
struct Anything {
  template <typename T>
  operator T() const;
};

template <typename Struct, typename... Members>
constexpr size_t count_members() {
  if constexpr (requires { Struct{Members{}..., Anything{}}; })
    return count_members<Struct, Members..., Anything>();
  else
    return sizeof...(Members);
}

struct CountVisits {
  size_t visits = 0;
  void operator()(std::string_view, auto&, const About&) { ++visits; }
  void operator()(auto&) { ++visits; }
};

template <typename Struct>
size_t unvisited_members() {
  CountVisits counter;
  Struct().visit(counter);
  return count_members<Struct>() - counter.visits;
}

void change(bool& value) {
  value = !value;
}
void change(std::integral auto& value) {
  ++value;
}
void change(float& value) {
  value += 0.125f;
}
template <NamedEnum Enum>
void change(Enum& value) {
  const auto all = names_of(value);
  value = all[0].first == value ? all[1].first : all[0].first;
}

/// Changes the field number `at`, counted from 0.
struct ChangeOne {
  int at;
  int seen = 0;
  std::string key = {};
  void operator()(std::string_view name, auto& value, const About&) {
    if (seen++ != at) return;
    key = name;
    change(value);
  }
  void operator()(auto& group) { group.visit(*this); }
};

}  // namespace

TEST_CASE("every option of a question is visited, except those that change no answer") {
  CHECK(unvisited_members<DenseWeights>() == 0);
  CHECK(unvisited_members<RetrieveOptions>() == 0);
  CHECK(unvisited_members<HydeOptions>() == 0);
  CHECK(unvisited_members<FeedbackOptions>() == 0);
  CHECK(unvisited_members<QuoteOptions>() == 0);
  CHECK(unvisited_members<GenerateOptions>() == 2);  // stop and deadline_ms: set anew for each question
  CHECK(unvisited_members<PipelineOptions>() == 2);  // boundary_key, measure_pss
}

TEST_CASE("a change of any option changes the cache key") {
  std::set<std::string> keys = {PipelineOptions().key()};
  int fields = 0;
  for (bool changed = true; changed; ++fields) {
    ChangeOne one{fields};
    PipelineOptions options;
    options.visit(one);
    changed = !one.key.empty();
    INFO(one.key);
    if (changed) CHECK(keys.insert(options.key()).second);
  }
  CHECK(fields > 20);
}

TEST_CASE("the key depends neither on the file of the secret nor on measuring memory") {
  PipelineOptions options;
  options.boundary_key = "somewhere";
  options.measure_pss = true;
  CHECK(options.key() == PipelineOptions().key());
}
