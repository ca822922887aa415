// Gemma 2 and 3 beyond what golden_test.cpp asks of every decoder: texts longer than the window, what they generate,
// and which checkpoints are refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/thread_pool.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "model/format/checkpoint.h"
#include "model/format/pack.h"
#include "model/nn/decoder.h"
#include "model/nn/kv_cache.h"
#include "model/tokenize/tokenizer.h"
#include "support/backends.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/temp_folder.h"

using namespace frugal;
using namespace frugal::testing;
namespace fs = std::filesystem;

namespace {

constexpr double kLargestError = 1e-4;
constexpr const char* kGoldens[] = {"gemma2", "gemma3", "gemma3-images", "gemma3-gguf"};

fs::path checkpoint_of(const std::string& golden) {
  const fs::path folder = kRoot / "tests/golden" / golden;
  return fs::exists(folder / "model.gguf") ? folder / "model.gguf" : folder;
}

TokenId likeliest(std::span<const float> logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// A copy of a golden checkpoint whose config.json has `to` for `from`.
fs::path changed(const TempFolder& folder, const std::string& golden, const std::string& from, const std::string& to) {
  const fs::path copy = folder / std::to_string(std::hash<std::string>()(golden + from + to));
  fs::copy(kRoot / "tests/golden" / golden, copy);
  std::string config = read_file(copy / "config.json");
  REQUIRE(config.find(from) != std::string::npos);
  config.replace(config.find(from), from.size(), to);
  write_file(copy / "config.json", config);
  return copy;
}

std::map<std::string, std::string> plan_of(const fs::path& checkpoint) {
  return plan_model(*open_checkpoint(checkpoint)).config;
}

}  // namespace

TEST_CASE("Gemma's logits are those of transformers after every token, within the window and beyond it") {
  for (const std::string golden : kGoldens) {
    CAPTURE(golden);
    const TemporaryPack made(checkpoint_of(golden), Precision::fp32);
    const Pack pack(made.path);
    on_every_backend([&](Ops& ops) {
      const auto model = open_decoder(pack, ops);
      const auto vocab = static_cast<size_t>(model->vocab_size());
      Outputs outputs(golden);
      for (const auto expected : outputs.cases()) {
        const auto tokens = ids(expected["ids"]);
        std::vector<float> logits(tokens.size() * vocab);
        KvCache cache = model->make_cache(int64_t(tokens.size()), Budget::unlimited());
        model->forward_all(tokens, cache, logits);
        CHECK(max_difference(std::span(logits).last(vocab), floats(expected["last_logits"])) < kLargestError);
        std::vector<TokenId> first;
        for (size_t t = 0; t < tokens.size(); ++t)
          first.push_back(likeliest(std::span(logits).subspan(t * vocab, vocab)));
        CHECK(first == ids(expected["argmax"]));
      }
    });
  }
}

TEST_CASE("Gemma generates what transformers generates, token by token past the end of the window") {
  for (const std::string golden : kGoldens) {
    CAPTURE(golden);
    const TemporaryPack made(checkpoint_of(golden), Precision::fp32);
    const Pack pack(made.path);
    on_every_backend([&](Ops& ops) {
      const auto model = open_decoder(pack, ops);
      Outputs outputs(golden);
      for (const auto expected : outputs.cases()) {
        const auto prompt = ids(expected["ids"]), want = ids(expected["greedy"]);
        std::vector<float> logits(static_cast<size_t>(model->vocab_size()));
        KvCache cache = model->make_cache(int64_t(prompt.size() + want.size()), Budget::unlimited());
        model->forward(prompt, cache, logits);
        std::vector<TokenId> got;
        while (got.size() < want.size()) {
          got.push_back(likeliest(logits));
          model->forward(std::span(&got.back(), 1), cache, logits);
        }
        CHECK(got == want);
      }
    });
  }
}

TEST_CASE("a GGUF file of Gemma tokenises as SentencePiece does") {
  const TemporaryPack made(checkpoint_of("gemma3-gguf"), Precision::int8);
  const Pack pack(made.path);
  ThreadPool threads(1);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  const auto model = open_decoder(pack, *ops);
  const Tokenizer& tokenizer = model->tokenizer();
  Outputs outputs("gemma3-gguf");
  for (const auto expected : outputs.root()["texts"]) {
    const std::string_view text = expected["text"];
    CAPTURE(text);
    std::vector<TokenId> got(tokenizer.prefix().begin(), tokenizer.prefix().end());
    for (const TokenId id : tokenizer.encode(text, false)) got.push_back(id);
    CHECK(got == ids(expected["ids"]));
    CHECK(tokenizer.decode(got, false) == text);
  }
}

TEST_CASE("the keys of a Gemma's pack say which layers see a window, and how positions turn in each kind") {
  auto keys = plan_of(checkpoint_of("gemma2"));
  CHECK(keys["gemma.windowed"] == "10");
  CHECK(keys["gemma.attention_cap"] == "3");
  CHECK(keys["gemma.logit_cap"] == "6");
  CHECK(keys["gemma.rope.theta"] == keys["gemma.window.rope.theta"]);
  keys = plan_of(checkpoint_of("gemma3"));
  CHECK(keys["gemma.windowed"] == "110");
  CHECK(keys["gemma.attention_cap"] == "0");
  CHECK(keys["gemma.rope.theta"] == "1000000");
  CHECK(keys["gemma.rope.factor"] == "8");
  CHECK(keys["gemma.window.rope.theta"] == "10000");
  CHECK(keys["gemma.window.rope.scaling"] == "none");
  CHECK(keys["chat.family"] == "gemma");
  keys = plan_of(checkpoint_of("gemma3-gguf"));
  CHECK(keys["gemma.windowed"] == "111110");
  CHECK(keys["gemma.rope.scaling"] == "linear");
  CHECK(keys["gemma.window.rope.scaling"] == "none");
}

TEST_CASE("configurations of Gemma 3 before transformers 5 mean the same") {
  const TempFolder folder;
  const fs::path copy = folder / "old";
  fs::copy(checkpoint_of("gemma3"), copy);
  write_file(copy / "config.json", R"({"model_type": "gemma3_text", "hidden_size": 32, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 48, "max_position_embeddings": 256,
    "num_hidden_layers": 3, "query_pre_attn_scalar": 20, "rms_norm_eps": 1e-06, "sliding_window": 12,
    "sliding_window_pattern": 3, "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0,
    "rope_scaling": {"rope_type": "linear", "factor": 8.0}})");
  CHECK(plan_of(copy) == plan_of(checkpoint_of("gemma3")));
}

