// Qwen3-VL beyond what every model of images is tested for: texts alone, images of many rows, what a damaged or
// unfitting checkpoint is told.
#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/thread_pool.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "model/format/pack.h"
#include "model/nn/kv_cache.h"
#include "model/nn/vision_language.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/images.h"
#include "support/temp_folder.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

const std::filesystem::path kGolden = kRoot / "tests/golden/qwen3-vl";
constexpr double kLargestLogitError = 1e-3;

struct OpenModel {
  TemporaryPack made{kGolden, Precision::fp32};
  Pack pack{made.path};
  ThreadPool threads{2};
  std::unique_ptr<Ops> ops = make_cpu_ops(threads, Budget::unlimited());
  std::unique_ptr<VisionDecoder> model = open_as<VisionDecoder>(PackSource(pack), *ops);

  std::vector<float> logits(std::span<const TokenId> tokens, KvCache& cache) const {
    std::vector<float> logits(static_cast<size_t>(model->language().vocab_size()));
    model->language().forward(tokens, cache, logits);
    return logits;
  }
};

struct Change {
  std::string file, from, to;
};

// The plan of the golden checkpoint with `from` in its file replaced by `to`.
ModelPlan changed_plan(const Change& change) {
  const TempFolder folder;
  const std::filesystem::path copy = folder / "changed";
  std::filesystem::copy(kGolden, copy);
  std::string text = read_file(copy / change.file);
  const size_t at = text.find(change.from);
  REQUIRE(at != std::string::npos);
  write_file(copy / change.file, text.replace(at, change.from.size(), change.to));
  return plan_model(*open_checkpoint(copy));
}

}  // namespace

TEST_CASE("Qwen3-VL reads texts alone as the original does, with its chat template") {
  const OpenModel open;
  CHECK(open.model->language().chat_family() == ChatFamily::chatml);
  CHECK(open.model->language().default_system().empty());
  Outputs outputs("qwen3-vl");
  for (const auto expected : outputs.root()["texts"].get_array()) {
    const std::vector<ChatMessage> messages = {{"user", std::string(std::string_view(expected["text"]))}};
    std::vector<TokenId> tokens;
    for (const ChatPiece& piece : render_chat(ChatFamily::chatml, messages))
      for (const TokenId id : open.model->language().tokenizer().encode(piece.text, piece.markup)) tokens.push_back(id);
    CHECK(tokens == ids(expected["ids"]));
    KvCache cache = open.model->language().make_cache(200, Budget::unlimited());
    CHECK(max_difference(open.logits(tokens, cache), floats(expected["last_logits"])) < kLargestLogitError);
    CHECK(cache.next_position() == cache.length());
  }
}

TEST_CASE("the language model of Qwen3-VL alone is a decoder that writes the same") {
  const auto source = open_checkpoint_source(kGolden, "test", {.kind = ModelKind::decoder});
  ThreadPool threads(2);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  const auto decoder = open_decoder(*source, *ops);
  Outputs outputs("qwen3-vl");
  for (const auto expected : outputs.root()["texts"].get_array()) {
    const std::vector<TokenId> tokens = ids(expected["ids"]);
    KvCache cache = decoder->make_cache(200, Budget::unlimited());
    std::vector<float> logits(static_cast<size_t>(decoder->vocab_size()));
    decoder->forward(tokens, cache, logits);
    CHECK(max_difference(logits, floats(expected["last_logits"])) < kLargestLogitError);
  }
}

TEST_CASE("an image of more rows than a forward pass has is read in pieces") {
  const OpenModel open;
  Outputs outputs("qwen3-vl");
  const auto expected = outputs.root()["long"];
  const RgbImage image =
      pattern_image(int64_t(expected["width"]), int64_t(expected["height"]), int(int64_t(expected["pattern"])));
  const int64_t rows = open.model->image_tokens({image.width(), image.height()});
  CHECK(rows == int64_t(expected["image_tokens"]));
  CHECK(rows > 512);
  const VisionDecoder::Prompt prompt = open.model->prompt("");
  KvCache cache = open.model->language().make_cache(1000, Budget::unlimited());
  open.model->language().forward(prompt.before, cache, {});
  open.model->read_image(image, Budget::unlimited(), cache);
  CHECK(cache.length() == int64_t(prompt.before.size()) + rows);
  CHECK(cache.next_position() < cache.length());
  CHECK(max_difference(open.logits(prompt.after, cache), floats(expected["first_logits"])) < kLargestLogitError);
  CHECK(max_difference(open.logits(ids(expected["text"]), cache), floats(expected["last_logits"])) <
        kLargestLogitError);
}

