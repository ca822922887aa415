// Qwen3-VL (Bai et al. 2025), dense: an image encoder for images of any size, and Qwen3, whose rotary positions have
// three axes. A text has the same position along all of them, so without an image it is Qwen3, and its language model
// alone is a decoder. The variants with experts have another type.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/nn/architecture.h"
#include "model/nn/config_reader.h"
#include "model/nn/hyper_field.h"
#include "model/nn/image_config.h"
#include "model/nn/vision_language.h"
#include "model/towers/qwen3_vision.h"
#include "model/trunks/llama_decoder.h"

namespace frugal {
namespace {

using V = Qwen3VisionConfig;
constexpr HyperField<V> kVisionFields[] = {
    {"layers", {"depth", ""}, &V::layers, {1, 1024}, 27.0},
    {"hidden", {"hidden_size", ""}, &V::hidden, {1, 1 << 20}, 1152.0},
    {"heads", {"num_heads", ""}, &V::heads, {1, 1024}, 16.0},
    {"intermediate", {"intermediate_size", ""}, &V::intermediate, {1, 1 << 22}, 4304.0},
    {"output", {"out_hidden_size", ""}, &V::output, {1, 1 << 20}, 3584.0},
    {"patch", {"patch_size", ""}, &V::patch, {1, 256}, 16.0},
    {"merge", {"spatial_merge_size", ""}, &V::merge, {1, 16}, 2.0},
    {"frames", {"temporal_patch_size", ""}, &V::frames, {1, 16}, 2.0},
    {"side", {}, &V::side, {1, 4096}},
    {"theta", {"rope_parameters.rope_theta", ""}, &V::theta, {1, 1e12}, 10000.0},
    {"activation", {"hidden_act", ""}, &V::activation, {}, "gelu_pytorch_tanh"},
};
constexpr HyperTable<V> kVision("qwen3-vl.image", kVisionFields);

using S = RopeSections;
constexpr HyperField<S> kSectionFields[] = {
    {"time", {}, &S::time, {0, 512}},
    {"height", {}, &S::height, {0, 512}},
    {"width", {}, &S::width, {0, 512}},
};
constexpr HyperTable<S> kSections("qwen3-vl.rope", kSectionFields);

// What is wrong with the configuration of a checkpoint or of a pack; empty if nothing is.
std::string fault_of(const Qwen3VisionConfig& vision) {
  if (vision.hidden % (4 * vision.heads) == 0) return {};
  return fmt::format("hidden size {} of images is not {} heads of a multiple of 4", vision.hidden, vision.heads);
}

// The same of parts that have to fit each other.
std::string fault_of(const Qwen3VisionConfig& vision, const RopeSections& sections, const LlamaConfig& language,
                     int64_t deep_layers) {
  if (vision.output != language.hidden)
    return fmt::format("rows of images have {} values, those of the language model {}", vision.output, language.hidden);
  if (2 * (sections.time + sections.height + sections.width) != language.head_dim)
    return fmt::format("sections {}, {} and {} of rotary pairs do not fill heads of {}", sections.time, sections.height,
                       sections.width, language.head_dim);
  if (deep_layers > language.layers)
    return fmt::format("{} layers of images for {} of the language model", deep_layers, language.layers);
  return {};
}

class Qwen3Vl final : public VisionDecoder {
 public:
  Qwen3Vl(const ModelSource& source, Ops& ops, const Qwen3VisionConfig& vision, const RopeSections& sections)
      : ops_(ops), vision_(source, ops, vision), language_(source, ops), sections_(sections) {
    const std::string fault = fault_of(vision, sections, language_.config(), vision_.deep_layers());
    if (!fault.empty()) source.config().fail(fault);
    for (const std::string_view token : {"<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"})
      if (!language_.tokenizer().find(token)) source.config().fail(fmt::format("the tokenizer has no {}", token));
  }

  std::string identity() const override { return language_.identity(); }
  Decoder& language() override { return language_; }
  const Decoder& language() const override { return language_; }

  int64_t image_tokens(ImageSize size) const override {
    const ImageSize grid = vision_.grid(size);
    return grid.width * grid.height;
  }

  void limit_pixels(int64_t max_pixels) override { vision_.limit_pixels(max_pixels); }

  // The turns of its chat template. A request has no markup of its own.
  Prompt prompt(std::string_view request) const override {
    const Tokenizer& tokenizer = language_.tokenizer();
    Prompt prompt;
    if (const std::string_view system = language_.default_system(); !system.empty())
      prompt.before = turn(tokenizer, "<|im_start|>", fmt::format("system\n{}", system), "<|im_end|>\n");
    append(prompt.before, tokenizer.encode("<|im_start|>user\n<|vision_start|>", true));
    prompt.after = turn(tokenizer, "<|vision_end|>", request.empty() ? "Describe this image." : request,
                        "<|im_end|>\n<|im_start|>assistant\n");
    return prompt;
  }

  std::vector<TokenId> ends() const override {
    std::vector<TokenId> ends;
    for (const std::string_view token : {"<|im_end|>", "<|endoftext|>"})
      if (const auto id = language_.tokenizer().find(token)) ends.push_back(*id);
    if (const auto eos = language_.tokenizer().eos()) ends.push_back(*eos);
    return ends;
  }

  void read_image(const RgbImage& image, Budget& budget, KvCache& cache) override {
    cache.check_room(image_tokens({image.width(), image.height()}));
    const Ops::Scope scope(ops_);
    const SeenImage seen = vision_.encode(ops_, image, budget);
    language_.read_image({seen.rows, seen.deep, seen.grid.height, seen.grid.width}, sections_, cache);
  }

