// The interface of a reader: a cross-encoder that sees a question together with a passage. It judges how relevant the
// passage is, whether it holds an answer, and where in it the answer stands.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "model/nn/model.h"
#include "model/tokenize/tokenizer.h"

namespace frugal {

/// A question and a passage as a reader sees them.
struct ReaderPair {
  std::vector<TokenId> ids;              // question and passage, with the tokens of the template
  size_t passage = 0;                    // where in `ids` the passage begins
  std::vector<Tokenizer::Piece> pieces;  // the tokens of the passage that fit, with their bytes in its text
};

/// A pair halfway through the layers, where a first relevance is known. It can be read to the end without repeating
/// more of the first half than a layer.
struct HalfRead {
  float relevance = 0;  // a logit; comparable only with those of the same question
  size_t passage = 0, pieces = 0;
  std::vector<float> states;  // [ids, hidden]
};

/// What a reader found. Begin and end are logits of the answer's first and last token, one for each piece of the pair.
struct Reading {
  float relevance = 0;   // a logit; comparable only with those of the same question
  float answerable = 0;  // a logit: above 0, more likely than not the passage holds an answer
  float none = 0;        // the sum of the logits for "no answer here", to be compared with a sum of begin and end
  std::vector<float> begin, end;
};

/// What is known of an answer that was read in one of a few passages, best first. Logits unless it says otherwise.
struct ConfidenceFeatures {
  float answerable = 0;       // of the passage with the answer
  float best_answerable = 0;  // the highest of all passages
  float margin = 0;           // of the answer over "no answer here"
  float certainty = 0;        // log probability of the answer among all spans of its passage and none
  float share = 0;            // log probability of its passage among those that were read
  float coverage = 0;         // share of the question's words, by their weight, that its sentence has: 0 … 1
  // How far its passage's cosine stands out: (cosine − usual) / (1 − usual); nullopt if it is not known what is usual.
  std::optional<float> contrast;
  float portuguese = 0;  // 1 if the question is in Portuguese, else 0

  static constexpr size_t kCount = 8;
  /// Without a contrast its value is 0.
  std::array<float, kCount> values() const {
    return {answerable, best_answerable, margin, certainty, share, coverage, contrast.value_or(0), portuguese};
  }
};

/// Not thread-safe: one forward pass at a time, since its Ops hold the working memory.
class Reader : public Model {
 public:
  static constexpr ModelKindWords kKind{ModelKind::reader, "reader", "does not read passages",
                                        "give the pack of a reader, such as the one in models/, as --reader"};
  ModelKind kind() const final { return kKind.kind; }

  virtual const Tokenizer& tokenizer() const = 0;
  /// The longest pair in tokens, those of the template included.
  virtual int64_t max_tokens() const = 0;
  /// False for a model that only ranks: its readings have a relevance and nothing else.
  virtual bool finds_answers() const { return true; }
  /// Cuts a long question, and the end of a long passage, to fit.
  virtual ReaderPair pair(std::string_view question, std::string_view passage) const = 0;
  /// Reads pairs through the first half of the layers. The other pairs of a call change at most the last bits.
  virtual std::vector<HalfRead> read_half(std::span<const ReaderPair> pairs) = 0;
  /// Reads the rest of the layers.
  virtual std::vector<Reading> read_rest(std::span<const HalfRead* const> halves) = 0;
  /// The probability, 0 … 1, that the answer is right: by logistic regression, whose coefficients are part of the model
  /// (fitted on questions that it was not trained on), others if there is no contrast; without them, by `answerable`
  /// alone.
  virtual float confidence(const ConfidenceFeatures& features) const = 0;
};

}  // namespace frugal
