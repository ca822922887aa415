// Architectures against the outputs of transformers: tiny random models always, real ones if they have been fetched.
// tests/golden/ has the outputs, scripts/make_goldens.py and the other scripts/make_*_goldens.py make them.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/thread_pool.h"
#include "memory/budget.h"
#include "model/arch/bulk_embedder.h"
#include "model/arch/registry.h"
#include "model/format/pack.h"
#include "model/nn/architecture.h"
#include "model/nn/decoder.h"
#include "model/nn/embedder.h"
#include "model/nn/image_embedder.h"
#include "model/nn/kv_cache.h"
#include "model/nn/model.h"
#include "model/nn/reader.h"
#include "model/nn/seq2seq.h"
#include "model/nn/vision_language.h"
#include "support/backends.h"
#include "support/golden.h"
#include "support/images.h"
#include "support/temp_folder.h"

using namespace frugal;
using namespace frugal::testing;
namespace fs = std::filesystem;

namespace {

// fp32 differs only by the order of additions.
constexpr double kLargestHiddenError = 1e-4, kLargestLogitError = 1e-3, kLargestTextError = 1e-4;

std::vector<float> last_logits(Decoder& decoder, std::span<const TokenId> tokens, size_t step) {
  KvCache cache = decoder.make_cache(int64_t(tokens.size()), Budget::unlimited());
  std::vector<float> logits(static_cast<size_t>(decoder.vocab_size()));
  for (size_t begin = 0; begin < tokens.size(); begin += step)
    decoder.forward(tokens.subspan(begin, std::min(step, tokens.size() - begin)), cache, logits);
  return logits;
}

// Every output for a text, of a model that has more than one. In full precision the same tokens have weights; rounding
// may move one past 0, so then the weights are compared as vectors over the vocabulary.
void check_all_outputs(const GoldenModel::Floor& floor, Embedder& model, simdjson::dom::element expected) {
  const std::string_view text = expected["text"];
  const TextEmbedding all = model.embed_all(std::span(&text, 1), TextRole::passage).front();
  const auto vocab = static_cast<size_t>(model.tokenizer().vocab_size());
  std::vector<float> got(vocab), want(vocab);
  std::vector<TokenId> tokens;
  for (const TokenWeight& entry : all.sparse) {
    tokens.push_back(entry.token);
    got.at(static_cast<size_t>(entry.token)) = entry.weight;
  }
  const std::vector<TokenId> known = ids(expected["sparse_tokens"]);
  const std::vector<float> weights = floats(expected["sparse_weights"]);
  for (size_t i = 0; i < known.size(); ++i) want.at(static_cast<size_t>(known[i])) = weights[i];
  if (!known.empty()) CHECK(cosine(got, want) > floor.cosine);
  if (!all.token_vectors.empty()) CHECK(cosine(all.token_vectors, floats(expected["token_vectors"])) > floor.cosine);
  CHECK(cosine(all.dense, floats(expected["embedding"])) > floor.cosine);
  if (floor.precision != Precision::fp32) return;
  CHECK(tokens == known);
  CHECK(max_difference(got, want) < kLargestHiddenError);
  CHECK(max_difference(all.token_vectors, floats(expected["token_vectors"])) < kLargestHiddenError);
  CHECK(max_difference(all.dense, floats(expected["embedding"])) < kLargestHiddenError);
}

void check_embedder(const GoldenModel& golden, const GoldenModel::Floor& floor, Model& opened) {
  auto& model = dynamic_cast<Embedder&>(opened);
  Outputs outputs(golden.name);
  CHECK(model.dimension() == int64_t(outputs.root()["dimension"]));
  CHECK(model.max_tokens() == int64_t(outputs.root()["max_tokens"]));
  for (const auto expected : outputs.cases()) {
    const auto hidden = model.hidden_states(ids(expected["ids"]));
    CHECK(cosine(hidden, floats(expected["hidden"])) > floor.cosine);
    if (floor.precision == Precision::fp32)
      CHECK(max_difference(hidden, floats(expected["hidden"])) < kLargestHiddenError);
  }
  int64_t token_dimension = 0;
  if (outputs.root()["token_dimension"].get(token_dimension)) token_dimension = 0;
  CHECK(model.token_dimension() == token_dimension);
  CHECK(model.has_sparse() == (token_dimension > 0));
  simdjson::dom::array texts;
  if (outputs.root()["texts"].get(texts)) return;
  for (const auto expected : texts) {
    const std::string_view text = expected["text"];
    std::string_view role;
    const bool asks = !expected["role"].get(role) && role == "query";
    std::vector<float> vector(static_cast<size_t>(model.dimension()));
    model.embed(std::span(&text, 1), asks ? TextRole::query : TextRole::passage, vector);
    CHECK(cosine(vector, floats(expected["embedding"])) > floor.cosine);
    if (floor.precision == Precision::fp32)
      CHECK(max_difference(vector, floats(expected["embedding"])) < kLargestHiddenError);
    if (model.has_sparse()) check_all_outputs(floor, model, expected);
  }
}

void check_decoder(const GoldenModel& golden, const GoldenModel::Floor& floor, Model& opened) {
  auto& model = dynamic_cast<Decoder&>(opened);
  Outputs outputs(golden.name);
  for (const auto expected : outputs.cases()) {
    const auto tokens = ids(expected["ids"]);
    const auto want = floats(expected["last_logits"]);
    const auto got = last_logits(model, tokens, tokens.size());
    CHECK(cosine(got, want) > floor.cosine);
    if (floor.precision != Precision::fp32) continue;
    CHECK(max_difference(got, want) < kLargestLogitError);
    for (const size_t step : {size_t(1), size_t(7)})
      CHECK(max_difference(last_logits(model, tokens, step), want) < kLargestLogitError);
  }
}

// All figures of a reading, one after the other.
std::vector<float> figures(float first, const Reading& reading) {
  std::vector<float> all = {first, reading.relevance, reading.answerable, reading.none};
  all.insert(all.end(), reading.begin.begin(), reading.begin.end());
  all.insert(all.end(), reading.end.begin(), reading.end.end());
  return all;
}

// A reader that only ranks.
void check_ranker(const GoldenModel& golden, const GoldenModel::Floor& floor, Reader& model) {
  Outputs outputs(golden.name);
  std::vector<float> want, got;
  for (const auto expected : outputs.cases()) {
    const ReaderPair pair = model.pair(std::string_view(expected["question"]), std::string_view(expected["passage"]));
    CHECK(pair.ids == ids(expected["ids"]));
    const std::vector<HalfRead> half = model.read_half(std::span(&pair, 1));
    const HalfRead* only = &half.front();
    const Reading reading = model.read_rest(std::span(&only, 1)).front();
    CHECK(reading.relevance == half.front().relevance);
    CHECK(reading.begin.empty());
    got.push_back(reading.relevance);
    want.push_back(static_cast<float>(double(expected["relevance"])));
  }
  CHECK(cosine(got, want) > floor.cosine);
  if (floor.precision == Precision::fp32) CHECK(max_difference(got, want) < kLargestHiddenError);
}

void check_reader(const GoldenModel& golden, const GoldenModel::Floor& floor, Model& opened) {
  auto& model = dynamic_cast<Reader&>(opened);
  if (!model.finds_answers()) return check_ranker(golden, floor, model);
  Outputs outputs(golden.name);
  CHECK(model.max_tokens() == int64_t(outputs.root()["max_tokens"]));
  for (const auto expected : outputs.cases()) {
    const ReaderPair pair = model.pair(std::string_view(expected["question"]), std::string_view(expected["passage"]));
    CHECK(pair.ids == ids(expected["ids"]));
    const std::vector<HalfRead> half = model.read_half(std::span(&pair, 1));
    const HalfRead* only = &half.front();
    const std::vector<Reading> reading = model.read_rest(std::span(&only, 1));
    std::vector<float> want = {
        static_cast<float>(double(expected["first"])), static_cast<float>(double(expected["relevance"])),
        static_cast<float>(double(expected["answerable"])), static_cast<float>(double(expected["none"]))};
    for (const char* part : {"begin", "end"})
      for (const float value : floats(expected[part])) want.push_back(value);
    const std::vector<float> got = figures(half.front().relevance, reading.front());
    CHECK(cosine(got, want) > floor.cosine);
    if (floor.precision == Precision::fp32) CHECK(max_difference(got, want) < kLargestLogitError);
  }
}

// The logits after each token of a text, which the decoder reads `step` tokens at a time, in each of two beams.
std::vector<float> text_logits(Seq2Seq& model, std::span<const TokenId> source, std::span<const TokenId> text,
                               size_t step) {
  constexpr int64_t kBeams = 2;
  const auto vocab = static_cast<size_t>(model.vocab_size());
  BeamCache cache = model.encode(source, kBeams, int64_t(text.size()), Budget::unlimited());
  std::vector<float> all;
  for (size_t begin = 0; begin < text.size(); begin += step) {
    const auto next = text.subspan(begin, std::min(step, text.size() - begin));
    std::vector<TokenId> both(next.begin(), next.end());
    both.insert(both.end(), next.begin(), next.end());
    std::vector<float> logits(both.size() * vocab);
    model.decode(both, cache, logits);
    const size_t half = next.size() * vocab;
    CHECK(max_difference(std::span(logits).first(half), std::span(logits).last(half)) < kLargestLogitError);
    all.insert(all.end(), logits.begin(), logits.begin() + ptrdiff_t(half));
  }
  return all;
}

void check_seq2seq(const GoldenModel& golden, const GoldenModel::Floor& floor, Model& opened) {
  auto& model = dynamic_cast<Seq2Seq&>(opened);
  Outputs outputs(golden.name);
  const auto vocab = static_cast<size_t>(model.vocab_size());
  for (const auto expected : outputs.cases()) {
    const auto source = ids(expected["ids"]), text = ids(expected["target"]), argmax = ids(expected["argmax"]);
    const auto want = floats(expected["last_logits"]);
    for (const size_t step : {text.size(), size_t(1), size_t(7)}) {
      const std::vector<float> got = text_logits(model, source, text, step);
      const auto last = std::span(got).last(vocab);
      CHECK(cosine(last, want) > floor.cosine);
      if (floor.precision != Precision::fp32) break;
      CHECK(max_difference(last, want) < kLargestTextError);
      std::vector<TokenId> first;
      for (size_t t = 0; t < text.size(); ++t) {
        const auto row = std::span(got).subspan(t * vocab, vocab);
        first.push_back(static_cast<TokenId>(std::max_element(row.begin(), row.end()) - row.begin()));
      }
      CHECK(first == argmax);
    }
  }
}

void check_vector(const GoldenModel::Floor& floor, std::span<const float> got, simdjson::dom::element expected) {
  CHECK(cosine(got, floats(expected)) > floor.cosine);
  if (floor.precision == Precision::fp32) CHECK(max_difference(got, floats(expected)) < kLargestHiddenError);
}

void check_image_embedder(const GoldenModel& golden, const GoldenModel::Floor& floor, Model& opened) {
  auto& model = dynamic_cast<ImageEmbedder&>(opened);
  Outputs outputs(golden.name);
  CHECK(model.dimension() == int64_t(outputs.root()["dimension"]));
  CHECK(model.max_tokens() == int64_t(outputs.root()["max_tokens"]));
  CHECK(model.image_tokens() == int64_t(outputs.root()["image_tokens"]));
  std::vector<float> vector(static_cast<size_t>(model.dimension()));
  for (const auto expected : outputs.root()["texts"]) {
    const std::string_view text = expected["text"];
    CAPTURE(text);
    model.embed_texts(std::span(&text, 1), vector);
    check_vector(floor, vector, expected["embedding"]);
  }
  for (const auto expected : outputs.root()["images"]) {
    const RgbImage image =
        image_of(int64_t(expected["width"]), int64_t(expected["height"]), std::string_view(expected["rgb"]));
    CAPTURE(image.width());
    model.embed_images(std::span(&image, 1), Budget::unlimited(), vector);
    check_vector(floor, vector, expected["embedding"]);
  }
}

// The logits after the prompt of each request about an image, and after each of the tokens that follow it.
void check_vision_language(const GoldenModel& golden, const GoldenModel::Floor& floor, Model& opened) {
  auto& model = dynamic_cast<VisionLanguage&>(opened);
  Outputs outputs(golden.name);
  const auto vocab = static_cast<size_t>(model.vocab_size());
  for (const auto expected : outputs.cases()) {
    const RgbImage image =
        image_of(int64_t(expected["width"]), int64_t(expected["height"]), std::string_view(expected["rgb"]));
    const std::vector<TokenId> tokens = ids(expected["text"]);
    std::vector<float> first(vocab), last(vocab);
    const auto text =
        model.read(image, std::string_view(expected["request"]), int64_t(tokens.size()), first, Budget::unlimited());
    CHECK(text->prompt_tokens() ==
          int64_t(expected["image_tokens"]) + int64_t(ids(expected["before"]).size() + ids(expected["after"]).size()));
    for (const TokenId id : tokens) text->append(id, last);
    for (const auto& [got, name] : {std::pair(&first, "first_logits"), std::pair(&last, "last_logits")}) {
      CHECK(cosine(*got, floats(expected[name])) > floor.cosine);
      if (floor.precision == Precision::fp32) CHECK(max_difference(*got, floats(expected[name])) < kLargestLogitError);
    }
  }
}

// The outputs that a golden folder of each kind has.
void check_as(const GoldenModel& golden, const GoldenModel::Floor& floor, Model& model) {
  using Check = void (*)(const GoldenModel&, const GoldenModel::Floor&, Model&);
  const std::map<std::string_view, Check> checks = {{"embedder", check_embedder},
                                                    {"decoder", check_decoder},
                                                    {"reader", check_reader},
                                                    {"encoder_decoder", check_seq2seq},
                                                    {"image_embedder", check_image_embedder},
                                                    {"vision_language", check_vision_language}};
  REQUIRE(checks.count(golden.kind) == 1);
  checks.at(golden.kind)(golden, floor, model);
}

}  // namespace