TEST_CASE("a Gemma 3 with images is read under the names that its tensors had before transformers 5, too") {
  const TempFolder folder;
  const fs::path copy = folder / "old";
  fs::copy(checkpoint_of("gemma3-images"), copy);
  std::string weights = read_file(copy / "model.safetensors");
  const std::string now = "model.language_model.", before = "language_model.model.";  // of one length
  for (size_t at = weights.find(now); at != std::string::npos; at = weights.find(now))
    weights.replace(at, now.size(), before);
  write_file(copy / "model.safetensors", weights);
  ThreadPool threads(1);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  std::vector<std::vector<float>> logits;
  for (const fs::path& checkpoint : {checkpoint_of("gemma3-images"), copy}) {
    const TemporaryPack made(checkpoint, Precision::fp32);
    const Pack pack(made.path);
    const auto model = open_decoder(pack, *ops);
    KvCache cache = model->make_cache(3, Budget::unlimited());
    logits.emplace_back(static_cast<size_t>(model->vocab_size()));
    model->forward(std::vector<TokenId>{2, 9, 40}, cache, logits.back());
  }
  CHECK(logits[0] == logits[1]);
}

TEST_CASE("a Gemma that would compute something else is refused by name") {
  const TempFolder folder;
  const auto refusal = [&](const std::string& golden, const std::string& from, const std::string& to) {
    const fs::path copy = changed(folder, golden, from, to);
    const std::optional<Error> error = error_of([&] { plan_of(copy); });
    REQUIRE(error);
    CHECK(error->code() == Code::bad_input);
    return error->message();
  };
  CHECK(contains(refusal("gemma3", "\"use_bidirectional_attention\": false", "\"use_bidirectional_attention\": true"),
                 "EmbeddingGemma"));
  CHECK(contains(refusal("gemma3", "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false"), "output layer"));
  CHECK(contains(refusal("gemma3", "\"full_attention\"\n", "\"chunked_attention\"\n"), "'chunked_attention'"));
  CHECK(contains(refusal("gemma3", "\"sliding_window\": 12", "\"sliding_window\": 1"), "'sliding_window' is 1"));
  CHECK(contains(refusal("gemma3", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3"), "key-value heads"));
  CHECK(contains(refusal("gemma2", "\"attn_logit_softcapping\": 3.0", "\"attn_logit_softcapping\": null"),
                 "lacks 'attn_logit_softcapping'"));
  CHECK(contains(refusal("gemma3", "\"rope_type\": \"default\"", "\"rope_type\": \"dynamic\""), "'dynamic'"));
}