TEST_CASE("a limit of pixels makes images smaller, within the bounds of the processor") {
  const OpenModel open;
  CHECK(open.model->image_tokens({190, 181}) == 552);
  open.model->limit_pixels(1 << 28);
  CHECK(open.model->image_tokens({190, 181}) == 552);
  open.model->limit_pixels(8 * 8 * 100);
  CHECK(open.model->image_tokens({190, 181}) <= 100);
  CHECK(open.model->image_tokens({190, 181}) > 60);
  CHECK(open.model->image_tokens({50, 37}) == 30);  // small enough
  open.model->limit_pixels(1);
  CHECK(open.model->image_tokens({190, 181}) == 2);
}

TEST_CASE("rotary positions are read in the form of transformers 4, too, which published checkpoints have") {
  const std::string now = R"("rope_parameters": {
      "mrope_interleaved": true,
      "mrope_section": [
        4,
        2,
        2
      ],
      "rope_theta": 50000.0,
      "rope_type": "default"
    },)";
  const std::string published = R"("rope_theta": 50000,
    "rope_scaling": {"mrope_interleaved": true, "mrope_section": [4, 2, 2], "rope_type": "default"},)";
  CHECK(changed_plan({"config.json", now, published}).config == plan_model(*open_checkpoint(kGolden)).config);
}

TEST_CASE("a checkpoint of Qwen3-VL that contradicts itself is refused by name") {
  struct Case {
    Change change;
    std::string part;
  };
  const std::array<Case, 9> cases{{
      {{"config.json", "\"num_position_embeddings\": 25", "\"num_position_embeddings\": 24"}, "24 is no square"},
      {{"config.json", "      0,\n      1\n", "      1,\n      0\n"}, "deepstack_visual_indexes"},
      {{"config.json", "      0,\n      1\n", "      0,\n      3\n"}, "deepstack_visual_indexes"},
      {{"config.json", "        4,\n        2,\n", "        3,\n        2,\n"}, "do not fill heads of 16"},
      {{"config.json", "\"mrope_interleaved\": true", "\"mrope_interleaved\": false"}, "mrope_interleaved"},
      {{"config.json", "\"out_hidden_size\": 32", "\"out_hidden_size\": 48"}, "rows of images have 48 values"},
      {{"config.json", "\"num_heads\": 2", "\"num_heads\": 8"}, "8 heads"},
      {{"config.json", "\"in_channels\": 3", "\"in_channels\": 4"}, "in_channels"},
      {{"preprocessor_config.json", "\"patch_size\": 4", "\"patch_size\": 5"}, "patches of 4 × 4 pixels"},
  }};
  for (const Case& contradiction : cases) {
    const std::string message = message_of([&] { changed_plan(contradiction.change); });
    CHECK_MESSAGE(contains(message, contradiction.part), message);
  }
}

TEST_CASE("an image that leaves no room in the context or in the budget is an error, and the cache stays as it was") {
  const OpenModel open;
  KvCache cache = open.model->language().make_cache(40, Budget::unlimited());
  const auto error = error_of([&] { open.model->read_image(pattern_image(100, 90, 1), Budget::unlimited(), cache); });
  REQUIRE(error);
  CHECK(error->code() == Code::bad_input);
  CHECK(cache.length() == 0);
  Budget small(1024);
  const auto over = error_of([&] { open.model->read_image(pattern_image(50, 37, 1), small, cache); });
  REQUIRE(over);
  CHECK(over->code() == Code::over_budget);
  CHECK(cache.length() == 0);
  CHECK(error_of([&] { open.model->image_tokens({2000, 4}); }));  // too long and narrow
}