TEST_CASE("every model computes what transformers computes, at every precision and on every instruction set") {
  for (const GoldenModel& golden : golden_models())
    for (const GoldenModel::Floor& floor : golden.floors) {
      CAPTURE(golden.name);
      CAPTURE(to_string(floor.precision));
      const TemporaryPack made(golden.checkpoint, floor.precision);
      const Pack pack(made.path);
      on_every_backend([&](Ops& ops) { check_as(golden, floor, *open_model(PackSource(pack), ops)); });
    }
}

TEST_CASE("the logits of every token agree with the oracle's first choices") {
  const TemporaryPack made(kRoot / "tests/golden/llama", Precision::fp32);
  const Pack pack(made.path);
  on_every_backend([&](Ops& ops) {
    const auto model = open_decoder(pack, ops);
    Outputs outputs("llama");
    for (const auto expected : outputs.cases()) {
      const auto tokens = ids(expected["ids"]);
      std::vector<float> logits(tokens.size() * static_cast<size_t>(model->vocab_size()));
      KvCache cache = model->make_cache(int64_t(tokens.size()), Budget::unlimited());
      model->forward_all(tokens, cache, logits);
      std::vector<TokenId> argmax;
      for (size_t t = 0; t < tokens.size(); ++t) {
        const auto row = std::span(logits).subspan(t * static_cast<size_t>(model->vocab_size()),
                                                   static_cast<size_t>(model->vocab_size()));
        argmax.push_back(static_cast<TokenId>(std::max_element(row.begin(), row.end()) - row.begin()));
      }
      CHECK(argmax == ids(expected["argmax"]));
    }
  });
}

