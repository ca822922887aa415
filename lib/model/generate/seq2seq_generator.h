// Searches for the best text that an encoder-decoder writes from a source, greedily or with beams, as generate() of
// transformers does: the same settings give the same tokens, up to rounding.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "memory/budget.h"
#include "model/nn/kv_cache.h"
#include "model/nn/seq2seq.h"
#include "model/nn/seq2seq_settings.h"

namespace frugal {

/// The tokens of the best text, from the start token to the end token. Throws Error(usage) for a setting that is out of
/// range, and as Seq2Seq::encode() does.
std::vector<TokenId> generate_tokens(Seq2Seq& model, std::span<const TokenId> source, const Seq2SeqSettings& settings,
                                     Budget& budget, KvType type = KvType::automatic);

struct RewrittenText {
  std::string text;  // without special tokens
  int64_t source_tokens = 0;
  int64_t new_tokens = 0;
};

/// The same for a text, which is cut at the longest source that the model was made for.
RewrittenText rewrite_text(Seq2Seq& model, std::string_view text, const Seq2SeqSettings& settings, Budget& budget,
                           KvType type = KvType::automatic);

}  // namespace frugal
