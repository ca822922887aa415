#include "model/hub/loaded_model.h"

#include <fmt/format.h>

#include <vector>

#include "base/error.h"
#include "model/arch/registry.h"
#include "model/generate/generator.h"
#include "model/nn/architecture.h"
#include "model/nn/model_source.h"
#include "telemetry/process_memory.h"

namespace frugal {

LoadedModel::LoadedModel(const std::filesystem::path& pack, ThreadPool& threads, Budget* budget, const Backend& backend,
                         LoadMode mode, const PagerOptions& paging)
    : LoadedModel(pack, make_ops(backend, threads, budget), budget, mode, paging) {}

LoadedModel::LoadedModel(const std::filesystem::path& pack, std::unique_ptr<Ops> ops, Budget* budget, LoadMode mode,
                         const PagerOptions& paging)
    : pack_(pack), budget_(budget), ops_(std::move(ops)) {
  FRUGAL_CHECK(mode != LoadMode::naive);
  if (mode == LoadMode::mlock) load_note_ = lock_in_memory(pack_->file()).value_or("");
  if (mode == LoadMode::read) {
    if (budget) weights_ = budget->reserve(MemoryTag::weights, pack_->file_bytes(), "a pack read into memory");
    copy_into_memory(pack_->file());
  }
  if (mode == LoadMode::mmap && budget && budget->limited() && !device()) pack_->page(*budget, paging);
  if (mode == LoadMode::stream && !device()) {
    FRUGAL_CHECK(budget != nullptr);
    PagerOptions windowed = paging;
    windowed.max_resident_bytes = 0;
    pack_->page(*budget, windowed);
  }
  open(PackSource(*pack_));
}

LoadedModel::LoadedModel(std::unique_ptr<ModelSource> checkpoint, std::unique_ptr<Ops> ops, Budget* budget)
    : checkpoint_(std::move(checkpoint)), budget_(budget), ops_(std::move(ops)) {
  open(*checkpoint_);
}

void LoadedModel::open(const ModelSource& source) {
  switch (model_kind(source.config())) {
    case ModelKind::embedder:
      embedder_ = open_embedder(source, *ops_);
      return;
    case ModelKind::decoder:
      decoder_ = open_decoder(source, *ops_);
      return;
  }
}

LoadedModel::~LoadedModel() {
  embedder_.reset();
  decoder_.reset();
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

Embedder& LoadedModel::embedder() const {
  if (!embedder_) throw wrong_kind("embedder");
  return *embedder_;
}

Decoder& LoadedModel::decoder() const {
  if (!decoder_) throw wrong_kind("generator");
  return *decoder_;
}

Error LoadedModel::wrong_kind(std::string_view kind) const {
  const std::filesystem::path& path = pack_ ? pack_->path() : checkpoint_->path();
  const ModelConfig& config = pack_ ? static_cast<const ModelConfig&>(*pack_) : checkpoint_->config();
  return Error(Code::mismatch, fmt::format("{}: a '{}' model is no {}", path.native(),
                                           config.require_text("model.architecture"), kind));
}

std::string LoadedModel::run(std::string_view text, int64_t max_new_tokens, std::optional<ChatFamily> chat_family) {
  std::string note = embedder_ ? embed(text) : answer(text, max_new_tokens, chat_family);
  release_free_heap();
  return note;
}

std::string LoadedModel::embed(std::string_view text) {
  std::vector<float> vector(static_cast<size_t>(embedder_->dimension()));
  embedder_->embed(std::span(&text, 1), vector);
  return fmt::format("embedded {} tokens", embedder_->tokenizer().encode(text, false).size());
}

std::string LoadedModel::answer(std::string_view text, int64_t max_new_tokens, std::optional<ChatFamily> chat_family) {
  const std::vector<ChatMessage> messages = {{"user", std::string(text)}};
  GenerateOptions options;
  options.max_new_tokens = max_new_tokens;
  const Generation generation = make_local_generator(*decoder_, budget_, chat_family)->chat(messages, options);
  return fmt::format("read {} tokens, wrote {}", generation.prompt_tokens, generation.new_tokens);
}

}  // namespace frugal
