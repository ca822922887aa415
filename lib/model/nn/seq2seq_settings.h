// How an encoder-decoder generates, as its checkpoint says in generation_config.json or config.json and its pack in the
// keys "seq2seq.…": special tokens and the settings of the search. Names and meanings are those of transformers.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/setting.h"
#include "model/format/checkpoint.h"
#include "model/format/model_config.h"
#include "model/tokenize/tokenizer.h"

namespace frugal {

/// When beam search ends before the maximum length. yes: as soon as there are as many finished texts as beams. no: when
/// the best unfinished text, at its present length, cannot be better than the worst finished one. never: when it could
/// not be at any length.
enum class EarlyStopping { no, yes, never };
constexpr std::array<Named<EarlyStopping>, 3> names_of(EarlyStopping) {
  return {{{EarlyStopping::no, "false"}, {EarlyStopping::yes, "true"}, {EarlyStopping::never, "never"}}};
}

/// Lengths are in tokens, and count the start token and the end token.
struct Seq2SeqSettings {
  TokenId decoder_start = 0;          // the first token, which is given to the decoder and not generated
  std::vector<TokenId> ends;          // tokens that end a text
  std::optional<TokenId> forced_bos;  // always the first generated token
  std::optional<TokenId> forced_eos;  // always the token at max_length
  int64_t num_beams = 1;              // 1: greedy
  double length_penalty = 1;          // a finished text's log-probability is divided by its length to this power
  EarlyStopping early_stopping = EarlyStopping::no;
  int64_t no_repeat_ngram_size = 0;  // no run of so many tokens occurs twice; 0: any may
  int64_t min_length = 0;            // no text ends before it
  int64_t max_length = 256;
  std::string summary_prefix;  // what a text to be summarised begins with, as T5 was trained: "summarize: "
};

inline constexpr int64_t kMaxBeams = 64;

/// Adds the keys for a checkpoint to `config`. `part` begins the keys of config.json where the encoder-decoder is a
/// part of a model, "text_config."; generation_config.json then says nothing, as in transformers. Throws
/// Error(bad_input) naming a setting that is out of range.
void plan_seq2seq(const Checkpoint& checkpoint, int64_t vocab, std::map<std::string, std::string>& config,
                  std::string_view part = "");

/// The settings of a pack; max_length keeps its default if the checkpoint has none. Throws what ModelConfig::fail
/// throws.
Seq2SeqSettings read_seq2seq(const ModelConfig& pack, int64_t vocab);

}  // namespace frugal
