// BLIP-2 (Li et al. 2023): an image encoder, a Q-Former that reads the image with a few queries, and a language model,
// OPT, whose first rows the queries become. The variants with T5 are refused.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/arch/opt.h"
#include "model/nn/architecture.h"
#include "model/nn/chat_config.h"
#include "model/nn/config_reader.h"
#include "model/nn/hyper_field.h"
#include "model/nn/image_config.h"
#include "model/nn/vision_language.h"
#include "model/towers/blip2_vision.h"
#include "model/towers/qformer.h"

namespace frugal {
namespace {

using V = Blip2VisionConfig;
constexpr HyperField<V> kVisionFields[] = {
    {"layers", {"num_hidden_layers", ""}, &V::layers, {1, 1024}, 39.0},
    {"hidden", {"hidden_size", ""}, &V::hidden, {1, 1 << 20}, 1408.0},
    {"heads", {"num_attention_heads", ""}, &V::heads, {1, 1024}, 16.0},
    {"intermediate", {"intermediate_size", ""}, &V::intermediate, {1, 1 << 22}, 6144.0},
    {"size", {"image_size", ""}, &V::size, {1, 4096}, 224.0},
    {"patch", {"patch_size", ""}, &V::patch, {1, 1024}, 14.0},
    {"epsilon", {"layer_norm_eps", ""}, &V::epsilon, {0, 1}, 1e-6},
    {"activation", {"hidden_act", ""}, &V::activation, {}, "gelu"},
};
constexpr HyperTable<V> kVision("blip2.image", kVisionFields);

using Q = QFormerConfig;
constexpr HyperField<Q> kQFormerFields[] = {
    {"layers", {"num_hidden_layers", ""}, &Q::layers, {1, 1024}, 12.0},
    {"hidden", {"hidden_size", ""}, &Q::hidden, {1, 1 << 20}, 768.0},
    {"heads", {"num_attention_heads", ""}, &Q::heads, {1, 1024}, 12.0},
    {"intermediate", {"intermediate_size", ""}, &Q::intermediate, {1, 1 << 22}, 3072.0},
    {"cross_every", {"cross_attention_frequency", ""}, &Q::cross_every, {1, 1024}, 2.0},
    {"queries", {}, &Q::queries, {1, 4096}},
    {"epsilon", {"layer_norm_eps", ""}, &Q::epsilon, {0, 1}, 1e-12},
    {"activation", {"hidden_act", ""}, &Q::activation, {}, "gelu"},
};
constexpr HyperTable<Q> kQFormer("blip2.qformer", kQFormerFields);

// The tokens that begin a text and that end it.
constexpr std::string_view kStartKey = "blip2.start", kEndKey = "blip2.end";
constexpr int64_t kMaxVocab = 1 << 24, kMaxQueries = 4096;

// What is wrong with the configuration of a checkpoint or of a pack; empty if nothing is.
std::string fault_of(const Blip2VisionConfig& vision, const QFormerConfig& qformer) {
  if (vision.hidden % vision.heads != 0)
    return fmt::format("hidden size {} of images is not a multiple of {} heads", vision.hidden, vision.heads);
  if (qformer.hidden % qformer.heads != 0)
    return fmt::format("hidden size {} of queries is not a multiple of {} heads", qformer.hidden, qformer.heads);
  if (vision.patch > vision.size) return fmt::format("patches of {} pixels in images of {}", vision.patch, vision.size);
  return {};
}

class Blip2 final : public VisionLanguage {
 public:
  Blip2(const ModelSource& source, Ops& ops, const Blip2VisionConfig& vision, const QFormerConfig& qformer)
      : ops_(ops),
        queries_{qformer.queries, qformer.hidden},
        vision_(source, ops, vision),
        qformer_(source, ops, qformer, vision.hidden),
        language_(open_opt(source, ops)),
        hidden_(source.config().require_int("opt.hidden", 1, 1 << 20)),
        projection_(
            WeightLoader(source, ops).linear("projection", hidden_, qformer.hidden, ActivationScales::per_token)),
        start_(static_cast<TokenId>(source.config().require_int(kStartKey, 0, language_->vocab_size() - 1))),
        end_(static_cast<TokenId>(source.config().require_int(kEndKey, 0, language_->vocab_size() - 1))) {}

  std::string identity() const override { return language_->identity(); }
  Decoder& language() override { return *language_; }
  int64_t image_tokens(ImageSize) const override { return queries_.rows(); }

