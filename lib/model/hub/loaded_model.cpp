#include "model/hub/loaded_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "base/error.h"
#include "base/naming.h"
#include "model/arch/registry.h"
#include "model/generate/generator.h"
#include "model/generate/image_describer.h"
#include "model/generate/seq2seq_generator.h"
#include "model/nn/architecture.h"
#include "model/nn/image_embedder.h"
#include "model/nn/model_source.h"
#include "telemetry/process_memory.h"

namespace frugal {
namespace {

struct Input {
  const std::filesystem::path& file;
  std::string_view text;
  int64_t max_new_tokens;
  std::optional<ChatFamily> chat_family;
  Budget& budget;
};

std::string embed(Model& model, const Input& input) {
  auto& embedder = dynamic_cast<Embedder&>(model);
  std::vector<float> vector(static_cast<size_t>(embedder.dimension()));
  embedder.embed(std::span(&input.text, 1), TextRole::query, vector);
  return fmt::format("embedded {} tokens", embedder.tokenizer().encode(input.text, false).size());
}

std::string answer(Model& model, const Input& input) {
  const std::vector<ChatMessage> messages = {{"user", std::string(input.text)}};
  GenerateOptions options;
  options.max_new_tokens = input.max_new_tokens;
  const auto generator = naming_file(
      input.file, [&] { return make_local_generator(dynamic_cast<Decoder&>(model), input.budget, input.chat_family); });
  const Generation generation = generator->chat(messages, options);
  return fmt::format("read {} tokens, wrote {}", generation.prompt_tokens, generation.new_tokens);
}

std::string read(Model& model, const Input& input) {
  auto& reader = dynamic_cast<Reader&>(model);
  const ReaderPair pair = reader.pair(input.text, input.text);
  const std::vector<HalfRead> half = reader.read_half(std::span(&pair, 1));
  reader.read_rest(std::array{&half.front()});
  return fmt::format("read {} tokens", pair.ids.size());
}

std::string rewrite(Model& model, const Input& input) {
  auto& seq2seq = dynamic_cast<Seq2Seq&>(model);
  Seq2SeqSettings settings = seq2seq.settings();
  settings.max_length = std::min(settings.max_length, input.max_new_tokens + 1);  // it counts the start token
  settings.min_length = settings.max_length;  // memory is that of the longest text, whatever the text
  const RewrittenText text = rewrite_text(seq2seq, input.text, settings, input.budget);
  return fmt::format("read {} tokens, wrote {}", text.source_tokens, text.new_tokens);
}

std::string embed_with_image(Model& model, const Input& input) {
  auto& embedder = dynamic_cast<ImageEmbedder&>(model);
  std::vector<float> vector(static_cast<size_t>(embedder.dimension()));
  embedder.embed_texts(std::span(&input.text, 1), vector);
  RgbImage image(input.budget, 320, 240, "an image to embed");
  std::ranges::fill(image.pixels(), uint8_t(128));  // time and memory are those of any image
  embedder.embed_images(std::span(&image, 1), input.budget, vector);
  return fmt::format("embedded {} tokens and an image", embedder.tokenizer().encode(input.text, false).size());
}

std::string describe(Model& model, const Input& input) {
  RgbImage image(input.budget, 640, 480, "an image to describe");
  std::ranges::fill(image.pixels(), uint8_t(128));  // memory and time are those of any image of its size
  GenerateOptions options;
  options.max_new_tokens = input.max_new_tokens;
  const Generation caption =
      describe_image(dynamic_cast<VisionLanguage&>(model), image, input.text, options, input.budget);
  return fmt::format("read {} tokens with an image, wrote {}", caption.prompt_tokens, caption.new_tokens);
}

// How a model of each kind is used once. Returns a note for the report.
struct Use {
  ModelKind kind;
  std::string (*run)(Model& model, const Input& input);
};
constexpr Use kUses[] = {{ModelKind::embedder, embed},
                         {ModelKind::decoder, answer},
                         {ModelKind::reader, read},
                         {ModelKind::encoder_decoder, rewrite},
                         {ModelKind::image_embedder, embed_with_image},
                         {ModelKind::vision_language, describe}};

auto use_of(ModelKind kind) {
  const auto use = std::find_if(std::begin(kUses), std::end(kUses), [&](const Use& u) { return u.kind == kind; });
  FRUGAL_CHECK(use != std::end(kUses));
  return use->run;
}

}  // namespace

LoadedModel::LoadedModel(const std::filesystem::path& pack, ThreadPool& threads, Budget& budget, const Backend& backend,
                         LoadMode mode, const PagerOptions& paging)
    : LoadedModel(pack, make_ops(backend, threads, budget), budget, mode, paging) {}

LoadedModel::LoadedModel(const std::filesystem::path& pack, std::unique_ptr<Ops> ops, Budget& budget, LoadMode mode,
                         const PagerOptions& paging)
    : pack_(pack), budget_(budget), ops_(std::move(ops)) {
  FRUGAL_CHECK(mode != LoadMode::naive);
  if (mode == LoadMode::mlock) load_note_ = lock_in_memory(pack_->file()).value_or("");
  if (mode == LoadMode::read) {
    weights_ = budget.reserve(MemoryTag::weights, pack_->file_bytes(), "a pack read into memory");
    copy_into_memory(pack_->file());
  }
  if (mode == LoadMode::mmap && budget.limited() && !device()) pack_->page(budget, paging);
  if (mode == LoadMode::stream && !device()) {
    PagerOptions windowed = paging;
    windowed.max_resident_bytes = 0;
    pack_->page(budget, windowed);
  }
  model_ = open_model(PackSource(*pack_), *ops_);
}

LoadedModel::LoadedModel(std::unique_ptr<ModelSource> checkpoint, std::unique_ptr<Ops> ops, Budget& budget)
    : checkpoint_(std::move(checkpoint)), budget_(budget), ops_(std::move(ops)) {
  model_ = open_model(*checkpoint_, *ops_);
}

LoadedModel::~LoadedModel() {
  model_.reset();
  ops_.reset();
  release_free_heap();
}

const Pack& LoadedModel::pack() const {
  FRUGAL_CHECK(pack_.has_value());
  return *pack_;
}

PluginOps* LoadedModel::device() const {
  return dynamic_cast<PluginOps*>(ops_.get());
}

const std::filesystem::path& LoadedModel::path() const {
  return pack_ ? pack_->path() : checkpoint_->path();
}

Error LoadedModel::wrong_kind(std::string_view noun) const {
  const ModelConfig& config = pack_ ? static_cast<const ModelConfig&>(*pack_) : checkpoint_->config();
  return Error(Code::mismatch, fmt::format("{}: a '{}' model is no {}", path().native(),
                                           config.require_text("model.architecture"), noun));
}

std::string LoadedModel::run(std::string_view text, int64_t max_new_tokens, std::optional<ChatFamily> chat_family) {
  std::string note = use_of(model_->kind())(*model_, {path(), text, max_new_tokens, chat_family, budget_});
  release_free_heap();
  return note;
}

}  // namespace frugal