TEST_CASE("an embedding does not depend on the texts beside it") {
  const TemporaryPack made(kRoot / "tests/golden/bert", Precision::int8);
  const Pack pack(made.path);
  ThreadPool threads(2);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  const auto model = open_embedder(pack, *ops);
  const std::vector<std::string_view> texts = {"the law of the court", "", "question answering", "x", "the answer."};
  std::vector<float> together(texts.size() * 32), alone(32);
  model->embed(texts, TextRole::passage, together);
  for (size_t i = 0; i < texts.size(); ++i) {
    model->embed(std::span(&texts[i], 1), TextRole::passage, alone);
    CHECK(max_difference(std::span(together).subspan(i * 32, 32), alone) < 1e-5);
    CHECK(cosine(alone, alone) == doctest::Approx(1));
  }
}

TEST_CASE("many texts distributed over threads have the same vectors as alone") {
  const TemporaryPack made(kRoot / "tests/golden/bert", Precision::int8);
  const Pack pack(made.path);
  ThreadPool threads(3);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  const auto bulk = open_bulk_embedder(pack, *ops, threads, Budget::unlimited());
  const auto alone = open_embedder(pack, *ops);
  CHECK(bulk->fingerprint() == alone->fingerprint());
  std::vector<std::string> texts;
  for (int i = 0; i < 90; ++i) texts.push_back(std::string(static_cast<size_t>(3 * i), i % 7 ? 'a' : 'b') + " the law");
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  for (const size_t count : {size_t(0), size_t(1), size_t(12), texts.size()}) {
    CAPTURE(count);
    std::vector<float> together(count * 32), one(32);
    bulk->embed(std::span(views).first(count), TextRole::passage, together);
    for (size_t i = 0; i < count; ++i) {
      alone->embed(std::span(&views[i], 1), TextRole::passage, one);
      CHECK(max_difference(std::span(together).subspan(i * 32, 32), one) < 1e-5);
    }
  }
}

