#include "model/hub/models.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "memory/budget.h"
#include "model/format/pack.h"
#include "model/nn/reader.h"
#include "support/errors.h"
#include "support/golden.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

// The tiny Llama, with a chat template of no known family.
struct UnknownChatModel {
  TempFolder folder;
  std::filesystem::path checkpoint = folder / "checkpoint";
  UnknownChatModel() {
    std::filesystem::copy(kRoot / "tests/golden/llama", checkpoint);
    write_file(checkpoint / "chat_template.jinja",
               "{% for message in messages %}<turn>{{ message.content }}{% endfor %}");
  }
};

}  // namespace

TEST_CASE("a pack whose chat template is not recognised is refused until the family is named") {
  const UnknownChatModel model;
  const TemporaryPack pack(model.checkpoint, Precision::int8);
  const auto models_with = [&](std::optional<ChatFamily> family) {
    ModelOptions options(Budget::unlimited());
    options.chat_family = family;
    return open_pack_models({[&] { return pack.path; }, [&] { return pack.path; }}, options);
  };
  const auto unnamed = models_with({}), named = models_with(ChatFamily::chatml);
  const std::optional<Error> refused = error_of([&] { unnamed->generator(); });
  REQUIRE(refused.has_value());
  CHECK(refused->code() == Code::mismatch);
  CHECK(contains(refused->hint(), "set generate.chat_family to chatml, "));

  const ChatMessage question{"user", "Who counts the ships?"};
  GenerateOptions four;
  four.max_new_tokens = 4;
  CHECK(named->generator()->chat(std::span(&question, 1), four).prompt_tokens > 0);
  CHECK(named->identity() != unnamed->identity());  // so cached answers of one are not used for the other
}

TEST_CASE("the chat family in the options overrides the one of the pack") {
  const TemporaryPack pack(kRoot / "tests/golden/llama", Precision::int8);
  const ChatMessage question{"user", "Who counts the ships?"};
  const auto tokens_with = [&](std::optional<ChatFamily> family) {
    ModelOptions options(Budget::unlimited());
    options.chat_family = family;
    const auto models = open_pack_models({[&] { return pack.path; }, [&] { return pack.path; }}, options);
    return models->generator()->count_tokens(std::span(&question, 1));
  };
  CHECK(tokens_with({}) == tokens_with(ChatFamily::chatml));  // the family that the pack names
  CHECK(tokens_with(ChatFamily::none) < tokens_with(ChatFamily::chatml));
}

TEST_CASE("a generator's size is compared without opening a pack that is too small, and a damaged pack is no error") {
  const TempFolder folder;
  const auto size_of = [&](const std::filesystem::path& path, int64_t min_parameters) {
    const auto models =
        open_pack_models({[&] { return path; }, [&] { return path; }}, ModelOptions(Budget::unlimited()));
    return models->generator_size(min_parameters);
  };
  const TemporaryPack pack(kRoot / "tests/golden/llama", Precision::int8);
  CHECK(size_of(pack.path, 1) == GeneratorSize::sufficient);
  CHECK(size_of(pack.path, 1'000'000'000) == GeneratorSize::small);
  int64_t parameters = 0;
  const Pack opened(pack.path);
  for (const PackTensor& tensor : opened.tensors()) parameters += tensor.shape.elements();
  CHECK(size_of(pack.path, parameters) == GeneratorSize::sufficient);
  CHECK(size_of(pack.path, parameters + 1) == GeneratorSize::small);

  write_file(folder / "damaged.pack", "no pack");
  CHECK(size_of(folder / "damaged.pack", 1'000'000'000) == GeneratorSize::small);  // it is not opened
  CHECK(size_of(folder / "damaged.pack", 1) == GeneratorSize::unreadable);
  CHECK(size_of(folder / "missing.pack", 1) == GeneratorSize::none);
}

TEST_CASE("the working memory of loaded models is released between questions, and changes no result") {
  const TemporaryPack embedder(kRoot / "tests/golden/bert", Precision::int8);
  const TemporaryPack reader(kRoot / "tests/golden/bert-reader", Precision::int8);
  Budget budget;
  ModelOptions options(budget);
  options.threads = 2;
  options.mode = Manager::Mode::cache;
  ModelPaths paths{[&] { return embedder.path; }, [&] { return embedder.path; }};
  paths.reader = [&] { return reader.path; };
  const auto models = open_pack_models(paths, options);
  models->release_working_memory();  // nothing is loaded, and nothing is now
  CHECK(models->manager()->counts().loads == 0);

  // One text shares a pass between threads, and many have a pass on each.
  const std::vector<std::string_view> texts(40,
                                            "the ships are counted at the harbour in the morning, and again at night");
  const auto embed = [&](size_t count) {
    const auto open = models->embedder();
    std::vector<float> out(count * static_cast<size_t>(open->dimension()));
    open->embed(std::span(texts).first(count), TextRole::passage, out);
    return out;
  };
  const auto relevance = [&] {
    const auto open = models->reader();
    const ReaderPair pair = open->pair(texts[0], texts[1]);
    return open->read_half(std::span(&pair, 1))[0].relevance;
  };
  const std::vector<float> one = embed(1), many = embed(texts.size());
  const float relevant = relevance();
  CHECK(budget.used_bytes(MemoryTag::activations) > 0);
  models->release_working_memory();
  CHECK(budget.used_bytes(MemoryTag::activations) == 0);
  CHECK(embed(1) == one);
  CHECK(embed(texts.size()) == many);
  CHECK(relevance() == relevant);
}
