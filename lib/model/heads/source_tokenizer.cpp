#include "model/heads/source_tokenizer.h"

#include <filesystem>
#include <utility>

#include "base/naming.h"

namespace frugal {
namespace {

class SourceTokenizer final : public Tokenizer {
 public:
  explicit SourceTokenizer(const ModelSource& source)
      : file_(source.path()), inner_(Tokenizer::open(source.tokenizer())) {}

  std::vector<TokenId> encode(std::string_view text, bool parse_special) const override {
    return naming_file(file_, [&] { return inner_->encode(text, parse_special); });
  }
  std::vector<Piece> encode_pieces(std::string_view text, bool parse_special) const override {
    return naming_file(file_, [&] { return inner_->encode_pieces(text, parse_special); });
  }
  std::string decode(std::span<const TokenId> ids, bool keep_special) const override {
    return naming_file(file_, [&] { return inner_->decode(ids, keep_special); });
  }
  std::string token_bytes(TokenId id) const override {
    return naming_file(file_, [&] { return inner_->token_bytes(id); });
  }
  std::optional<TokenId> find(std::string_view token) const override {
    return naming_file(file_, [&] { return inner_->find(token); });
  }
  bool is_special(TokenId id) const override {
    return naming_file(file_, [&] { return inner_->is_special(id); });
  }
  int64_t vocab_size() const override { return inner_->vocab_size(); }
  std::span<const TokenId> prefix() const override { return inner_->prefix(); }
  std::span<const TokenId> suffix() const override { return inner_->suffix(); }
  std::span<const TokenId> separator() const override { return inner_->separator(); }
  std::optional<TokenId> bos() const override { return inner_->bos(); }
  std::optional<TokenId> eos() const override { return inner_->eos(); }
  std::optional<TokenId> pad() const override { return inner_->pad(); }
  std::optional<TokenId> unk() const override { return inner_->unk(); }

 private:
  std::filesystem::path file_;
  std::unique_ptr<Tokenizer> inner_;
};

}  // namespace

std::unique_ptr<Tokenizer> open_tokenizer(const ModelSource& source) {
  return std::make_unique<SourceTokenizer>(source);
}

}  // namespace frugal
