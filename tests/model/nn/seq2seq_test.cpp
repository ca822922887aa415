// What encoder-decoders of every architecture share: their settings and their cache.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "memory/budget.h"
#include "model/nn/beam_cache.h"
#include "model/nn/seq2seq_settings.h"
#include "support/toy_pack.h"

using namespace frugal;
using frugal::testing::ToyPack;

namespace {

// A checkpoint whose generation_config.json is `generation`, over a config.json with some numbers.
class ToyCheckpoint final : public Checkpoint {
 public:
  std::string generation;
  std::map<std::string, int64_t, std::less<>> config;
  std::string summary_prefix;

  std::string_view format() const override { return "safetensors"; }
  std::string architecture() const override { return "toy"; }
  std::span<const SourceTensor> tensors() const override { return {}; }
  std::optional<std::string> text(std::string_view key) const override {
    if (key != "task_specific_params.summarization.prefix" || summary_prefix.empty()) return std::nullopt;
    return summary_prefix;
  }
  std::optional<int64_t> integer(std::string_view key) const override {
    const auto at = config.find(key);
    return at == config.end() ? std::nullopt : std::optional(at->second);
  }
  std::optional<double> number(std::string_view key) const override {
    const auto value = integer(key);
    return value ? std::optional(double(*value)) : std::nullopt;
  }
  std::vector<double> numbers(std::string_view) const override { return {}; }
  TokenizerSource tokenizer() const override { return {}; }
  std::optional<std::string> side_file(std::string_view name) const override {
    if (name != "generation_config.json" || generation.empty()) return std::nullopt;
    return generation;
  }
  std::vector<std::filesystem::path> files() const override { return {}; }
};

constexpr int64_t kVocab = 100;

ToyPack planned(const ToyCheckpoint& checkpoint) {
  ToyPack pack;
  plan_seq2seq(checkpoint, kVocab, pack.entries);
  return pack;
}

}  // namespace

TEST_CASE("settings of generation_config.json precede those of config.json, and reach the pack") {
  ToyCheckpoint checkpoint;
  checkpoint.config = {{"decoder_start_token_id", 2}, {"num_beams", 6}, {"max_length", 62}, {"eos_token_id", 2}};
  checkpoint.generation = R"({"num_beams": 4, "length_penalty": 2.0, "early_stopping": true, "eos_token_id": [2, 7],
                              "no_repeat_ngram_size": 3, "min_length": 12, "forced_bos_token_id": 0,
                              "forced_eos_token_id": null})";
  const Seq2SeqSettings settings = read_seq2seq(planned(checkpoint), kVocab);
  CHECK(settings.decoder_start == 2);
  CHECK(settings.ends == std::vector<TokenId>{2, 7});
  CHECK(settings.forced_bos == std::optional<TokenId>(0));
  CHECK(!settings.forced_eos);
  CHECK(settings.num_beams == 4);
  CHECK(settings.length_penalty == 2.0);
  CHECK(settings.early_stopping == EarlyStopping::yes);
  CHECK(settings.no_repeat_ngram_size == 3);
  CHECK(settings.min_length == 12);
  CHECK(settings.max_length == 62);
  CHECK(settings.summary_prefix.empty());
}

TEST_CASE("a checkpoint without settings is greedy, and its first token is the beginning of a sequence") {
  ToyCheckpoint checkpoint;
  checkpoint.config = {{"bos_token_id", 5}};
  const Seq2SeqSettings settings = read_seq2seq(planned(checkpoint), kVocab);
  CHECK(settings.decoder_start == 5);
  CHECK(settings.ends.empty());
  CHECK(settings.num_beams == 1);
  CHECK(settings.early_stopping == EarlyStopping::no);
  checkpoint.generation = R"({"early_stopping": "never"})";
  checkpoint.summary_prefix = "summarize: ";
  CHECK(read_seq2seq(planned(checkpoint), kVocab).early_stopping == EarlyStopping::never);
  CHECK(read_seq2seq(planned(checkpoint), kVocab).summary_prefix == "summarize: ");
}

TEST_CASE("the settings of a part of a model are those of its part of the configuration alone") {
  ToyCheckpoint checkpoint;
  checkpoint.config = {{"decoder_start_token_id", 1},
                       {"text_config.decoder_start_token_id", 2},
                       {"num_beams", 6},
                       {"text_config.eos_token_id", 7}};
  checkpoint.generation = R"({"num_beams": 4, "eos_token_id": 8})";
  ToyPack pack;
  plan_seq2seq(checkpoint, kVocab, pack.entries, "text_config.");
  const Seq2SeqSettings settings = read_seq2seq(pack, kVocab);
  CHECK(settings.decoder_start == 2);
  CHECK(settings.ends == std::vector<TokenId>{7});
  CHECK(settings.num_beams == 1);
}

