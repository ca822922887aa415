// The normalisation of a Unigram tokenizer has one form here: code points, or grapheme clusters, are replaced by a
// table, the result is composed (NFC), white space at the end goes, runs of spaces become one, and words begin with
// U+2581. A precompiled_charsmap is such a table of grapheme clusters, and nothing is composed after it. NFKC, the
// normalisation of SentencePiece, is of this form: the table has the NFKC of each code point, and the NFC of texts in
// NFKC that are put one behind the other is the NFKC of the whole.
#include "model/vocabulary/build_unigram.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/utf8.h"
#include "model/tokenize/piece_trie.h"
#include "model/unicode/normalize.h"
#include "model/unicode/unicode.h"
#include "model/vocabulary/build_sentencepiece.h"
#include "model/vocabulary/code_point_tables.h"
#include "model/vocabulary/read_charsmap.h"
#include "model/vocabulary/sentencepiece_rules.h"
#include "model/vocabulary/tokenizer_json.h"
#include "model/vocabulary/vocabulary_builder.h"

namespace frugal {
namespace {

constexpr std::string_view kMetaspace = "\u2581";
// SentencePiece's: an unknown character costs this much more than the least likely piece.
constexpr double kUnknownPenalty = 10;

using Replacements = VocabularyBuilder::Replacements;
using Sequences = VocabularyBuilder::Sequences;

// SentencePiece's first step, the rules of neural machine translation: control characters vanish, and other characters
// without ink are spaces.
void add_nmt(Replacements& table) {
  const auto is_control = [](char32_t c) {
    return c <= 0x8 || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
  };
  for (char32_t c = 1; c < 0xA0; ++c)
    if (is_control(c)) table[c] = "";
  for (const char32_t c :
       {0x9, 0xA, 0xC, 0xD, 0x1680, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD})
    table[c] = " ";
}

// Adds the code points whose NFKC is another text, unless the table has them.
void add_nfkc(Replacements& table) {
  for (char32_t c = 0xA0; c < 0x110000; ++c) {
    if ((c >= 0xD800 && c < 0xE000) || table.contains(c)) continue;
    const unicode::CompatibilityDecomposition parts = unicode::decompose_compatibly(c);
    if (parts.num_parts == 0) continue;
    std::string decomposed, same;
    for (size_t i = 0; i < parts.num_parts; ++i) append_utf8(decomposed, parts.parts[i]);
    append_utf8(same, c);
    std::string text = to_nfc(decomposed).text;
    if (text != same) table[c] = std::move(text);
  }
}

// A builder with the pieces, their scores and the normalisation.
class UnigramBuilder {
 public:
  UnigramBuilder() : vocabulary_(BlobKind::unigram) {}

  VocabularyBuilder& vocabulary() { return vocabulary_; }

  void add_piece(std::string_view piece, double score) {
    if (!std::isfinite(score)) throw malformed("vocab", fmt::format("the score of '{:.40}' is no number", piece));
    if (piece.size() > kMaxPieceBytes)
      throw malformed(
          "vocab", fmt::format("piece {} has {} bytes, more than {}", scores().size(), piece.size(), kMaxPieceBytes));
    vocabulary_.add_token(piece, static_cast<int64_t>(scores().size()));
    scores().push_back(score);
  }

  // The score of an unknown character follows from the lowest of all pieces.
  std::string finish(const Replacements& table, const Sequences& sequences) {
    if (scores().empty()) throw malformed("vocab", "is empty");
    return finish(table, sequences, *std::min_element(scores().begin(), scores().end()));
  }

  std::string finish(const Replacements& table, const Sequences& sequences, double lowest_score) {
    vocabulary_.content().unknown_score = lowest_score - kUnknownPenalty;
    vocabulary_.set_replacements(table, sequences);
    return vocabulary_.finish();
  }

 private:
  std::vector<double>& scores() { return vocabulary_.content().scores; }