TEST_CASE("a reading does not depend on the pairs beside it, nor on which were read to the end") {
  const TemporaryPack made(kRoot / "tests/golden/bert-reader", Precision::int8);
  const Pack pack(made.path);
  ThreadPool threads(2);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  const auto model = open_as<Reader>(PackSource(pack), *ops);
  std::vector<ReaderPair> pairs;
  for (const std::string_view passage : {"the law of the court", "x", "", "question answering of the court."})
    for (int i = 0; i < 12; ++i) pairs.push_back(model->pair(i % 2 ? "the law?" : "of courts", passage));
  const std::vector<HalfRead> halves = model->read_half(pairs);
  const std::vector<const HalfRead*> chosen = {&halves[40], &halves[3], &halves[13], &halves[25]};
  const std::vector<Reading> together = model->read_rest(chosen);
  for (size_t i = 0; i < chosen.size(); ++i) {
    const auto place = static_cast<size_t>(chosen[i] - halves.data());
    const std::vector<HalfRead> half = model->read_half(std::span(&pairs[place], 1));
    const HalfRead* only = &half.front();
    const Reading alone = model->read_rest(std::span(&only, 1)).front();
    CHECK(alone.begin.size() == pairs[place].pieces.size());
    CHECK(max_difference(figures(half.front().relevance, alone), figures(halves[place].relevance, together[i])) < 1e-4);
  }
  CHECK(model->read_half({}).empty());
  CHECK(model->read_rest({}).empty());
}

