// CLIP (Radford et al. 2021): a causal encoder of texts and an encoder of images, trained so that the vectors of a text
// and of an image that fit each other are close. Both towers are in one pack.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/heads/source_tokenizer.h"
#include "model/heads/text_encoder.h"
#include "model/heads/token_ids.h"
#include "model/nn/architecture.h"
#include "model/nn/config_reader.h"
#include "model/nn/hyper_field.h"
#include "model/nn/image_config.h"
#include "model/nn/image_embedder.h"
#include "model/towers/clip_tower.h"
#include "model/towers/patch_embedding.h"

namespace frugal {
namespace {

// Older configurations, OpenAI's among them, have this for the end of a text, although it is the id of another token.
constexpr int64_t kLegacyEnd = 2;

struct TextConfig : ClipTowerConfig {
  int64_t positions, vocab, end;
};
using T = TextConfig;
constexpr HyperField<T> kTextFields[] = {
    {"layers", {"num_hidden_layers", ""}, &T::layers, {1, 1024}, 12.0},
    {"hidden", {"hidden_size", ""}, &T::hidden, {1, 1 << 20}, 512.0},
    {"heads", {"num_attention_heads", ""}, &T::heads, {1, 1024}, 8.0},
    {"intermediate", {"intermediate_size", ""}, &T::intermediate, {1, 1 << 22}, 2048.0},
    {"epsilon", {"layer_norm_eps", ""}, &T::epsilon, {0, 1}, 1e-5},
    {"activation", {"hidden_act", ""}, &T::activation, {}, "quick_gelu"},
    {"dimension", {}, &T::dimension, {1, 1 << 20}},
    {"positions", {"max_position_embeddings", ""}, &T::positions, {2, 1 << 20}, 77.0},
    {"vocab", {}, &T::vocab, {1, 1 << 24}},
    {"end", {"eos_token_id", ""}, &T::end, {0, 1 << 24}, 49407.0},
};
constexpr HyperTable<T> kText("clip.text", kTextFields);

struct ImageConfig : ClipTowerConfig {
  int64_t size, patch;

  PatchConfig patches() const { return {hidden, size, patch}; }
};
using I = ImageConfig;
constexpr HyperField<I> kImageFields[] = {
    {"layers", {"num_hidden_layers", ""}, &I::layers, {1, 1024}, 12.0},
    {"hidden", {"hidden_size", ""}, &I::hidden, {1, 1 << 20}, 768.0},
    {"heads", {"num_attention_heads", ""}, &I::heads, {1, 1024}, 12.0},
    {"intermediate", {"intermediate_size", ""}, &I::intermediate, {1, 1 << 22}, 3072.0},
    {"epsilon", {"layer_norm_eps", ""}, &I::epsilon, {0, 1}, 1e-5},
    {"activation", {"hidden_act", ""}, &I::activation, {}, "quick_gelu"},
    {"dimension", {}, &I::dimension, {1, 1 << 20}},
    {"size", {"image_size", ""}, &I::size, {1, 4096}, 224.0},
    {"patch", {"patch_size", ""}, &I::patch, {1, 1024}, 32.0},
};
constexpr HyperTable<I> kImage("clip.image", kImageFields);

// What is wrong with the configuration of a checkpoint or of a pack; empty if nothing is.
std::string fault_of(const TextConfig& text, const ImageConfig& image) {
  const std::array<const ClipTowerConfig*, 2> towers{&text, &image};
  for (const ClipTowerConfig* tower : towers)
    if (tower->hidden % tower->heads != 0)
      return fmt::format("hidden size {} is not a multiple of {} heads", tower->hidden, tower->heads);
  if (image.patch > image.size) return fmt::format("patches of {} pixels in images of {}", image.patch, image.size);
  if (text.dimension != image.dimension)
    return fmt::format("vectors of texts have {} values, those of images {}", text.dimension, image.dimension);
  return {};
}

class TextTower {
 public:
  TextTower(const ModelSource& source, const WeightLoader& load, Ops& ops, const TextConfig& c)
      : words_(source.embedding("text.words", c.vocab, c.hidden, ops)),
        positions_(source.embedding("text.positions", c.positions, c.hidden, ops)),
        tower_(load, c, "text", true),
        hidden_(c.hidden) {}

  void embed(Ops& ops, const TokenBatch& batch, std::span<const int64_t> ends, View out) const {
    const Ops::Scope scope(ops);
    const View x = ops.allocate(Shape{int64_t(batch.ids.size()), hidden_});
    frugal::embed(ops, words_, batch.ids, x, false);
    frugal::embed(ops, positions_, batch.positions, x, true);
    tower_.embed(ops, batch.spans, ends, x, out);
  }

