#include "model/vocabulary/build_sentencepiece.h"

#include <algorithm>

#include "model/tokenize/tokenizer_base.h"
#include "model/unicode/normalize.h"
#include "model/vocabulary/build_unigram.h"
#include "model/vocabulary/read_charsmap.h"

namespace frugal {
namespace {

using Token = SentencePieceTokenizer::Token;

// A piece that users defined is found in a text whose spaces are U+2581, so that its neighbours have none before them.
// One with a space of its own is found nowhere, as in SentencePiece.
void match_normalized(const SentencePieceTokenizer& source, VocabularyBuilder& vocabulary) {
  for (auto& token : vocabulary.content().added) {
    if (source.tokens[static_cast<size_t>(token.id)].role == Token::Role::user_defined)
      token.flags |= kAddedNormalized;
    else if (token.flags & kAddedNormalized)
      token.match = change_characters(token.content, bpe_changes(kMarkSpaces)).text;
  }
}

std::string build_bpe(const SentencePieceTokenizer& source) {
  using Spaces = SentencePieceTokenizer::Spaces;
  VocabularyBuilder vocabulary(BlobKind::character_bpe);
  for (size_t id = 0; id < source.num_pieces; ++id)
    vocabulary.add_token(source.tokens[id].text, static_cast<int64_t>(id));
  vocabulary.content().merges.reserve(source.merges.size());
  for (const SentencePieceTokenizer::Merge& merge : source.merges)
    vocabulary.content().merges.push_back({merge.left, merge.right, merge.rank, merge.merged});
  add_sentencepiece_roles(source, vocabulary);
  match_normalized(source, vocabulary);
  if (source.byte_fallback) vocabulary.require_byte_tokens();
  vocabulary.set(kUnknownForBytes, true);
  vocabulary.set(kFuseUnknown, true);
  vocabulary.set(kMarkSpaces, true);
  vocabulary.set(kMarkBegin, source.dummy_prefix);
  vocabulary.set(kSplitSpaces, source.spaces == Spaces::trimmed);
  vocabulary.set(kCharsmap, !source.charsmap.empty());
  if (source.spaces == Spaces::trimmed || !source.charsmap.empty()) {
    const Charsmap charsmap = source.charsmap.empty() ? Charsmap() : read_charsmap(source.charsmap);
    vocabulary.set_replacements({charsmap.characters.begin(), charsmap.characters.end()}, charsmap.sequences);
  }
  return vocabulary.finish();
}

}  // namespace

void add_sentencepiece_roles(const SentencePieceTokenizer& source, VocabularyBuilder& vocabulary) {
  for (size_t id = 0; id < source.tokens.size(); ++id) {
    const Token& token = source.tokens[id];
    uint32_t flags = token.role == Token::Role::special ? uint32_t{kAddedSpecial} : 0U;
    if (token.left_strip) flags |= kAddedLeftStrip;
    if (token.right_strip) flags |= kAddedRightStrip;
    if (token.single_word) flags |= kAddedSingleWord;
    if (token.normalized) flags |= kAddedNormalized;
    if (token.role != Token::Role::piece) vocabulary.add_added(token.text, static_cast<int64_t>(id), flags);
  }
  TokenizerContent& content = vocabulary.content();
  content.header.unk = vocabulary.check_id(source.unk, "unk_id");
  content.header.bos = source.bos, content.header.eos = source.eos, content.header.pad = source.pad;
  content.prefix = source.prefix, content.suffix = source.suffix, content.separator = source.separator;
}

std::string build_gguf_sentencepiece(const TokenizerSource& source) {
  return build_bpe(apply_gguf_rules(source));
}

std::string build_sentencepiece(const TokenizerSource& source) {
  const SentencePieceTokenizer tokenizer = apply_sentencepiece_rules(source);
  return tokenizer.is_bpe ? build_bpe(tokenizer) : build_unigram(tokenizer);
}

}  // namespace frugal