TEST_CASE("the pieces of a pair are the tokens of its passage, with their bytes") {
  const TemporaryPack made(kRoot / "tests/golden/bert-reader", Precision::fp32);
  const Pack pack(made.path);
  ThreadPool threads(1);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  const auto model = open_as<Reader>(PackSource(pack), *ops);
  const std::string passage = "The Law, the court";
  const ReaderPair pair = model->pair("of?", passage);
  std::vector<std::string> words;
  for (const Tokenizer::Piece& piece : pair.pieces)
    words.push_back(passage.substr(piece.begin, piece.end - piece.begin));
  CHECK(words == std::vector<std::string>{"The", "Law", ",", "the", "court"});
  for (size_t i = 0; i < pair.pieces.size(); ++i) CHECK(pair.ids[pair.passage + i] == pair.pieces[i].id);
}

TEST_CASE(
    "a reader's confidence is logistic in its features, by other coefficients without a contrast and in one without "
    "any") {
  const auto confidence = [](const std::filesystem::path& checkpoint, const ConfidenceFeatures& features) {
    const TemporaryPack made(checkpoint, Precision::int8);
    const Pack pack(made.path);
    ThreadPool threads(1);
    const auto ops = make_cpu_ops(threads, Budget::unlimited());
    return open_as<Reader>(PackSource(pack), *ops)->confidence(features);
  };
  const auto golden = kRoot / "tests/golden/bert-reader";
  // 1 + .5 · 2 + .25 · (−4) − .5 · (−1) + 2 · (−.5) + 3 · .5 − 2 · .25 + .125 − 1
  CHECK(confidence(golden, {1, 2, -4, -1, -0.5f, 0.5f, 0.25f, 1}) == doctest::Approx(1 / (1 + std::exp(-0.625))));
  // 2 − .25 · (−4) + .5 · (−1) + 1 · (−.5) + 2 · .5 − .5 + .25
  CHECK(confidence(golden, {1, 2, -4, -1, -0.5f, 0.5f, std::nullopt, 1}) == doctest::Approx(1 / (1 + std::exp(-2.75))));
  const TempFolder folder;
  std::filesystem::copy(golden, folder / "plain");
  std::string weights = read_file(folder / "plain/model.safetensors");
  for (const std::string_view name : {"\"confidence.weight\"", "\"confidence_without_contrast.weight\""})
    weights.replace(weights.find(name) + 1, 5, "other");
  write_file(folder / "plain/model.safetensors", weights);
  for (const std::optional<float> contrast : {std::optional(0.25f), std::optional<float>()})
    CHECK(confidence(folder / "plain", {1, 2, -4, -1, -0.5f, 0.5f, contrast, 1}) ==
          doctest::Approx(1 / (1 + std::exp(-1.0))));
}