 private:
  EmbeddingTable words_, positions_;
  ClipTower tower_;
  int64_t hidden_;
};

class ImageTower {
 public:
  ImageTower(const ModelSource& source, const WeightLoader& load, Ops& ops, const ImageConfig& c)
      : patches_(c.patches()),
        input_(source, load, ops, patches_),
        norm_(load.norm("image.first_norm", NormKind::layer, c.hidden, c.epsilon)),
        tower_(load, c, "image", false) {}

  void embed(Ops& ops, std::span<const RgbImage> images, Budget& budget, View out) const {
    const Ops::Scope scope(ops);
    const int64_t tokens = patches_.tokens();
    const View x = ops.allocate(Shape{int64_t(images.size()) * tokens, patches_.hidden});
    std::vector<AttentionSpan> spans;
    std::vector<int64_t> firsts;
    spans.reserve(images.size());
    firsts.reserve(images.size());
    for (size_t i = 0; i < images.size(); ++i) {
      const int64_t begin = int64_t(i) * tokens;
      input_.embed(ops, images[i], budget, x.slice_rows(begin, tokens));
      spans.push_back({begin, tokens, begin, tokens});
      firsts.push_back(begin);
    }
    ops.norm(norm_, x, x);
    tower_.embed(ops, spans, firsts, x, out);
  }

 private:
  PatchConfig patches_;
  PatchEmbedding input_;
  NormSpec norm_;
  ClipTower tower_;
};

class Clip final : public ImageEmbedder {
 public:
  Clip(const ModelSource& source, Ops& ops, const TextConfig& text, const ImageConfig& image)
      : Clip(source, ops, text, image, WeightLoader(source, ops)) {}

  int64_t dimension() const override { return config_.dimension; }
  int64_t max_tokens() const override { return config_.positions; }
  int64_t image_tokens() const override { return image_tokens_; }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  std::string fingerprint() const override { return fingerprint_; }

  void embed_texts(std::span<const std::string_view> texts, std::span<float> out) override {
    FRUGAL_CHECK(int64_t(out.size()) == int64_t(texts.size()) * dimension());
    TokenBatch batch;
    std::vector<int64_t> ends;
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::vector<TokenId> ids = token_ids(texts[i]);
      ends.push_back(int64_t(batch.ids.size()) + end_of(ids));
      batch.append(ids, ids.size());
      const bool last = i + 1 == texts.size();
      if (!last && int64_t(batch.ids.size()) + max_tokens() <= kTokensPerForward) continue;
      const size_t first = i + 1 - ends.size();
      write_vectors(first, ends.size(), out, [&](View vectors) { text_.embed(ops_, batch, ends, vectors); });
      batch = {};
      ends.clear();
    }
  }

  void embed_images(std::span<const RgbImage> images, Budget& budget, std::span<float> out) override {
    FRUGAL_CHECK(int64_t(out.size()) == int64_t(images.size()) * dimension());
    const auto batch = static_cast<size_t>(std::max<int64_t>(kTokensPerForward / image_tokens_, 1));
    for (size_t first = 0; first < images.size(); first += batch) {
      const auto part = images.subspan(first, std::min(batch, images.size() - first));
      write_vectors(first, part.size(), out, [&](View vectors) { image_.embed(ops_, part, budget, vectors); });
    }
  }

 private:
  Clip(const ModelSource& source, Ops& ops, const TextConfig& text, const ImageConfig& image, const WeightLoader& load)
      : ops_(ops),
        config_(text),
        image_tokens_(image.patches().tokens()),
        file_(source.path()),
        tokenizer_(open_tokenizer(source)),
        fingerprint_(fmt::format("clip/{}", source.identity())),
        text_(source, load, ops, text),
        image_(source, load, ops, image) {}

  std::vector<TokenId> token_ids(std::string_view text) const {
    std::vector<TokenId> ids = templated_ids(*tokenizer_, text, max_tokens());
    check_token_ids(ids, config_.vocab, file_);
    check_input_length(int64_t(ids.size()), max_tokens());
    return ids;
  }

  // The place of the token whose state becomes the vector: the first that ends the text, or by the rule of older
  // configurations the first with the highest id.
  int64_t end_of(std::span<const TokenId> ids) const {
    const auto at = config_.end == kLegacyEnd ? std::max_element(ids.begin(), ids.end())
                                              : std::find(ids.begin(), ids.end(), TokenId(config_.end));
    return at == ids.end() ? 0 : at - ids.begin();
  }

  template <class Embed>
  void write_vectors(size_t first, size_t count, std::span<float> out, const Embed& embed) {
    const Ops::Scope scope(ops_);
    const View vectors = ops_.allocate(Shape{int64_t(count), dimension()});
    embed(vectors);
    const auto size = static_cast<size_t>(dimension());
    ops_.download(vectors, out.subspan(first * size, count * size));
  }

