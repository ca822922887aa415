// Searches of an encoder-decoder against the texts of transformers' generate() (scripts/make_seq2seq_goldens.py).
#include "model/generate/seq2seq_generator.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "model/format/pack.h"
#include "support/backends.h"
#include "support/golden.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

const char* const kModels[] = {"t5", "t5-tied", "bart", "bart-scaled"};

// The settings of a call of generate() over those of the model.
Seq2SeqSettings overridden(Seq2SeqSettings settings, simdjson::dom::element changes) {
  const auto set = [&](const char* key, auto& member) {
    if (int64_t value = 0; !changes[key].get(value)) member = static_cast<std::decay_t<decltype(member)>>(value);
  };
  set("num_beams", settings.num_beams);
  set("max_length", settings.max_length);
  set("min_length", settings.min_length);
  set("no_repeat_ngram_size", settings.no_repeat_ngram_size);
  if (double value = 0; !changes["length_penalty"].get(value)) settings.length_penalty = value;
  if (bool value = false; !changes["early_stopping"].get(value))
    settings.early_stopping = value ? EarlyStopping::yes : EarlyStopping::no;
  if (std::string_view never; !changes["early_stopping"].get(never)) settings.early_stopping = EarlyStopping::never;
  if (int64_t id = 0; !changes["forced_bos_token_id"].get(id)) settings.forced_bos = static_cast<TokenId>(id);
  if (int64_t id = 0; !changes["forced_eos_token_id"].get(id)) settings.forced_eos = static_cast<TokenId>(id);
  return settings;
}

}  // namespace

TEST_CASE("every search finds the texts that transformers finds, from every prompt") {
  for (const char* name : kModels) {
    CAPTURE(name);
    const TemporaryPack made(kRoot / "tests/golden" / name, Precision::fp32);
    const Pack pack(made.path);
    Outputs outputs(name);
    std::vector<std::vector<TokenId>> prompts;
    for (const auto prompt : outputs.root()["prompts"].get_array()) prompts.push_back(ids(prompt));
    ThreadPool threads(2);
    const auto ops = make_cpu_ops(threads, Budget::unlimited());
    const auto model = open_as<Seq2Seq>(PackSource(pack), *ops);
    for (const auto search : outputs.root()["searches"].get_array()) {
      const std::string changes = simdjson::minify(search["settings"]);
      CAPTURE(changes);
      Seq2SeqSettings settings = overridden(model->settings(), search["settings"]);
      // transformers has another default, which the outputs were made with.
      if (changes == "{}" && !pack.text("seq2seq.max_length")) settings.max_length = 21;
      size_t i = 0;
      for (const auto expected : search["texts"].get_array()) {
        CAPTURE(i);
        CHECK(generate_tokens(*model, prompts[i++], settings, Budget::unlimited(), KvType::f32) == ids(expected));
      }
    }
  }
}

TEST_CASE("sources and settings that the model cannot take are errors that say so") {
  const TemporaryPack made(kRoot / "tests/golden/bart", Precision::int8);
  const Pack pack(made.path);
  ThreadPool threads(1);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  const auto model = open_as<Seq2Seq>(PackSource(pack), *ops);
  const auto generate = [&](const std::vector<TokenId>& source, const Seq2SeqSettings& settings) {
    return generate_tokens(*model, source, settings, Budget::unlimited());
  };
  const Seq2SeqSettings good = model->settings();
  CHECK_THROWS_WITH_AS(generate({}, good), "the input has 0 tokens, the model takes 1 to 64", Error);
  CHECK_THROWS_WITH_AS(generate(std::vector<TokenId>(65, 5), good), "the input has 65 tokens, the model takes 1 to 64",
                       Error);
  CHECK_THROWS_WITH_AS(generate({300}, good), doctest::Contains("token id 300 is outside"), Error);
  CHECK_THROWS_WITH_AS(generate({-1}, good), doctest::Contains("token id -1 is outside"), Error);
  Seq2SeqSettings bad = good;
  bad.num_beams = 0;
  CHECK_THROWS_WITH_AS(generate({5}, bad), "num_beams is 0, outside [1, 64]", Error);
  bad = good;
  bad.ends = {300};
  CHECK_THROWS_WITH_AS(generate({5}, bad), doctest::Contains("a special token is 300"), Error);
  bad = good;
  bad.max_length = 1;
  CHECK_THROWS_WITH_AS(generate({5}, bad), doctest::Contains("max_length is 1"), Error);
  // Longer than the model's positions: cut to them.
  bad = good;
  bad.num_beams = 1;
  bad.max_length = 1000;
  bad.min_length = 1000;
  CHECK(generate({5}, bad).size() == 64);
}

TEST_CASE("a text is rewritten in the types of every cache, and cut if it is too long for the model") {
  const TemporaryPack made(kRoot / "tests/golden/bart", Precision::int8);
  const Pack pack(made.path);
  ThreadPool threads(1);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  const auto model = open_as<Seq2Seq>(PackSource(pack), *ops);
  std::string text = "The lighthouse keeper counts the ships at dusk. ";
  for (int i = 0; i < 6; ++i) text += text;
  for (const KvType type : {KvType::f32, KvType::f16, KvType::int8}) {
    const RewrittenText rewritten = rewrite_text(*model, text, model->settings(), Budget::unlimited(), type);
    CHECK(rewritten.source_tokens == model->max_source_tokens());
    CHECK(rewritten.new_tokens > 4);  // min_length is 6
    CHECK(rewritten.new_tokens < model->settings().max_length);
  }
}
