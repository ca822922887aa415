#include "rag/feedback/feedback.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "rag/fakes.h"

using namespace frugal;
using frugal::testing::bag_of_words;
using frugal::testing::FakeStore;

namespace {

// Every chunk is about the town; two are about its lighthouse.
struct Town {
  Town() {
    lamp = store.add("lamp.md", "The town keeps a lighthouse. Keepers of the lighthouse trim its lamp.").id;
    keeper = store.add("keeper.md", "A keeper of the town climbs the lighthouse.").id;
    for (const char* text : {"The town has a market.", "The town has a bridge.", "The town has a school."})
      store.add("town.md", text);
  }
  std::vector<WeightedWord> words(std::vector<FeedbackPassage> passages, FeedbackOptions options = {}) {
    return feedback_words(passages, question, Language::english, options, store);
  }
  FakeStore store;
  int64_t lamp = 0, keeper = 0;
  std::vector<Word> question = split_words("Who lights the tower?");  // two content words
};

float weight_of(const std::vector<WeightedWord>& words, const std::string& word) {
  for (const WeightedWord& each : words)
    if (each.word == word) return each.weight;
  return 0;
}

float sum_of(const std::vector<WeightedWord>& words) {
  return std::accumulate(words.begin(), words.end(), 0.0f,
                         [](float sum, const auto& each) { return sum + each.weight; });
}

double dot(std::span<const float> a, std::span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

}  // namespace

TEST_CASE("the added words are frequent in the passages and rare in the index, and never function words") {
  Town town;
  const auto words = town.words({{town.lamp, 0.5f}, {town.keeper, 0.5f}});
  CHECK(weight_of(words, "lighthouse") > weight_of(words, "lamp"));
  CHECK(weight_of(words, "lamp") > weight_of(words, "town"));
  CHECK(weight_of(words, "the") == 0);
  CHECK(weight_of(words, "market") == 0);
}

TEST_CASE("the words of one stem count as one") {
  Town town;
  const auto words = town.words({{town.lamp, 0.5f}, {town.keeper, 0.5f}});
  CHECK((weight_of(words, "keepers") > 0) != (weight_of(words, "keeper") > 0));
}

TEST_CASE("all added words together have their share of the question's weight, and there are no more than allowed") {
  Town town;
  FeedbackOptions options;
  options.word_weight = 0.25f;
  CHECK(sum_of(town.words({{town.lamp, 1}}, options)) == doctest::Approx(0.25 * 2));
  options.words = 2;
  const auto two = town.words({{town.lamp, 1}}, options);
  CHECK(two.size() == 2);
  CHECK(sum_of(two) == doctest::Approx(0.25 * 2));
}

TEST_CASE("a passage adds words by its share") {
  Town town;
  CHECK(weight_of(town.words({{town.lamp, 0.9f}, {town.keeper, 0.1f}}), "lamp") >
        weight_of(town.words({{town.lamp, 0.1f}, {town.keeper, 0.9f}}), "lamp"));
  CHECK(town.words({}).empty());
  CHECK(town.words({{4711, 1}}).empty());  // a chunk that the store does not have
}

TEST_CASE("the question's vector moves towards the passages and keeps its length") {
  Town town;
  const std::vector<float> question = bag_of_words("Who lights the tower?"), lamp = bag_of_words("lighthouse lamp");
  FeedbackOptions options;
  const auto moved = feedback_vector(std::vector<FeedbackPassage>{{town.lamp, 1}}, question, options, town.store);
  CHECK(dot(moved, moved) == doctest::Approx(1));
  CHECK(dot(moved, lamp) > dot(question, lamp));
  CHECK(dot(moved, question) > 0.8);
  options.vector_weight = 0;
  const auto still = feedback_vector(std::vector<FeedbackPassage>{{town.lamp, 1}}, question, options, town.store);
  CHECK(dot(still, question) == doctest::Approx(1));
  const auto alone = feedback_vector(std::vector<FeedbackPassage>{{4711, 1}}, question, FeedbackOptions(), town.store);
  CHECK(dot(alone, question) == doctest::Approx(1));
}
