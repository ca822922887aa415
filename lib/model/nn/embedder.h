// The interface of a text embedder: an encoder with pooling, such as BERT, that maps a text to a vector.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/nn/model.h"
#include "model/nn/token_weight.h"
#include "model/tokenize/tokenizer.h"

namespace frugal {

/// The side of a search that a text is on. Models can be trained with another prompt before each.
enum class TextRole { query, passage };

/// What embed_all() gives beside the vector of a text, as far as the model has it.
enum class TokenOutputs { weights, weights_and_vectors };

/// The outputs of a model for a text.
struct TextEmbedding {
  std::vector<float> dense;          // [dimension]: the vector that embed() gives
  std::vector<TokenWeight> sparse;   // each token once, ascending, with the highest of its positive weights
  std::vector<float> token_vectors;  // [tokens, token_dimension]: unit vectors in the order of the text (ColBERT)
};

/// Not thread-safe: one forward pass at a time, since its Ops hold the working memory.
class Embedder : public Model {
 public:
  static constexpr ModelKindWords kKind{ModelKind::embedder, "embedder", "is not an embedder",
                                        "give the pack of an encoder, such as all-MiniLM-L6-v2, as --embedder"};
  ModelKind kind() const final { return kKind.kind; }
  std::string identity() const final { return fingerprint(); }

  virtual int64_t dimension() const = 0;
  /// The longest input in tokens, special tokens and prompt included; longer texts are truncated.
  virtual int64_t max_tokens() const = 0;
  virtual const Tokenizer& tokenizer() const = 0;
  /// What embed() puts before a text: "query: ". Empty for most models.
  virtual std::string_view prompt(TextRole role) const {
    static_cast<void>(role);
    return {};
  }
  /// Tokens that embed() adds to a text: those of the template and of the prompt.
  int64_t added_tokens(TextRole role) const {
    const size_t in_template = tokenizer().prefix().size() + tokenizer().suffix().size();
    return static_cast<int64_t>(in_template + tokenizer().encode(prompt(role), false).size());
  }
  /// Identifies everything that a vector depends on besides the text and its role, such as weights, pooling, prompts
  /// and truncation. Vectors with different fingerprints do not mix.
  virtual std::string fingerprint() const = 0;
  /// out: [texts.size(), dimension]; unit vectors, unless the model's pooling leaves their length as it is. The other
  /// texts of a call change at most the last bits of a vector.
  virtual void embed(std::span<const std::string_view> texts, TextRole role, std::span<float> out) = 0;
  /// True if embed_all() gives sparse weights.
  virtual bool has_sparse() const { return false; }
  /// Of the vectors of single tokens that embed_all() gives; 0: it gives none.
  virtual int64_t token_dimension() const { return 0; }
  /// These outputs for each text, in one pass. The dense vectors differ from those of embed() at most in the last bits.
  /// The vectors of the tokens take a hundred times the memory of the weights.
  virtual std::vector<TextEmbedding> embed_all(std::span<const std::string_view> texts, TextRole role,
                                               TokenOutputs wanted = TokenOutputs::weights_and_vectors);
  /// Hidden states before pooling: [ids.size(), hidden]. For tests.
  virtual std::vector<float> hidden_states(std::span<const TokenId> ids) = 0;
  /// Releases what was made to embed many texts at once, which the next such call makes again. Not that of its Ops.
  virtual void release_working_memory() {}
};

}  // namespace frugal