TEST_CASE("settings that are missing or out of range are errors, in a checkpoint and in a pack") {
  ToyCheckpoint checkpoint;
  CHECK_THROWS_WITH_AS(planned(checkpoint), doctest::Contains("decoder_start_token_id"), Error);
  checkpoint.config = {{"decoder_start_token_id", 100}};
  CHECK_THROWS_WITH_AS(planned(checkpoint), doctest::Contains("'decoder_start_token_id' is 100"), Error);
  checkpoint.config = {{"decoder_start_token_id", 0}, {"num_beams", 1'000'000}};
  CHECK_THROWS_WITH_AS(planned(checkpoint), doctest::Contains("'num_beams' is 1000000"), Error);
  checkpoint.config = {{"decoder_start_token_id", 0}};
  for (const char* ends : {"[1e300]", "[-1]", "[1, 100]"}) {
    CAPTURE(ends);
    checkpoint.generation = std::string(R"({"eos_token_id": )") + ends + "}";
    CHECK_THROWS_WITH_AS(planned(checkpoint), doctest::Contains("eos_token_id"), Error);
  }
  checkpoint.generation.clear();
  const ToyPack good = planned(checkpoint);
  const std::pair<std::string, std::string> changes[] = {
      {"seq2seq.eos_token_id", "1,,2"}, {"seq2seq.eos_token_id", "100"},       {"seq2seq.early_stopping", "maybe"},
      {"seq2seq.num_beams", "0"},       {"seq2seq.forced_bos_token_id", "-1"}, {"seq2seq.length_penalty", "nan"}};
  for (const auto& change : changes) {
    CAPTURE(change.first);
    ToyPack pack = good;
    pack.entries[change.first] = change.second;
    CHECK_THROWS_AS(read_seq2seq(pack, kVocab), Error);
  }
}

// Keys and values of a token depend on it and on its position alone, so two caches that hold the same texts attend
// alike.
TEST_CASE("texts of a cache that are reordered attend as if each had been written alone") {
  constexpr int64_t kHeads = 2, kDim = 8, kWidth = kHeads * kDim, kBeams = 3;
  ThreadPool threads(1);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  const AttentionSpec spec{kHeads, kHeads, kDim, 0.3f, true};
  const auto row_of = [&](TokenId id, int64_t position, View to) {
    for (int64_t d = 0; d < kWidth; ++d)
      to.row<float>(0)[d] =
          std::sin(static_cast<float>(d + 1) * static_cast<float>(id + 1) + static_cast<float>(position));
  };
  // The output of attention after one token more of each text.
  const auto step = [&](BeamCache& cache, const std::vector<TokenId>& ids) {
    cache.extend(1);
    const Ops::Scope scope(*ops);
    const Shape shape{int64_t(ids.size()), kWidth};
    const View rows = ops->allocate(shape), out = ops->allocate(shape);
    for (int64_t i = 0; i < rows.rows(); ++i) row_of(ids[size_t(i)], cache.length(), rows.slice_rows(i, 1));
    for (int64_t layer = 0; layer < 2; ++layer) cache.attend(layer, spec, rows, rows, rows, out);
    cache.advance(ids);
    std::vector<float> values(static_cast<size_t>(out.shape.elements()));
    ops->download(out, values);
    return values;
  };
  for (const KvType type : {KvType::f32, KvType::f16, KvType::int8}) {
    BeamCache cache(*ops, {2, kHeads, kDim, type}, 1, kBeams, 16, Budget::unlimited());
    step(cache, {1, 1, 1});
    step(cache, {2, 3, 4});
    cache.reorder(std::vector<size_t>{1, 0, 0});  // 1 3 | 1 2 | 1 2
    step(cache, {5, 6, 7});
    cache.reorder(std::vector<size_t>{2, 2, 1});  // 1 2 7 | 1 2 7 | 1 2 6
    const std::vector<float> got = step(cache, {8, 9, 8});
    const std::vector<TokenId> texts[] = {{1, 2, 7, 8}, {1, 2, 7, 9}, {1, 2, 6, 8}};
    for (size_t i = 0; i < kBeams; ++i) {
      BeamCache alone(*ops, {2, kHeads, kDim, type}, 1, 1, 16, Budget::unlimited());
      std::vector<float> want;
      for (const TokenId id : texts[i]) want = step(alone, {id});
      CHECK(want == std::vector<float>(got.begin() + ptrdiff_t(i * kWidth), got.begin() + ptrdiff_t((i + 1) * kWidth)));
    }
  }
}
