// The decoding loop: samples tokens after a prompt, streams their text, and ends it. What has read the prompt is up to
// the caller.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "model/generate/generator.h"
#include "model/generate/text_stream.h"
#include "model/generate/token_sampler.h"
#include "model/tokenize/tokenizer.h"

namespace frugal {

class Deadline {
 public:
  /// milliseconds: from now on; 0: none.
  explicit Deadline(int64_t milliseconds) : milliseconds_(milliseconds) {}
  bool passed() const { return milliseconds_ > 0 && elapsed_ns() > milliseconds_ * 1'000'000; }
  int64_t elapsed_ns() const { return std::chrono::nanoseconds(Clock::now() - begin_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin_ = Clock::now();
  int64_t milliseconds_;
};

/// The tokens that end a turn in the supported chat families, and the model's own end of a sequence.
std::vector<TokenId> turn_ends(const Tokenizer& tokenizer);

/// Appends a token to the text that a model writes, and computes the logits of the next one: [vocab].
using AppendToken = std::function<void(TokenId id, std::span<float> logits)>;

/// Continues the text whose last logits are `logits` ([vocab], overwritten) until a token of `ends`, a stop string,
/// `max_new_tokens`, a sink that cancels, or the deadline. Sets text, new_tokens and finish of `result`. Throws as
/// `append`.
void write_tokens(const Tokenizer& tokenizer, const AppendToken& append, std::span<float> logits,
                  std::span<const TokenId> ends, int64_t max_new_tokens, Sampler& sampler, TextStream& stream,
                  const Deadline& deadline, const TokenSink& sink, Generation& result);

}  // namespace frugal
