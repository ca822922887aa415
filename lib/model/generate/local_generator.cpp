// Generation by a Decoder of this process. chat() goes through these steps:
//
// 1. The messages become tokens by the chat template. Only the template's own markup is tokenised as special tokens, so
//    the text of a document cannot forge a turn.
// 2. The prompt must leave room in the context. check_room() then fails if the budget lacks memory for prompt and
//    answer now, rather than in the middle of the answer. It reserves nothing, so a later step may still fail.
// 3. Prefill: the prefix cache restores the longest stored start of the prompt, and the rest is computed in pieces.
// 4. Decode: sample a token, stream its text, compute the next logits. The loop ends at a token that ends the turn, at
//    a stop string, at the maximum of tokens, when the sink cancels, or after the deadline.
// 5. The text that was held back is flushed, and the prompt's blocks are stored in the prefix cache.
//
// Tokens never depend on the prefix cache. The bits of a row may depend on the rows that are computed with it, so
// pieces of the prompt always end at multiples of kPrefixBlockTokens, whether blocks are restored or stored or neither
// (docs/design/0016). A backend that does not guarantee equal bits has no prefix cache, and computes a prompt at once.
//
// The deadline is checked between pieces and between tokens, so a generation overruns it by one forward pass at most.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "memory/budget.h"
#include "model/generate/decoding.h"
#include "model/generate/generator.h"
#include "model/generate/prefix_cache.h"
#include "model/nn/kv_cache.h"

namespace frugal {
namespace {

class LocalGenerator final : public Generator {
 public:
  LocalGenerator(Decoder& decoder, Budget& budget, ChatFamily family, const PrefixCache* prefixes, KvType kv_type)
      : decoder_(decoder),
        budget_(budget),
        family_(family),
        prefixes_(prefixes),
        kv_type_(kv_type),
        ends_(turn_ends(decoder.tokenizer())) {}

  std::string identity() const override { return decoder_.identity(); }
  int64_t context_tokens() const override { return decoder_.context_tokens(); }

  int64_t count_tokens(std::span<const ChatMessage> messages) const override {
    return int64_t(prompt_ids(messages).size());
  }

  Generation chat(std::span<const ChatMessage> messages, const GenerateOptions& options,
                  const TokenSink& sink) override {
    const std::vector<TokenId> prompt = prompt_ids(messages);
    const int64_t room = decoder_.context_tokens() - int64_t(prompt.size());
    if (room < 1)
      throw Error(Code::bad_input, fmt::format("the prompt takes {} tokens and leaves no room in a context of {}",
                                               prompt.size(), decoder_.context_tokens()))
          .hint("retrieve fewer chunks (--top-k), or use a generator with a longer context");
    return run(prompt, std::min(options.max_new_tokens, room), options, sink);
  }

 private:
  std::vector<TokenId> prompt_ids(std::span<const ChatMessage> messages) const {
    const Tokenizer& tokenizer = decoder_.tokenizer();
    std::vector<TokenId> ids;
    for (const ChatPiece& piece : render_chat(family_, messages, decoder_.default_system())) {
      const std::vector<TokenId> part = tokenizer.encode(piece.text, piece.markup);
      ids.insert(ids.end(), part.begin(), part.end());
    }
    return ids;
  }

  // Returns false after the deadline.
  bool prefill(std::span<const TokenId> prompt, const Deadline& deadline, KvCache& cache, std::span<float> logits,
               int64_t& reused) {
    cache.extend(int64_t(prompt.size()));
    reused = prefixes_ ? prefixes_->restore(decoder_.identity(), prompt, cache) : 0;
    const size_t piece_tokens = cache.row_identity().empty() ? prompt.size() : static_cast<size_t>(kPrefixBlockTokens);
    for (auto rest = prompt.subspan(static_cast<size_t>(reused)); !rest.empty();) {
      if (deadline.passed()) return false;
      const auto piece = rest.first(std::min(rest.size(), piece_tokens));
      rest = rest.subspan(piece.size());
      decoder_.forward(piece, cache, rest.empty() ? logits : std::span<float>());
    }
    return true;
  }

  Generation run(const std::vector<TokenId>& prompt, int64_t max_new_tokens, const GenerateOptions& options,
                 const TokenSink& sink) {
    const Deadline deadline(options.deadline_ms);
    Sampler sampler(options);
    TextStream stream(options.stop);
    Generation result;
    result.prompt_tokens = int64_t(prompt.size());
    KvCache cache = decoder_.make_cache(int64_t(prompt.size()) + max_new_tokens, budget_, kv_type_);
    std::vector<float> logits(static_cast<size_t>(decoder_.vocab_size()));
    cache.check_room(int64_t(prompt.size()) + max_new_tokens);
    const bool prefilled = prefill(prompt, deadline, cache, logits, result.prefix_tokens_reused);
    result.prefill_ns = deadline.elapsed_ns();
    result.finish = Finish::deadline;
    const auto append = [&](TokenId id, std::span<float> next) { decoder_.forward(std::span(&id, 1), cache, next); };
    if (prefilled)
      write_tokens(decoder_.tokenizer(), append, logits, ends_, max_new_tokens, sampler, stream, deadline, sink,
                   result);
    result.decode_ns = deadline.elapsed_ns() - result.prefill_ns;
    // Not after the deadline, which a slow disk would overrun further.
    if (prefixes_ && result.finish != Finish::deadline)
      prefixes_->keep(decoder_.identity(), prompt, result.prefix_tokens_reused, cache);
    return result;
  }

  Decoder& decoder_;
  Budget& budget_;
  ChatFamily family_;
  const PrefixCache* prefixes_;
  KvType kv_type_;
  std::vector<TokenId> ends_;
};

}  // namespace

std::unique_ptr<Generator> make_local_generator(Decoder& decoder, Budget& budget, std::optional<ChatFamily> family,
                                                const PrefixCache* prefixes, KvType kv_type) {
  return std::make_unique<LocalGenerator>(decoder, budget, family ? *family : decoder.chat_family(), prefixes, kv_type);
}

}  // namespace frugal
