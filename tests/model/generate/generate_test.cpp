#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <map>

#include "base/error.h"
#include "model/generate/text_stream.h"
#include "model/generate/token_sampler.h"

using namespace frugal;

namespace {

std::map<TokenId, int> histogram(const GenerateOptions& options, std::vector<float> logits, int draws) {
  Sampler sampler(options);
  std::map<TokenId, int> counts;
  for (int i = 0; i < draws; ++i) {
    std::vector<float> copy = logits;
    ++counts[sampler.sample(copy, {})];
  }
  return counts;
}

std::string stream_all(std::vector<std::string> stop, const std::vector<std::string>& pieces,
                       std::vector<std::string>* emitted = nullptr) {
  TextStream stream(std::move(stop));
  std::string text;
  for (const std::string& piece : pieces) {
    const std::string ready = stream.push(piece);
    if (emitted) emitted->push_back(ready);
    text += ready;
  }
  return stream.stopped() ? text : text + stream.finish();
}

}  // namespace

TEST_CASE("greedy sampling takes the largest logit, the lowest id among equals") {
  const auto counts = histogram({}, {0, 3, 3, 1}, 5);
  CHECK(counts == std::map<TokenId, int>{{1, 5}});
}

TEST_CASE("temperature one draws each token as often as its softmax says") {
  GenerateOptions options;
  options.temperature = 1;
  options.seed = 7;
  const std::vector<float> logits = {std::log(0.6f), std::log(0.3f), std::log(0.1f)};
  auto counts = histogram(options, logits, 20000);
  CHECK(counts[0] / 20000.0 == doctest::Approx(0.6).epsilon(0.03));
  CHECK(counts[1] / 20000.0 == doctest::Approx(0.3).epsilon(0.05));
  CHECK(counts[2] / 20000.0 == doctest::Approx(0.1).epsilon(0.1));
  CHECK(histogram(options, logits, 100) == histogram(options, logits, 100));
}

TEST_CASE("top-k, top-p and min-p exclude the less probable tokens and keep the others") {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.15f), std::log(0.05f)};
  const auto drawn = [&](auto&& change) {
    GenerateOptions options;
    options.temperature = 1;
    change(options);
    return histogram(options, logits, 2000).size();
  };
  CHECK(drawn([](GenerateOptions&) {}) == 4);
  CHECK(drawn([](GenerateOptions& o) { o.top_k = 2; }) == 2);
  CHECK(drawn([](GenerateOptions& o) { o.top_p = 0.7f; }) == 2);
  CHECK(drawn([](GenerateOptions& o) { o.top_p = 0.9f; }) == 3);
  CHECK(drawn([](GenerateOptions& o) { o.min_p = 0.2f; }) == 3);
}

TEST_CASE("the repeat penalty lowers the logits of earlier tokens, positive or negative") {
  GenerateOptions options;
  options.repeat_penalty = 2;
  Sampler sampler(options);
  std::vector<float> logits = {4, 3, -1};
  const std::array<TokenId, 2> recent = {0, 2};
  CHECK(sampler.sample(logits, recent) == 1);
  CHECK(logits == std::vector<float>{2, 3, -2});
}

TEST_CASE("options out of range are refused by name") {
  GenerateOptions options;
  options.top_p = 0;
  CHECK_THROWS_WITH_AS(Sampler{options}, "top_p = 0 is out of range", Error);
  options.top_p = 1;
  options.temperature = -1;
  CHECK_THROWS_AS(Sampler{options}, Error);
}

TEST_CASE("streamed text never splits a character") {
  std::vector<std::string> emitted;
  const std::string text = "São 日本 🙂";
  std::vector<std::string> bytes;
  for (const char c : text) bytes.emplace_back(1, c);
  CHECK(stream_all({}, bytes, &emitted) == text);
  for (const std::string& piece : emitted)
    if (!piece.empty()) CHECK((static_cast<unsigned char>(piece[0]) & 0xc0) != 0x80);
  CHECK(stream_all({}, {"ok", "\xe6\x97"}) == "ok\xef\xbf\xbd");
}

TEST_CASE("a stop string ends the text, even across tokens, and no part of it is streamed") {
  std::vector<std::string> emitted;
  CHECK(stream_all({"\nUser:"}, {"Yes.", "\n", "Us", "er", ": and"}, &emitted) == "Yes.");
  for (const std::string& piece : emitted) CHECK(piece.find('\n') == std::string::npos);
  CHECK(stream_all({"\nUser:"}, {"Yes.", "\nUsual"}) == "Yes.\nUsual");
  CHECK(stream_all({"END"}, {"the EN"}) == "the EN");
}
