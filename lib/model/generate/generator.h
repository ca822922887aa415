// Generates the reply to a conversation: chat template, prefill, sampling, stop strings, streaming.
// make_local_generator() does it with a Decoder of this process; the interface leaves room for remote models.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/setting.h"
#include "memory/budget.h"
#include "model/nn/decoder.h"
#include "model/nn/kv_cache.h"
#include "model/tokenize/chat.h"

namespace frugal {

struct GenerateOptions {
  int64_t max_new_tokens = 256;
  float temperature = 0;  // 0: greedy
  float top_p = 1;
  int64_t top_k = 0;  // 0: all
  float min_p = 0;
  float repeat_penalty = 1;
  uint64_t seed = 0;
  std::vector<std::string> stop;
  /// Milliseconds from the start of the prefill, checked between pieces of the prompt and between tokens; 0: none.
  /// After the deadline the text so far is returned with Finish::deadline.
  int64_t deadline_ms = 0;

  template <typename F>
  void visit(F&& f) {
    f("generate.max_new_tokens", max_new_tokens, {"tokens to write at most", Range{1, 1 << 20}});
    f("generate.temperature", temperature, {"0: always the likeliest token", Range{0, 100}});
    f("generate.top_k", top_k, {"tokens to sample from; 0: all", Range{0, 1 << 20}});
    f("generate.top_p", top_p, {"probability mass to sample from", Range{0, 1}});
    f("generate.min_p", min_p, {"least probability, relative to the likeliest token's", Range{0, 1}});
    f("generate.repeat_penalty", repeat_penalty, {"of tokens that the text holds already; 1: none", Range{0.01, 100}});
    f("generate.seed", seed, {"of the sampling"});
  }
};

/// Why a generation ended: at a stop string or the end of the turn, at its maximum of tokens, after its deadline, or
/// because the sink cancelled it.
enum class Finish { stop, length, deadline, cancelled };

struct Generation {
  std::string text;
  int64_t prompt_tokens = 0;
  int64_t new_tokens = 0;
  Finish finish = Finish::stop;
  int64_t prefill_ns = 0;
  int64_t decode_ns = 0;
  int64_t prefix_tokens_reused = 0;  // tokens of the prompt that were restored from a PrefixCache, not computed
};

/// Receives valid UTF-8 as soon as it is complete. Returns false to cancel the generation (Finish::cancelled).
using TokenSink = std::function<bool(std::string_view text)>;

class Generator {
 public:
  virtual ~Generator() = default;
  virtual std::string identity() const = 0;
  virtual int64_t context_tokens() const = 0;
  /// Tokens of the prompt that these messages become, template included.
  virtual int64_t count_tokens(std::span<const ChatMessage> messages) const = 0;
  /// Throws Error(bad_input) if the prompt does not fit the context, Error(usage) for an option out of range,
  /// Error(over_budget).
  virtual Generation chat(std::span<const ChatMessage> messages, const GenerateOptions& options,
                          const TokenSink& sink = {}) = 0;
};

class PrefixCache;

/// Borrows all arguments. `family` replaces the chat family that the model's pack names; without it, throws as
/// Decoder::chat_family(). `prefixes` may be null; it saves time and changes no token. kv_type: of the key-value cache.
std::unique_ptr<Generator> make_local_generator(Decoder& decoder, Budget& budget, std::optional<ChatFamily> family = {},
                                                const PrefixCache* prefixes = nullptr,
                                                KvType kv_type = KvType::automatic);

}  // namespace frugal
