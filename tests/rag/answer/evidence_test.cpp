#include "rag/evidence/evidence.h"

#include <doctest/doctest.h>

#include <vector>

namespace frugal {
namespace {

// A list of `count` cosines that fall evenly from `best` to `worst`.
std::vector<ScoredChunk> falling(float best, float worst, int count) {
  std::vector<ScoredChunk> list;
  for (int i = 0; i < count; ++i)
    list.push_back({i, best + (worst - best) * static_cast<float>(i) / static_cast<float>(count - 1)});
  return list;
}

TEST_CASE("the contrast of the best cosine is the same for an embedder that compresses its cosines") {
  const auto wide = background_cosine(falling(0.6f, 0.2f, 100));
  const auto narrow = background_cosine(falling(0.92f, 0.84f, 100));  // .8 + .2 · cosine
  REQUIRE(wide);
  REQUIRE(narrow);
  CHECK(*wide == doctest::Approx(0.4));
  CHECK(cosine_contrast(0.92f, *narrow) == doctest::Approx(cosine_contrast(0.6f, *wide)).epsilon(0.001));
}

TEST_CASE("a short list of cosines is no background, and what is like the background has no contrast") {
  CHECK_FALSE(background_cosine(falling(0.9f, 0.1f, 10)).has_value());
  CHECK(cosine_contrast(0.5f, 0.5f) == 0);
  CHECK(cosine_contrast(1.0f, 1.0f) == 0);
}

TEST_CASE("the confidence grows with coverage and with contrast, and needs no vectors") {
  CHECK(answer_confidence(0.9f, 0.3f) > answer_confidence(0.4f, 0.3f));
  CHECK(answer_confidence(0.5f, 0.5f) > answer_confidence(0.5f, 0.1f));
  CHECK(answer_confidence(1.0f, std::nullopt) > answer_confidence(0.2f, std::nullopt));
  for (const float coverage : {0.0f, 1.0f})
    for (const float contrast : {0.0f, 1.0f}) {
      CHECK(answer_confidence(coverage, contrast) > 0);
      CHECK(answer_confidence(coverage, contrast) < 1);
    }
}

}  // namespace
}  // namespace frugal
