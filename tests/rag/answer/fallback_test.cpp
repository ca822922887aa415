// What a question falls back on when a remote model fails.
#include <doctest/doctest.h>

#include "base/error.h"
#include "rag/answer/pipeline.h"
#include "rag/fakes.h"
#include "support/errors.h"

using namespace frugal;
using frugal::testing::error_of;
using frugal::testing::FakeEmbedder;
using frugal::testing::FakeGenerator;
using frugal::testing::FakeModels;
using frugal::testing::FakeReader;
using frugal::testing::FakeStore;

namespace {

constexpr const char* kQuestion = "Who drew the bridge plans?";

// Writes what it says, and then breaks off.
struct DyingGenerator : FakeGenerator {
  Generation chat(std::span<const ChatMessage> messages, const GenerateOptions& options,
                  const TokenSink& sink) override {
    FakeGenerator::chat(messages, options, sink);
    throw Error(Code::remote, "far: it died");
  }
};

struct DeadEmbedder : FakeEmbedder {
  void embed(std::span<const std::string_view>, TextRole, std::span<float>) override {
    throw Error(Code::remote, "far: no vector");
  }
};

struct DeadReader : FakeReader {
  std::vector<HalfRead> read_half(std::span<const ReaderPair>) override { throw Error(Code::remote, "far: no score"); }
};

template <class Model>
std::shared_ptr<Model> borrowed(Model& model) {
  return {std::shared_ptr<void>(), &model};
}

struct ListedModels : FakeModels {
  std::vector<NamedModel<Generator>> generators() override {
    std::vector<NamedModel<Generator>> list = {{"far", [this] { return borrowed<Generator>(dying); }}};
    if (has_near) list.push_back({"near", [this] { return generator(); }});
    if (ends_in_quote) list.push_back({"extract", nullptr});
    return list;
  }
  std::shared_ptr<Embedder> embedder() override {
    return embedder_is_dead ? borrowed<Embedder>(dead_embedder) : FakeModels::embedder();
  }
  std::string dispensable_embedder() const override { return may_lack_embedder ? "far" : ""; }
  std::vector<NamedModel<Reader>> readers() override {
    std::vector<NamedModel<Reader>> list = {{"far", [this] { return borrowed<Reader>(dead_reader); }}};
    if (has_near) list.push_back({"near", [this] { return reader(); }});
    if (ends_in_quote) list.push_back({"none", nullptr});
    return list;
  }
  DyingGenerator dying;
  DeadEmbedder dead_embedder;
  DeadReader dead_reader;
  bool has_near = false, ends_in_quote = false, embedder_is_dead = false, may_lack_embedder = false;
};

struct Village {
  Village() {
    store.add("bridge.md",
              "The bridge at Aldersby was finished in 1932. Ravi Osei drew its plans; it is 503 metres long.");
    store.add("market.md", "The market of Aldersby opens at six on Saturdays.");
  }
  Reply ask(AnswerMode mode, const TokenSink& stream = {}) {
    PipelineOptions options;
    options.answer = mode;
    return Pipeline(store, models, laws, options, nullptr, "village").ask({{}, kQuestion}, stream);
  }
  FakeStore store;
  ListedModels models;
  LawTable laws;
};

TEST_CASE("a generator that breaks off leaves its place to the next, and its text is dropped") {
  Village village;
  village.models.has_near = true;
  village.models.dying.says = "Ravi Osei drew its plans. [1] The bridge";
  village.models.fake_generator.says = "The bridge was finished in 1932. [1]";
  const Reply reply = village.ask(AnswerMode::generate);
  CHECK(reply.answer.mode == AnswerMode::generate);
  CHECK(reply.answer.text == "The bridge was finished in 1932. [1]");
  REQUIRE(reply.generated);
  CHECK(reply.generated->generator == "near");
  REQUIRE(reply.fallbacks.size() == 1);
  CHECK(reply.fallbacks[0].stage == "generate");
  CHECK(reply.fallbacks[0].failed == "far");
  CHECK(reply.fallbacks[0].why == "far: it died");
  CHECK(reply.fallbacks[0].used == "near");
}

TEST_CASE("a quote stands for a generator that fails, if the list or mode auto says so") {
  for (const bool listed : {true, false}) {
    CAPTURE(listed);
    Village village;
    village.models.ends_in_quote = listed;
    village.models.parameters = int64_t(1) << 40;
    const Reply reply = village.ask(listed ? AnswerMode::generate : AnswerMode::automatic);
    CHECK(reply.answer.mode == AnswerMode::extract);
    CHECK(reply.answer.quoted_instead);
    CHECK(reply.answer.note == "the generator failed (far: it died), so a source is quoted");
    REQUIRE(reply.fallbacks.size() == 1);
    CHECK(reply.fallbacks[0].used == "extract");
  }
  Village village;
  const auto error = error_of([&] { village.ask(AnswerMode::generate); });
  REQUIRE(error);
  CHECK(error->code() == Code::remote);
}

TEST_CASE("what was shown before a generator broke off stays") {
  Village village;
  village.models.ends_in_quote = true;
  village.models.dying.says =
      "Ravi Osei drew its plans. [1] The bridge was finished in 1932. [1] It is 503 metres long. [1] And it is";
  std::string shown;
  const Reply reply = village.ask(AnswerMode::generate, [&](std::string_view text) {
    shown += text;
    return true;
  });
  REQUIRE(!shown.empty());
  CHECK(reply.answer.mode == AnswerMode::generate);
  CHECK(reply.answer.text == shown);
  CHECK(reply.answer.note == "the generator failed before its answer ended (far: it died)");
  CHECK(reply.cut_short);
}

TEST_CASE("without an embedder a question is searched by words, if that may be") {
  Village village;
  village.models.embedder_is_dead = true;
  CHECK(error_of([&] { village.ask(AnswerMode::extract); })->code() == Code::remote);
  village.models.may_lack_embedder = true;
  const Reply reply = village.ask(AnswerMode::extract);
  REQUIRE(!reply.hits.empty());
  CHECK(reply.hits[0].chunk.path == "bridge.md");
  CHECK(!reply.hits[0].dense_rank);
  REQUIRE(!reply.fallbacks.empty());
  CHECK(reply.fallbacks[0].stage == "embed");
  CHECK(reply.fallbacks[0].used == "none");
}

TEST_CASE("a reader that fails leaves its place to the next, or the order of the search stays") {
  Village village;
  village.models.fake_reader.emplace();
  CHECK(error_of([&] { village.ask(AnswerMode::extract); })->code() == Code::remote);
  village.models.ends_in_quote = true;
  Reply reply = village.ask(AnswerMode::extract);
  CHECK(!reply.hits[0].rerank_score);
  REQUIRE(reply.fallbacks.size() == 1);
  CHECK(reply.fallbacks[0].used == "none");
  village.models.has_near = true;
  reply = village.ask(AnswerMode::extract);
  CHECK(reply.hits[0].rerank_score);
  REQUIRE(reply.fallbacks.size() == 1);
  CHECK(reply.fallbacks[0].stage == "rerank");
  CHECK(reply.fallbacks[0].used == "near");
}

}  // namespace