  Prompt prompt(std::string_view request) const override {
    Prompt prompt{{}, {start_}};
    if (request.empty()) return prompt;
    const std::string asked = fmt::format("Question: {} Answer:", request);  // as its model card asks
    const std::vector<TokenId> ids = language_->tokenizer().encode(asked, false);
    prompt.after.insert(prompt.after.end(), ids.begin(), ids.end());
    return prompt;
  }

  std::vector<TokenId> ends() const override {
    std::vector<TokenId> ends = {end_};
    if (const auto eos = language_->tokenizer().eos()) ends.push_back(*eos);
    return ends;
  }

  void read_image(const RgbImage& image, Budget& budget, KvCache& cache) override {
    const Ops::Scope scope(ops_);
    const View queries = ops_.allocate(queries_);
    {
      const Ops::Scope seeing(ops_);
      const View seen = ops_.allocate(Shape{vision_.tokens(), vision_.hidden()});
      vision_.encode(ops_, image, budget, seen);
      qformer_.read(ops_, seen, queries);
    }
    const View rows = ops_.allocate(Shape{queries_.rows(), hidden_});
    projection_.forward(ops_, queries, rows);
    language_->read_rows(rows, cache);
  }

 private:
  Ops& ops_;
  Shape queries_;
  Blip2Vision vision_;
  QFormer qformer_;
  std::unique_ptr<CausalDecoder> language_;
  int64_t hidden_;  // of the language model
  Linear projection_;
  TokenId start_, end_;
};

// --- plan of a checkpoint ------------------------------------------------------------------------------------------

void refuse_variants(const Checkpoint& checkpoint) {
  if (ConfigReader(checkpoint).gguf())
    throw Error(Code::bad_input, "BLIP-2 is not read from GGUF").hint("give the Hugging Face folder of the model");
  const std::string language = checkpoint.text("text_config.model_type").value_or("opt");
  if (language != "opt")
    throw Error(Code::bad_input, fmt::format("BLIP-2 with '{}' is not supported", language))
        .hint("use a checkpoint with OPT, such as blip2-opt-2.7b");
}

ModelPlan plan(const Checkpoint& checkpoint) {
  refuse_variants(checkpoint);
  const ConfigReader top(checkpoint), text(checkpoint, "text_config.");
  const Blip2VisionConfig vision = kVision.read(ConfigReader(checkpoint, "vision_config."));
  QFormerConfig qformer = kQFormer.read(ConfigReader(checkpoint, "qformer_config."));
  qformer.queries = top.integer({"num_query_tokens", ""}, 1, kMaxQueries, 32);
  for (const std::string& activation : {vision.activation, qformer.activation}) parse_activation(activation);
  if (const std::string fault = fault_of(vision, qformer); !fault.empty()) throw Error(Code::bad_input, fault);
  ModelPlan plan;
  kVision.write(vision, plan.config);
  kQFormer.write(qformer, plan.config);
  plan.config[std::string(kStartKey)] = fmt::format("{}", text.integer({"bos_token_id", ""}, 0, kMaxVocab, 2));
  plan.config[std::string(kEndKey)] = fmt::format("{}", text.integer({"eos_token_id", ""}, 0, kMaxVocab, 2));
  if (!gives_squares(plan_image_processor(checkpoint, plan.config), vision.size))
    throw Error(Code::bad_input, fmt::format("the image processor does not give images of {0} × {0} pixels, which the "
                                             "model takes",
                                             vision.size))
        .hint("use the preprocessor_config.json that the model was published with");
  TensorTable table, language({"language_model.model.decoder."});
  list_blip2_vision(table, vision);
  list_qformer(table, qformer, vision.hidden);
  const int64_t hidden = plan_opt(checkpoint, text, language, plan.config);
  table.linear({"projection", "language_projection", ""}, hidden, qformer.hidden, TensorTable::Bias::required);
  plan_chat(checkpoint, plan.config);
  plan.tensors = std::move(table).take();
  for (TensorSpec& spec : std::move(language).take()) plan.tensors.push_back(std::move(spec));
  return plan;
}

std::unique_ptr<Model> open(const ModelSource& source, Ops& ops) {
  const Blip2VisionConfig vision = kVision.read(source.config());
  const QFormerConfig qformer = kQFormer.read(source.config());
  if (const std::string fault = fault_of(vision, qformer); !fault.empty()) source.config().fail(fault);
  return std::make_unique<Blip2>(source, ops, vision, qformer);
}

constexpr std::string_view kAliases[] = {"blip-2"};

}  // namespace

extern const Architecture kBlip2Architecture{"blip2", kAliases, ModelKind::vision_language, plan, open};

}  // namespace frugal
