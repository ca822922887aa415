#include "eval/loaded_model.h"

#include <fmt/format.h>
#include <malloc.h>

#include <vector>

#include "base/error.h"
#include "generate/generator.h"

namespace frugal {
namespace {

Error wrong_kind(const Pack& pack, std::string_view kind) {
  return Error(Code::mismatch, fmt::format("{}: a '{}' model is no {}", pack.path().native(),
                                           pack.require_text("model.architecture"), kind));
}

}  // namespace

LoadedModel::LoadedModel(const std::filesystem::path& pack, ThreadPool& threads, Budget* budget, const Backend& backend)
    : LoadedModel(pack, make_ops(backend, threads, budget), budget) {}

LoadedModel::LoadedModel(const std::filesystem::path& pack, std::unique_ptr<Ops> ops, Budget* budget)
    : pack_(pack), budget_(budget), ops_(std::move(ops)) {
  try {
    embedder_ = open_embedder(pack_, *ops_);
  } catch (const Error& error) {
    if (error.code() != Code::mismatch) throw;
    decoder_ = open_decoder(pack_, *ops_);
  }
}

LoadedModel::~LoadedModel() {
  embedder_.reset();
  decoder_.reset();
  ops_.reset();
  ::malloc_trim(0);
}

PluginOps* LoadedModel::device() const {
  return dynamic_cast<PluginOps*>(ops_.get());
}

Embedder& LoadedModel::embedder() const {
  if (!embedder_) throw wrong_kind(pack_, "embedder");
  return *embedder_;
}

Decoder& LoadedModel::decoder() const {
  if (!decoder_) throw wrong_kind(pack_, "generator");
  return *decoder_;
}

std::string LoadedModel::run(std::string_view text, int64_t max_new_tokens) {
  std::string note = embedder_ ? embed(text) : answer(text, max_new_tokens);
  ::malloc_trim(0);
  return note;
}

std::string LoadedModel::embed(std::string_view text) {
  std::vector<float> vector(static_cast<size_t>(embedder_->dimension()));
  embedder_->embed(std::span(&text, 1), vector);
  return fmt::format("embedded {} tokens", embedder_->tokenizer().encode(text, false).size());
}

std::string LoadedModel::answer(std::string_view text, int64_t max_new_tokens) {
  const std::vector<ChatMessage> messages = {{"user", std::string(text)}};
  GenerateOptions options;
  options.max_new_tokens = max_new_tokens;
  const Generation generation = make_local_generator(*decoder_, budget_)->chat(messages, options);
  return fmt::format("read {} tokens, wrote {}", generation.prompt_tokens, generation.new_tokens);
}

}  // namespace frugal