  Ops& ops_;
  TextConfig config_;
  int64_t image_tokens_;
  std::filesystem::path file_;  // for errors
  std::unique_ptr<Tokenizer> tokenizer_;
  std::string fingerprint_;
  TextTower text_;
  ImageTower image_;
};

// --- plan of a checkpoint ------------------------------------------------------------------------------------------

// Older configurations have the settings of a tower a second time, as "text_config_dict". transformers then reads them
// alone: what they lack has the default, whatever "text_config" says.
std::string prefix_of(const Checkpoint& checkpoint, std::string_view tower) {
  std::string older = fmt::format("{}_config_dict.", tower);
  for (const std::string_view key :
       {"hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "projection_dim"})
    if (checkpoint.number(older + std::string(key))) return older;
  if (checkpoint.text(older + "hidden_act")) return older;
  return fmt::format("{}_config.", tower);
}

void refuse_single_tower(const Checkpoint& checkpoint) {
  const std::string type = checkpoint.architecture();
  if (type == "clip") return;
  throw Error(Code::bad_input, fmt::format("'{}' is one tower of CLIP; that of {} is missing", type,
                                           type == "clip_text_model" ? "images" : "texts"))
      .hint("give the checkpoint of the whole model (CLIPModel)");
}

void list_tensors(TensorTable& table, const TextConfig& text, const ImageConfig& image) {
  table.embedding({"text.words", "text_model.embeddings.token_embedding", ""}, text.vocab, text.hidden);
  table.embedding({"text.positions", "text_model.embeddings.position_embedding", ""}, text.positions, text.hidden);
  list_clip_tower(table, text, {"text", "text_model", "final_layer_norm", "text_projection"});
  table.linear({"image.patches", "vision_model.embeddings.patch_embedding", ""}, image.hidden,
               image.patches().patch_values(), TensorTable::Bias::none);
  table.exact_rows({"image.class", "vision_model.embeddings.class_embedding", ""}, 1, image.hidden);
  table.embedding({"image.positions", "vision_model.embeddings.position_embedding", ""}, image.patches().tokens(),
                  image.hidden);
  table.norm({"image.first_norm", "vision_model.pre_layrnorm", ""}, image.hidden, TensorTable::Bias::required);
  list_clip_tower(table, image, {"image", "vision_model", "post_layernorm", "visual_projection"});
}

ModelPlan plan(const Checkpoint& checkpoint) {
  if (ConfigReader(checkpoint).gguf())
    throw Error(Code::bad_input, "CLIP is not read from GGUF").hint("give the Hugging Face folder of the model");
  refuse_single_tower(checkpoint);
  const ConfigReader text_reader(checkpoint, prefix_of(checkpoint, "text"));
  const ConfigReader image_reader(checkpoint, prefix_of(checkpoint, "vision"));
  TextConfig text = kText.read(text_reader);
  ImageConfig image = kImage.read(image_reader);
  image_reader.integer({"num_channels", ""}, kRgbChannels, kRgbChannels, kRgbChannels);
  for (const std::string& activation : {text.activation, image.activation}) parse_activation(activation);
  TensorTable table;
  text.vocab = table.rows_in(checkpoint, {"", "text_model.embeddings.token_embedding", ""});
  text.dimension = table.rows_in(checkpoint, {"", "text_projection", ""});
  image.dimension = table.rows_in(checkpoint, {"", "visual_projection", ""});

  ModelPlan plan;
  kText.write(text, plan.config);
  kImage.write(image, plan.config);
  if (const std::string fault = fault_of(text, image); !fault.empty()) throw Error(Code::bad_input, fault);
  if (!gives_squares(plan_image_processor(checkpoint, plan.config), image.size))
    throw Error(Code::bad_input, fmt::format("the image processor does not give images of {0} × {0} pixels, which the "
                                             "model takes",
                                             image.size))
        .hint("use the preprocessor_config.json that the model was published with");
  list_tensors(table, text, image);
  plan.tensors = std::move(table).take();
  return plan;
}

std::unique_ptr<Model> open(const ModelSource& source, Ops& ops) {
  const TextConfig text = kText.read(source.config());
  const ImageConfig image = kImage.read(source.config());
  if (const std::string fault = fault_of(text, image); !fault.empty()) source.config().fail(fault);
  return std::make_unique<Clip>(source, ops, text, image);
}

constexpr std::string_view kAliases[] = {"clip", "clip_text_model", "clip_vision_model"};

}  // namespace

extern const Architecture kClipArchitecture{"clip", kAliases, ModelKind::image_embedder, plan, open};

}  // namespace frugal
