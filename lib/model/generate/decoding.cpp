#include "model/generate/decoding.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace frugal {
namespace {

constexpr std::string_view kTurnEnds[] = {"<|im_end|>",    "<|eot_id|>", "<|end_of_text|>",
                                          "<|endoftext|>", "</s>",       "<end_of_turn>"};

}  // namespace

std::vector<TokenId> turn_ends(const Tokenizer& tokenizer) {
  std::vector<TokenId> ends;
  for (const std::string_view token : kTurnEnds)
    if (const auto id = tokenizer.find(token); id && tokenizer.is_special(*id)) ends.push_back(*id);
  if (const auto eos = tokenizer.eos()) ends.push_back(*eos);
  return ends;
}

void write_tokens(const Tokenizer& tokenizer, const AppendToken& append, std::span<float> logits,
                  std::span<const TokenId> ends, int64_t max_new_tokens, Sampler& sampler, TextStream& stream,
                  const Deadline& deadline, const TokenSink& sink, Generation& result) {
  std::vector<TokenId> seen;
  result.finish = Finish::length;
  // Returns false if the sink cancels.
  const auto emit = [&](const std::string& text) {
    result.text += text;
    return text.empty() || !sink || sink(text);
  };
  while (result.new_tokens < max_new_tokens) {
    const TokenId id = sampler.sample(logits, seen);
    if (std::find(ends.begin(), ends.end(), id) != ends.end()) {
      result.finish = Finish::stop;
      break;
    }
    ++result.new_tokens;
    seen.push_back(id);
    const bool wanted = emit(stream.push(tokenizer.token_bytes(id)));
    if (stream.stopped() || !wanted) {
      result.finish = wanted ? Finish::stop : Finish::cancelled;
      break;
    }
    if (deadline.passed()) {
      result.finish = Finish::deadline;
      break;
    }
    if (result.new_tokens < max_new_tokens) append(id, logits);
  }
  if (!stream.stopped() && result.finish != Finish::cancelled) emit(stream.finish());
}

}  // namespace frugal
