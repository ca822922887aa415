// A reader that ranks passages and finds no answers in them: an encoder that reads a pair, and a head that makes one
// logit of it. encoder_ranker.h and prompt_ranker.h have the heads.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compute/ops/ops.h"
#include "model/heads/reader_pairs.h"
#include "model/heads/text_encoder.h"
#include "model/nn/model_source.h"
#include "model/nn/reader.h"

namespace frugal {

class Ranker : public Reader {
 public:
  std::string identity() const final { return identity_; }
  const Tokenizer& tokenizer() const final { return *tokenizer_; }
  int64_t max_tokens() const final { return limits_.pair; }
  bool finds_answers() const final { return false; }
  /// There is one exit: all layers are the first half.
  std::vector<HalfRead> read_half(std::span<const ReaderPair> pairs) final;
  std::vector<Reading> read_rest(std::span<const HalfRead* const> halves) final;
  float confidence(const ConfidenceFeatures& features) const final;

 protected:
  /// Borrows `source` and `ops`. `family` begins the identity. A question takes at most half of a pair. Throws as
  /// ModelSource does, and what ModelConfig::fail throws.
  Ranker(std::string_view family, std::unique_ptr<TextEncoder> encoder, const ModelSource& source, Ops& ops);

  /// The relevance of each pair, a logit.
  virtual std::vector<float> rank(const TokenBatch& batch) = 0;
  /// Throws what ModelConfig::fail throws unless a pair has room for a passage beside the longest question and `fixed`
  /// tokens of the template.
  void require_room(const ModelConfig& config, int64_t fixed) const;

  Ops& ops() const { return ops_; }
  TextEncoder& encoder() const { return *encoder_; }
  const PairLimits& limits() const { return limits_; }

 private:
  Ops& ops_;
  std::unique_ptr<TextEncoder> encoder_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::string identity_;
  PairLimits limits_;
};

/// Adds the key that the constructor reads. tokens: the longest sequence of the encoder. Throws Error(bad_input) if a
/// pair does not fit it.
void plan_pair_limit(int64_t tokens, std::map<std::string, std::string>& keys);

}  // namespace frugal
