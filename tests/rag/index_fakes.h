// An embedder whose tokens are words, for tests of chunks and of the index.
#pragma once

#include "model/tokenize/tokenizer.h"
#include "rag/fakes.h"

namespace frugal::testing {

class WordTokenizer : public Tokenizer {
 public:
  std::vector<TokenId> encode(std::string_view text, bool) const override {
    return std::vector<TokenId>(encode_pieces(text, false).size(), 1);
  }
  std::vector<Piece> encode_pieces(std::string_view text, bool) const override {
    std::vector<Piece> pieces;
    for (size_t at = 0; at < text.size();) {
      const size_t begin = text.find_first_not_of(" \n\t\r", at);
      if (begin == std::string_view::npos) break;
      at = std::min(text.find_first_of(" \n\t\r", begin), text.size());
      pieces.push_back({1, static_cast<uint32_t>(begin), static_cast<uint32_t>(at)});
    }
    return pieces;
  }
  std::string decode(std::span<const TokenId>, bool) const override { return {}; }
  std::string token_bytes(TokenId) const override { return {}; }
  int64_t vocab_size() const override { return 2; }
  std::optional<TokenId> find(std::string_view) const override { return std::nullopt; }
  bool is_special(TokenId) const override { return false; }
  std::span<const TokenId> prefix() const override { return {}; }
  std::span<const TokenId> suffix() const override { return {}; }
  std::span<const TokenId> separator() const override { return {}; }
  std::optional<TokenId> bos() const override { return std::nullopt; }
  std::optional<TokenId> eos() const override { return std::nullopt; }
  std::optional<TokenId> pad() const override { return std::nullopt; }
  std::optional<TokenId> unk() const override { return std::nullopt; }
};

/// Counts the texts that it embeds. With stop_after it throws when that many are exceeded, like a full disk or a kill.
class CountingEmbedder : public FakeEmbedder {
 public:
  explicit CountingEmbedder(std::string name = "bag-of-words") : name_(std::move(name)) {}
  const Tokenizer& tokenizer() const override { return tokenizer_; }
  std::string fingerprint() const override { return name_; }
  void embed(std::span<const std::string_view> given, TextRole role, std::span<float> out) override {
    if (stop_after >= 0 && texts + static_cast<int64_t>(given.size()) > stop_after)
      throw Error(Code::io, "interrupted");
    texts += static_cast<int64_t>(given.size());
    FakeEmbedder::embed(given, role, out);
  }
  int64_t texts = 0;
  int64_t stop_after = -1;

 private:
  std::string name_;
  WordTokenizer tokenizer_;
};

inline LawTable few_laws() {
  LawTable laws;
  laws.add({"br/codigo-penal", "Código Penal", {"CP"}, {"Decreto-Lei 2.848/1940"}});
  laws.add({"br/constituicao",
            "Constituição da República Federativa do Brasil",
            {"Constituição Federal", "Constituição", "CF", "CF/88"},
            {}});
  laws.add({"br/codigo-de-defesa-do-consumidor", "Código de Defesa do Consumidor", {"CDC"}, {"Lei 8.078/1990"}});
  laws.add({"br/lgpd", "Lei Geral de Proteção de Dados", {"LGPD"}, {"Lei 13.709/2018"}});
  laws.add({"eu/gdpr", "General Data Protection Regulation", {"GDPR"}, {}});
  return laws;
}

}  // namespace frugal::testing
