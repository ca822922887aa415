// BLIP-2 (Li et al. 2023): an image becomes a few rows of a language model (towers/blip2_image.h), which stand first in
// what OPT continues, or first in what Flan-T5 reads.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/arch/opt.h"
#include "model/arch/t5.h"
#include "model/nn/architecture.h"
#include "model/nn/chat_config.h"
#include "model/nn/config_reader.h"
#include "model/nn/vision_language.h"
#include "model/towers/blip2_image.h"

namespace frugal {
namespace {

// The tokens that begin a text and that end it; for T5 the one that asks for a caption. Packs with OPT have no
// kLanguageKey.
constexpr std::string_view kStartKey = "blip2.start", kEndKey = "blip2.end", kLanguageKey = "blip2.language";
constexpr int64_t kMaxVocab = 1 << 24;

// A request as its model card asks.
std::string question_of(std::string_view request) {
  return fmt::format("Question: {} Answer:", request);
}

TokenId require_token(const ModelConfig& pack, std::string_view key, int64_t vocab) {
  return static_cast<TokenId>(pack.require_int(key, 0, vocab - 1));
}

// --- OPT -----------------------------------------------------------------------------------------------------------

class Blip2Opt final : public VisionDecoder {
 public:
  Blip2Opt(const ModelSource& source, Ops& ops)
      : ops_(ops),
        language_(open_opt(source, ops)),
        hidden_(source.config().require_int("opt.hidden", 1, 1 << 20)),
        image_(source, ops, hidden_),
        start_(require_token(source.config(), kStartKey, language_->vocab_size())),
        end_(require_token(source.config(), kEndKey, language_->vocab_size())) {}

  std::string identity() const override { return language_->identity(); }

  std::vector<TokenId> ends() const override {
    std::vector<TokenId> ends = {end_};
    if (const auto eos = language_->tokenizer().eos()) ends.push_back(*eos);
    return ends;
  }

  Decoder& language() override { return *language_; }
  const Decoder& language() const override { return *language_; }
  int64_t image_tokens(ImageSize) const override { return image_.rows(); }

  Prompt prompt(std::string_view request) const override {
    Prompt prompt{{}, {start_}};
    if (request.empty()) return prompt;
    const std::vector<TokenId> ids = language_->tokenizer().encode(question_of(request), false);
    prompt.after.insert(prompt.after.end(), ids.begin(), ids.end());
    return prompt;
  }

  void read_image(const RgbImage& image, Budget& budget, KvCache& cache) override {
    const Ops::Scope scope(ops_);
    const View queries = image_.read(ops_, image, budget);
    const View rows = ops_.allocate(Shape{image_.rows(), hidden_});
    image_.project(ops_, queries, rows);
    language_->read_rows(rows, cache);
  }

 private:
  Ops& ops_;
  std::unique_ptr<CausalDecoder> language_;
  int64_t hidden_;  // of the language model
  Blip2Image image_;
  TokenId start_, end_;
};

// --- T5 ------------------------------------------------------------------------------------------------------------

class T5ImageText final : public ImageText {
 public:
  T5ImageText(EncoderDecoder& language, BeamCache cache, int64_t prompt_tokens)
      // The start token takes a place.
      : ImageText(prompt_tokens, cache.capacity() - 1), language_(language), cache_(std::move(cache)) {}

  void append(TokenId id, std::span<float> logits) override { language_.decode(std::span(&id, 1), cache_, logits); }

 private:
  EncoderDecoder& language_;
  BeamCache cache_;
};

class Blip2T5 final : public VisionLanguage {
 public:
  Blip2T5(const ModelSource& source, Ops& ops)
      : ops_(ops),
        language_(open_t5(source, ops)),
        image_(source, ops, language_->hidden()),
        start_(require_token(source.config(), kStartKey, language_->vocab_size())) {}

  std::string identity() const override { return language_->identity(); }
  int64_t vocab_size() const override { return language_->vocab_size(); }
  const Tokenizer& tokenizer() const override { return language_->tokenizer(); }
  std::vector<TokenId> ends() const override { return language_->settings().ends; }

  std::unique_ptr<ImageText> read(const RgbImage& image, std::string_view request, int64_t max_tokens,
                                  std::span<float> logits, Budget& budget, KvType type) override {
    const std::vector<TokenId> ids = source_ids(request);
    const int64_t tokens = image_.rows() + int64_t(ids.size());
    language_->check_source(tokens);
    auto text = std::make_unique<T5ImageText>(*language_, encode(image, ids, max_tokens + 1, budget, type), tokens);
    text->append(language_->settings().decoder_start, logits);
    return text;
  }

