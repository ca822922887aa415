// What families of models make of a SentencePiece model file: special tokens, the order of ids, the template around a
// text. As transformers converts such files, or, where a family has no rules of its own, as SentencePiece itself
// encodes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/format/checkpoint.h"

namespace frugal {

struct SentencePieceTokenizer {
  /// How spaces of a text end its words.
  enum class Spaces {
    all_white,  // XLM-RoBERTa and T5: any white space does, and is dropped
    trimmed,    // spaces at both ends are dropped, and of a run all but one
    kept
  };
  struct Token {
    /// added: found in a text as it is given. user_defined: a piece that is found before others.
    enum class Role { piece, special, user_defined, added };
    std::string text;
    double score = 0;
    Role role = Role::piece;
    // How a special token or an added one is found in a text: with the white space beside it, alone, as it is
    // normalised.
    bool left_strip = false, right_strip = false, single_word = false, normalized = false;
  };
  /// Pieces of these ids that are neighbours become the piece `merged`; the lowest rank first, of equal ones the
  /// leftmost.
  struct Merge {
    int32_t left = 0, right = 0;
    uint32_t rank = 0;
    int32_t merged = 0;
  };

  bool is_bpe = false;
  std::vector<Token> tokens;  // by id
  size_t num_pieces = 0;      // the first of them are the vocabulary of the model
  std::vector<Merge> merges;  // of a BPE
  double lowest_score = 0;    // of a Unigram's pieces: an unknown character costs more
  std::string_view charsmap;  // as in SentencePieceModel
  Spaces spaces = Spaces::kept;
  bool dummy_prefix = true;    // a space is put before a text
  bool byte_fallback = false;  // unknown characters are the tokens <0x00> to <0xFF> of their bytes
  int32_t unk = 0, bos = -1, eos = -1, pad = -1;
  std::vector<int32_t> prefix, suffix, separator;  // around a text, and between the two of a pair
};

/// The tokenizer of source.sentencepiece, which it borrows. `tokenizer_class` of source.tokenizer_config decides the
/// family, or else source.model_type; `added_tokens_decoder` may have tokens behind those of the family. Throws as
/// read_sentencepiece(), and Error(bad_input) naming what is not supported.
SentencePieceTokenizer apply_sentencepiece_rules(const TokenizerSource& source);
/// The tokenizer of a GGUF file whose model is "llama": a BPE that encodes as SentencePiece, as its converter found it.
/// Throws Error(bad_input) naming the field that is missing or out of range.
SentencePieceTokenizer apply_gguf_rules(const TokenizerSource& source);

}  // namespace frugal