TEST_CASE("the error for a pack of the wrong kind says which pack to give") {
  const TemporaryPack bert(kRoot / "tests/golden/bert", Precision::int8),
      llama(kRoot / "tests/golden/llama", Precision::int8);
  const Pack bert_pack(bert.path), llama_pack(llama.path);
  ThreadPool threads(1);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  const auto refusal = [&](const auto& open, const Pack& pack) -> std::string {
    try {
      open(pack);
    } catch (const Error& error) {
      CHECK(error.code() == Code::mismatch);
      return error.message().substr(pack.path().native().size()) + " | " + error.hint();
    }
    return "opened";
  };
  CHECK(refusal([&](const Pack& pack) { open_decoder(pack, *ops); }, bert_pack) ==
        ": a 'bert' model does not generate text | give the pack of a decoder, such as SmolLM2, as --generator");
  CHECK(refusal([&](const Pack& pack) { open_embedder(pack, *ops); }, llama_pack) ==
        ": a 'llama' model is not an embedder | give the pack of an encoder, such as all-MiniLM-L6-v2, as --embedder");
}

TEST_CASE("packs and plans know the kind of their model; an unknown architecture is an error of the file") {
  for (const GoldenModel& golden : golden_models()) {
    const TemporaryPack made(golden.checkpoint, Precision::int8);
    const Pack pack(made.path);
    CHECK(to_string(model_kind(pack)) == golden.kind);
    CHECK(to_string(plan_model(*open_checkpoint(golden.checkpoint)).kind) == golden.kind);
    ThreadPool threads(1);
    const auto ops = make_cpu_ops(threads, Budget::unlimited());
    const auto model = open_model(PackSource(pack), *ops);
    CHECK(to_string(model->kind()) == golden.kind);
    CHECK(model->identity().find(pack.identity()) != std::string::npos);
  }
  struct FromElsewhere : ModelConfig {
    std::optional<std::string_view> text(std::string_view) const override { return "perceptron"; }
    [[noreturn]] void fail(std::string_view what) const override { throw Error(Code::corrupt_file, std::string(what)); }
  };
  CHECK_THROWS_WITH_AS(model_kind(FromElsewhere()), "unknown architecture 'perceptron'", Error);
}