 private:
  // A request has the tokens around it that the tokenizer adds.
  std::vector<TokenId> source_ids(std::string_view request) const {
    if (request.empty()) return {start_};
    const std::span<const TokenId> before = tokenizer().prefix(), after = tokenizer().suffix();
    const std::vector<TokenId> asked = tokenizer().encode(question_of(request), false);
    std::vector<TokenId> ids(before.begin(), before.end());
    ids.insert(ids.end(), asked.begin(), asked.end());
    ids.insert(ids.end(), after.begin(), after.end());
    return ids;
  }

  // Reads the rows of the image and those of the tokens behind it.
  BeamCache encode(const RgbImage& image, std::span<const TokenId> ids, int64_t capacity, Budget& budget, KvType type) {
    const Ops::Scope scope(ops_);
    const View queries = image_.read(ops_, image, budget);
    const auto count = static_cast<int64_t>(ids.size());
    const View rows = ops_.allocate(Shape{image_.rows() + count, language_->hidden()});
    image_.project(ops_, queries, rows.slice_rows(0, image_.rows()));
    language_->embed_source(ids, rows.slice_rows(image_.rows(), count));
    return language_->encode_rows(rows, 1, capacity, budget, type);
  }

  Ops& ops_;
  std::unique_ptr<EncoderDecoder> language_;
  Blip2Image image_;
  TokenId start_;
};

// --- plan of a checkpoint ------------------------------------------------------------------------------------------

constexpr std::string_view kText = "text_config.";

// Adds the keys and tensors of the language model. Returns the size of a token's row.
int64_t plan_language(const Checkpoint& checkpoint, ModelPlan& plan) {
  const ConfigReader text(checkpoint, std::string(kText));
  const std::string language = text.text({"model_type", ""}).value_or("opt");
  if (language != "opt" && language != "t5")
    throw Error(Code::bad_input, fmt::format("BLIP-2 with '{}' is not supported", language))
        .hint("use a checkpoint with OPT or T5, such as blip2-opt-2.7b or blip2-flan-t5-xl");
  const auto put = [&](std::string_view key, std::string_view from, int64_t fallback) {
    plan.config[std::string(key)] = fmt::format("{}", text.integer({from, ""}, 0, kMaxVocab, fallback));
  };
  const bool is_opt = language == "opt";
  TensorTable table({is_opt ? "language_model.model.decoder." : "language_model."});
  put(kStartKey, "bos_token_id", is_opt ? 2 : 1);
  if (is_opt)
    put(kEndKey, "eos_token_id", 2);
  else
    plan.config[std::string(kLanguageKey)] = language;
  const int64_t hidden = is_opt ? plan_opt(checkpoint, text, table, plan.config)
                                : plan_t5(checkpoint, std::string(kText), table, plan.config);
  plan.tensors = std::move(table).take();
  return hidden;
}

ModelPlan plan(const Checkpoint& checkpoint) {
  if (ConfigReader(checkpoint).gguf())
    throw Error(Code::bad_input, "BLIP-2 is not read from GGUF").hint("give the Hugging Face folder of the model");
  ModelPlan plan;
  TensorTable image;
  plan_blip2_image(checkpoint, plan_language(checkpoint, plan), image, plan.config);
  plan_chat(checkpoint, plan.config);
  // In the order of a forward pass.
  std::vector<TensorSpec> tensors = std::move(image).take();
  for (TensorSpec& spec : plan.tensors) tensors.push_back(std::move(spec));
  plan.tensors = std::move(tensors);
  return plan;
}

std::unique_ptr<Model> open(const ModelSource& source, Ops& ops) {
  const std::string_view language = source.config().text(kLanguageKey).value_or("opt");
  if (language == "t5") return std::make_unique<Blip2T5>(source, ops);
  if (language != "opt")
    source.config().fail(fmt::format("config key '{}' is '{}', expected opt or t5", kLanguageKey, language));
  return std::make_unique<Blip2Opt>(source, ops);
}

constexpr std::string_view kAliases[] = {"blip-2"};

}  // namespace

extern const Architecture kBlip2Architecture{"blip2", kAliases, ModelKind::vision_language, plan, open};

}  // namespace frugal