  VocabularyBuilder vocabulary_;
};

// [piece, score]
void read_piece(const JsonField& entry, UnigramBuilder& builder) {
  const std::vector<JsonField> pair = items(entry);
  const auto score = pair.size() == 2 ? pair[1].number() : std::nullopt;
  if (!score) throw malformed(entry.path(), "is not [piece, score]");
  builder.add_piece(require_text(pair[0]), *score);
}

// The steps of a normaliser in the order that they must have.
enum class Step { none, nmt, table, strip, spaces };

struct Normalizer {
  Replacements table;
  Sequences sequences;
  uint32_t flags = 0;
};

Step read_step(const JsonField& step, Normalizer& normalizer) {
  const std::string_view type = step.type();
  if (type == "Nmt") {
    add_nmt(normalizer.table);
    return Step::nmt;
  }
  if (type == "NFC" || type == "NFKC") {
    if (type == "NFKC") add_nfkc(normalizer.table);
    normalizer.flags |= kNfc;
    return Step::table;
  }
  if (type == "Precompiled" && normalizer.table.empty()) {
    Charsmap charsmap = read_base64_charsmap(require_text(step["precompiled_charsmap"]));
    normalizer.table.insert(charsmap.characters.begin(), charsmap.characters.end());
    normalizer.sequences = std::move(charsmap.sequences);
    normalizer.flags |= kCharsmap;
    return Step::table;
  }
  if (type == "Strip" && step["strip_right"].boolean() == true && step["strip_left"].boolean() == false) {
    normalizer.flags |= kStripRight;
    return Step::strip;
  }
  const auto content = step["content"].text();
  if (type == "Replace" && step["pattern"]["Regex"].text() == " {2,}" && (content == " " || content == kMetaspace)) {
    normalizer.flags |= kCollapseSpaces | (content == kMetaspace ? kSpacesAreMark : 0U);
    return Step::spaces;
  }
  return Step::none;
}

Normalizer read_normalizer(const JsonField& root) {
  constexpr std::string_view kKnown =
      "Precompiled, or Nmt, then NFKC or NFC; then Strip of the right side, then Replace of ' {2,}' by ' ' or U+2581";
  Normalizer normalizer;
  Step last = Step::none;
  for (const JsonField& step : steps_of(root["normalizer"], "normalizers")) {
    const Step found = read_step(step, normalizer);
    if (found <= last) throw unsupported("normalizer", step.type(), kKnown);
    last = found;
  }
  return normalizer;
}

void require_metaspace(const JsonField& pre) {
  const JsonField scheme = pre["prepend_scheme"];
  const bool prepends = scheme ? scheme.text() == "always" : pre["add_prefix_space"].boolean().value_or(true);
  if (pre.type() != "Metaspace" || pre["replacement"].text() != kMetaspace || !prepends ||
      !pre["split"].boolean().value_or(true))
    throw unsupported("pre_tokenizer", pre.type(), "Metaspace with U+2581 that is always prepended, and splits");
}

void read_metaspace(const JsonField& root, VocabularyBuilder& vocabulary) {
  const std::vector<JsonField> steps = steps_of(root["pre_tokenizer"], "pretokenizers");
  const bool splits = !steps.empty() && steps.front().type() == "WhitespaceSplit";
  vocabulary.set(kSplitWhitespace, splits);
  if (steps.size() != (splits ? 2 : 1))
    throw unsupported("pre_tokenizer", fmt::format("of {} steps", steps.size()),
                      "Metaspace alone or after WhitespaceSplit");
  require_metaspace(steps.back());
}

// An added token that matches normalised text must be as it is when it is normalised.
void check_added(const VocabularyBuilder& vocabulary, const Normalizer& normalizer) {
  const auto stays = [&](char c) {
    return c > ' ' && c < 0x7F && !normalizer.table.contains(static_cast<char32_t>(c));
  };
  for (const auto& added : vocabulary.content().added) {
    if (!(added.flags & kAddedNormalized)) continue;
    if ((normalizer.flags & kNfc) || !std::all_of(added.content.begin(), added.content.end(), stays))
      throw unsupported("added_tokens", fmt::format("'{}' with 'normalized'", added.content),
                        "tokens that match text as given, or of ASCII characters that Precompiled keeps");
  }
}

void read_byte_tokens(VocabularyBuilder& vocabulary) {
  for (int byte = 0; byte < 256; ++byte) vocabulary.content().byte_ids.push_back(vocabulary.byte_token(byte));
  vocabulary.set(kByteFallback, true);
}

}  // namespace

std::string build_unigram(const UnigramSource& source) {
  if (source.scores.size() != source.pieces.size()) throw malformed("scores", "are not one for each piece");
  UnigramBuilder builder;
  for (size_t i = 0; i < source.pieces.size(); ++i) builder.add_piece(source.pieces[i], source.scores[i]);
  VocabularyBuilder& vocabulary = builder.vocabulary();
  TokenizerContent& content = vocabulary.content();
  content.header.bos = vocabulary.check_id(source.bos, "bos"),
  content.header.eos = vocabulary.check_id(source.eos, "eos");
  content.header.pad = vocabulary.check_id(source.pad, "pad"),
  content.header.unk = vocabulary.check_id(source.unk, "unk");
  for (const int32_t id : {source.bos, source.eos, source.pad, source.unk})
    vocabulary.add_added(source.pieces[static_cast<size_t>(id)], id, kAddedSpecial);
  content.prefix = {source.bos}, content.suffix = {source.eos};
  content.separator = {source.eos, source.eos};
  // The file's table is SentencePiece's, which leaves out a character and those of newer versions of Unicode.
  Replacements table(source.replacements.begin(), source.replacements.end());
  add_nfkc(table);
  vocabulary.set(kNfc, true);
  vocabulary.set(kCollapseSpaces, true);
  return builder.finish(table, {});
}

std::string build_unigram(const JsonField& root, const JsonField& config) {
  const JsonField model = root["model"];
  UnigramBuilder builder;
  VocabularyBuilder& vocabulary = builder.vocabulary();
  for (const JsonField& entry : items(model["vocab"])) read_piece(entry, builder);
  vocabulary.content().header.unk = vocabulary.check_id(require_integer(model["unk_id"]), "model.unk_id");
  read_added_tokens(root, vocabulary);
  const Normalizer normalizer = read_normalizer(root);
  vocabulary.content().header.flags |= normalizer.flags;
  check_added(vocabulary, normalizer);
  read_metaspace(root, vocabulary);
  if (model["byte_fallback"].boolean().value_or(false)) read_byte_tokens(vocabulary);
  if (const JsonField decoder = root["decoder"]; decoder && decoder.type() != "Metaspace")
    throw unsupported("decoder", decoder.type(), "Metaspace");
  read_post_processor(root, vocabulary);
  read_roles(config, vocabulary);
  return builder.finish(normalizer.table, normalizer.sequences);
}

std::string build_unigram(const SentencePieceTokenizer& source) {
  using Spaces = SentencePieceTokenizer::Spaces;
  if (!source.dummy_prefix) throw unsupported("add_dummy_prefix", "false", "true, for a model of the type unigram");
  if (source.spaces == Spaces::kept)
    throw unsupported("remove_extra_whitespaces", "false", "true, for a model of the type unigram");
  UnigramBuilder builder;
  VocabularyBuilder& vocabulary = builder.vocabulary();
  for (size_t id = 0; id < source.num_pieces; ++id) builder.add_piece(source.tokens[id].text, source.tokens[id].score);
  add_sentencepiece_roles(source, vocabulary);
  const Charsmap charsmap = source.charsmap.empty() ? Charsmap() : read_charsmap(source.charsmap);
  vocabulary.set(kCharsmap, !source.charsmap.empty());
  vocabulary.set(source.spaces == Spaces::all_white ? kSplitWhitespace : kSplitSpaces, true);
  if (source.byte_fallback) vocabulary.set_byte_tokens();
  return builder.finish({charsmap.characters.begin(), charsmap.characters.end()}, charsmap.sequences,
                        source.lowest_score);
}

}  // namespace frugal
