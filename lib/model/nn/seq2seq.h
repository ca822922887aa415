// The interface of an encoder-decoder, such as T5 or BART: it reads a source text once, and writes texts from it token
// by token. model/generate/seq2seq_generator.h searches for the best text.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "memory/budget.h"
#include "model/nn/beam_cache.h"
#include "model/nn/kv_cache.h"
#include "model/nn/model.h"
#include "model/nn/seq2seq_settings.h"
#include "model/tokenize/tokenizer.h"

namespace frugal {

/// Not thread-safe: one forward pass at a time.
class Seq2Seq : public Model {
 public:
  static constexpr ModelKindWords kKind{ModelKind::encoder_decoder, "encoder-decoder", "does not rewrite texts",
                                        "give the pack of an encoder-decoder, such as flan-t5-small"};
  ModelKind kind() const final { return kKind.kind; }

  virtual int64_t vocab_size() const = 0;
  /// The longest source that the model was made for, in tokens. Longer ones are read less well, or not at all.
  virtual int64_t max_source_tokens() const = 0;
  /// The longest text that the decoder can write, in tokens.
  virtual int64_t max_target_tokens() const = 0;
  virtual const Tokenizer& tokenizer() const = 0;
  /// The settings that the checkpoint was published with.
  virtual const Seq2SeqSettings& settings() const = 0;

  /// A text as a source: with the special tokens around it, and cut at the end to max_source_tokens().
  std::vector<TokenId> source_ids(std::string_view text) const;

  /// Reads a source, with the special tokens that the model expects in it, and returns the cache for `beams` texts of
  /// up to `capacity` tokens. Throws Error(corrupt_file) for an id outside the vocabulary, Error(bad_input) if the
  /// source is empty or longer than the model can read, Error(over_budget), and Error(usage) as KvCache does.
  virtual BeamCache encode(std::span<const TokenId> ids, int64_t beams, int64_t capacity, Budget& budget,
                           KvType type = KvType::f32) = 0;
  /// Appends the next tokens of every text, text by text and equally many each, and writes the logits after each token.
  /// logits: [ids.size(), vocab_size]. Throws as encode() and KvCache::extend() do.
  virtual void decode(std::span<const TokenId> ids, BeamCache& cache, std::span<float> logits) = 0;
};

}  // namespace frugal