 private:
  static void append(std::vector<TokenId>& ids, const std::vector<TokenId>& more) {
    ids.insert(ids.end(), more.begin(), more.end());
  }
  static std::vector<TokenId> turn(const Tokenizer& tokenizer, std::string_view begin, std::string_view text,
                                   std::string_view end) {
    std::vector<TokenId> ids = tokenizer.encode(begin, true);
    append(ids, tokenizer.encode(text, false));
    append(ids, tokenizer.encode(end, true));
    return ids;
  }

  Ops& ops_;
  Qwen3Vision vision_;
  LlamaDecoder language_;
  RopeSections sections_;
};

// --- plan of a checkpoint ------------------------------------------------------------------------------------------

constexpr std::string_view kImages = "vision_config.", kLanguage = "text_config.";

Error wrong(std::string_view prefix, std::string_view key, std::string_view what) {
  return Error(Code::bad_input, fmt::format("'{}{}': {}", prefix, key, what))
      .hint("use the config.json that the model was published with");
}

Qwen3VisionConfig read_vision(const ConfigReader& reader) {
  Qwen3VisionConfig vision = kVision.read(reader);
  constexpr std::string_view kCount = "num_position_embeddings";
  const int64_t count = reader.integer({kCount, ""}, 1, 1 << 24, 48 * 48);
  vision.side = std::llround(std::sqrt(static_cast<double>(count)));
  if (vision.side * vision.side != count) throw wrong(kImages, kCount, fmt::format("{} is no square", count));
  reader.integer({"in_channels", ""}, kRgbChannels, kRgbChannels, kRgbChannels);
  parse_activation(vision.activation);
  return vision;
}

// The layers behind which DeepStack merges patches, too.
std::vector<int64_t> read_deep_layers(const ConfigReader& reader, int64_t layers) {
  constexpr std::string_view kKey = "deepstack_visual_indexes";
  std::vector<int64_t> deep;
  for (const double index : reader.numbers({kKey, ""})) {
    if (!(index >= 0 && index < static_cast<double>(layers)) || index != std::floor(index) ||
        (!deep.empty() && index <= static_cast<double>(deep.back())))
      throw wrong(kImages, kKey, fmt::format("not layers below {} in ascending order", layers));
    deep.push_back(static_cast<int64_t>(index));
  }
  return deep;
}

RopeSections read_sections(const ConfigReader& reader) {
  // transformers 5 moved rope_scaling into rope_parameters.
  for (const std::string_view at : {"rope_parameters", "rope_scaling"}) {
    const std::string key = fmt::format("{}.mrope_section", at), order = fmt::format("{}.mrope_interleaved", at);
    const std::vector<double> sections = reader.numbers({key, ""});
    if (sections.empty()) continue;
    if (reader.integer({order, ""}, 0, 1, 1) == 0)
      throw wrong(kLanguage, order, "sections that are not interleaved are not supported");
    const auto fits = [](double value) { return value >= 0 && value <= 512 && value == std::floor(value); };
    if (sections.size() != 3 || !std::ranges::all_of(sections, fits)) throw wrong(kLanguage, key, "not three sizes");
    return {static_cast<int64_t>(sections[0]), static_cast<int64_t>(sections[1]), static_cast<int64_t>(sections[2])};
  }
  return {24, 20, 20};  // transformers' default
}

LlamaConfig plan_language(const Checkpoint& checkpoint, ModelPlan& plan) {
  if (ConfigReader(checkpoint).gguf())
    throw Error(Code::bad_input, "Qwen3-VL is not read from GGUF").hint("give the Hugging Face folder of the model");
  return plan_llama_decoder(
      checkpoint,
      {.head_norms = true, .config_prefix = std::string(kLanguage), .tensor_prefix = "model.language_model."}, plan);
}

ModelPlan plan_decoder(const Checkpoint& checkpoint) {
  ModelPlan plan;
  plan_language(checkpoint, plan);
  return plan;
}

ModelPlan plan(const Checkpoint& checkpoint) {
  const ConfigReader images(checkpoint, std::string(kImages)), text(checkpoint, std::string(kLanguage));
  const Qwen3VisionConfig vision = read_vision(images);
  const std::vector<int64_t> deep = read_deep_layers(images, vision.layers);
  const RopeSections sections = read_sections(text);
  ModelPlan plan;
  TensorTable table({"model.visual."});
  list_qwen3_vision(table, vision, deep);
  plan.tensors = std::move(table).take();
  const LlamaConfig language = plan_language(checkpoint, plan);
  for (const std::string& fault : {fault_of(vision), fault_of(vision, sections, language, int64_t(deep.size()))})
    if (!fault.empty()) throw Error(Code::bad_input, fault);
  kVision.write(vision, plan.config);
  kSections.write(sections, plan.config);
  if (!gives_patches(plan_image_processor(checkpoint, plan.config), vision))
    throw Error(Code::bad_input, fmt::format("the image processor does not give patches of {0} × {0} pixels, which the "
                                             "model takes",
                                             vision.patch))
        .hint("use the preprocessor_config.json that the model was published with");
  return plan;
}

std::unique_ptr<Model> open(const ModelSource& source, Ops& ops) {
  const Qwen3VisionConfig vision = kVision.read(source.config());
  if (const std::string fault = fault_of(vision); !fault.empty()) source.config().fail(fault);
  return std::make_unique<Qwen3Vl>(source, ops, vision, kSections.read(source.config()));
}

constexpr std::string_view kAliases[] = {"qwen3_vl"};

}  // namespace

extern const Architecture kQwen3VlArchitecture{"qwen3-vl", kAliases, ModelKind::vision_language, plan, open};
extern const Architecture kQwen3VlDecoderArchitecture{"qwen3-vl-decoder", kAliases, ModelKind::decoder, plan_decoder,
                                                      open_llama_decoder};

}  // namespace frugal
