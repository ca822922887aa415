// SentencePiece's model files (Kudo and Richardson 2018): spiece.model, tokenizer.model, sentencepiece.bpe.model. The
// pieces of a tokenizer with what its training has decided; what a family of models makes of them is in
// sentencepiece_rules.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace frugal {

struct SentencePieceModel {
  enum class Algorithm { unigram = 1, bpe = 2, word = 3, character = 4 };
  enum class Type { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
  struct Piece {
    std::string_view text;  // U+2581 stands for a space
    float score = 0;        // Unigram: logarithm of a probability; BPE: falls with the rank of the piece
    Type type = Type::normal;
  };

  std::vector<Piece> pieces;  // by id
  Algorithm algorithm = Algorithm::unigram;
  int32_t unk = 0, bos = 1, eos = 2, pad = -1;  // −1: none
  bool byte_fallback = false;                   // unknown characters are the pieces of their bytes
  bool whitespace_as_suffix = false;            // the space of a word is behind it
  // The normalisation. `charsmap` is the precompiled one (model/tokenize/charsmap.h), empty for the identity.
  std::string_view charsmap;
  bool dummy_prefix = true;    // a space is put before a text
  bool removes_spaces = true;  // at both ends, and of a run all but one
  bool escapes_spaces = true;  // a space becomes U+2581
  bool changes_decoded_text = false;
};

/// Reads the content of a model file, which the result borrows. Throws Error(corrupt_file) naming `file`, the field and
/// its offset if it is cut off, lacks pieces, or has a value that is out of range.
SentencePieceModel read_sentencepiece(std::string_view content, std::string_view file);

}  // namespace frugal