TEST_CASE("tokens outside the vocabulary and sequences beyond the context are errors, not accesses") {
  const TemporaryPack bert(kRoot / "tests/golden/bert", Precision::int8),
      llama(kRoot / "tests/golden/llama", Precision::int8);
  const Pack bert_pack(bert.path), llama_pack(llama.path);
  ThreadPool threads(1);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  const auto embedder = open_embedder(bert_pack, *ops);
  CHECK_THROWS_AS(embedder->hidden_states(std::vector<TokenId>{1 << 20}), Error);
  CHECK_THROWS_AS(embedder->hidden_states(std::vector<TokenId>{-1}), Error);
  CHECK_THROWS_AS(embedder->hidden_states(std::vector<TokenId>(65, 1)), Error);
  const auto decoder = open_decoder(llama_pack, *ops);
  CHECK_THROWS_AS(last_logits(*decoder, std::vector<TokenId>{1 << 20}, 1), Error);
  CHECK_THROWS_AS(last_logits(*decoder, std::vector<TokenId>(257, 1), 257), Error);
}

TEST_CASE("all-MiniLM-L6-v2 embeds as the original does") {
  const fs::path checkpoint = kRoot / "models/all-minilm-l6-v2";
  if (!fs::exists(checkpoint / "config.json")) {
    MESSAGE("SKIP: models/all-minilm-l6-v2 is not there (scripts/fetch-models)");
    return;
  }
  for (const auto& [stored_as, floor] : {GoldenModel::Floor{Precision::fp32, 0.999999}, {Precision::int8, 0.985}}) {
    const Precision precision = stored_as;  // Clang 14 captures no structured binding
    CAPTURE(to_string(precision));
    const TemporaryPack made(checkpoint, precision);
    const Pack pack(made.path);
    ThreadPool threads(2);
    const auto ops = make_cpu_ops(threads, Budget::unlimited());
    const auto model = open_embedder(pack, *ops);
    Outputs outputs("minilm");
    for (const auto expected : outputs.cases()) {
      const std::string_view text = expected["text"];
      std::vector<float> got(384);
      model->embed(std::span(&text, 1), TextRole::passage, got);
      CHECK(cosine(got, floats(expected["embedding"])) > floor);
    }
  }
}

TEST_CASE("SmolLM2 predicts as the original does") {
  const fs::path checkpoint = kRoot / "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!fs::exists(checkpoint)) {
    MESSAGE("SKIP: models/smollm2-135m-instruct is not there (scripts/fetch-models)");
    return;
  }
  for (const Precision precision : {Precision::fp32, Precision::keep}) {
    CAPTURE(to_string(precision));
    const TemporaryPack made(checkpoint, precision);
    const Pack pack(made.path);
    ThreadPool threads(2);
    const auto ops = make_cpu_ops(threads, Budget::unlimited());
    const auto model = open_decoder(pack, *ops);
    Outputs outputs("smollm2");
    for (const auto expected : outputs.cases()) {
      const auto tokens = ids(expected["ids"]);
      CHECK(model->tokenizer().encode(std::string_view(expected["text"]), false) == tokens);
      const auto logits = last_logits(*model, tokens, tokens.size());
      std::vector<float> top;
      for (const TokenId id : ids(expected["top_ids"])) top.push_back(logits[static_cast<size_t>(id)]);
      CHECK(max_difference(top, floats(expected["top_logits"])) < (precision == Precision::fp32 ? 2e-3 : 1.0));
    }
  }
}
