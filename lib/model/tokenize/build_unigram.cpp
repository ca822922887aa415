// The normalisation of a Unigram tokenizer has one form here: code points are replaced by a table, the result is
// composed (NFC), runs of spaces become one, and words begin with U+2581. NFKC, the normalisation of SentencePiece, is
// of this form: the table has the NFKC of each code point, and the NFC of texts in NFKC that are put one behind the
// other is the NFKC of the whole.
#include "model/tokenize/build_unigram.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/utf8.h"
#include "model/tokenize/code_point_map.h"
#include "model/unicode/normalize.h"
#include "model/tokenize/piece_trie.h"
#include "model/tokenize/tokenizer_json.h"
#include "model/tokenize/vocabulary_builder.h"
#include "model/unicode/unicode.h"

namespace frugal {
namespace {

constexpr std::string_view kSpaceMark = "\u2581";
// SentencePiece's: an unknown character costs this much more than the least likely piece.
constexpr double kUnknownPenalty = 10;

using Replacements = std::map<char32_t, std::string>;

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

  std::string finish(const Replacements& table, bool collapse_spaces) {
    if (scores().empty()) throw malformed("vocab", "is empty");
    vocabulary_.content().unknown_score = *std::min_element(scores().begin(), scores().end()) - kUnknownPenalty;
    vocabulary_.set(kCollapseSpaces, collapse_spaces);
    CodePointTables map = build_code_point_tables({table.begin(), table.end()});
    TokenizerContent& content = vocabulary_.content();
    content.map_blocks = std::move(map.blocks);
    content.map_values = std::move(map.values);
    content.map_text = std::move(map.text);
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

bool is_run_of_spaces(const JsonField& replace) {
  return replace["pattern"]["Regex"].text() == " {2,}" && replace["content"].text() == " ";
}

// The steps must come in this order, each at most once: Nmt, then NFKC or NFC, then the runs of spaces.
struct Normalizer {
  Replacements table;
  bool composes = false, collapses = false;
};
Normalizer read_normalizer(const JsonField& root) {
  constexpr std::string_view kKnown = "Nmt, then NFKC or NFC, then Replace of ' {2,}' by ' '";
  Normalizer normalizer;
  int last = 0;
  for (const JsonField& step : steps_of(root["normalizer"], "normalizers")) {
    const std::string_view type = step.type();
    const int place = type == "Nmt" ? 1 : type == "NFKC" || type == "NFC" ? 2 : type == "Replace" ? 3 : 0;
    if (place <= last || (type == "Replace" && !is_run_of_spaces(step))) throw unsupported("normalizer", type, kKnown);
    last = place;
    if (type == "Nmt") add_nmt(normalizer.table);
    if (type == "NFKC") add_nfkc(normalizer.table);
    normalizer.composes |= place == 2;
    normalizer.collapses |= place == 3;
  }
  return normalizer;
}

void require_metaspace(const JsonField& pre) {
  const JsonField scheme = pre["prepend_scheme"];
  const bool prepends = scheme ? scheme.text() == "always" : pre["add_prefix_space"].boolean().value_or(true);
  if (pre.type() != "Metaspace" || pre["replacement"].text() != kSpaceMark || !prepends ||
      !pre["split"].boolean().value_or(true))
    throw unsupported("pre_tokenizer", pre.type(), "Metaspace with U+2581 that is always prepended, and splits");
}

// The ids between two texts in the template of a pair: "$A </s> </s> $B </s>".
void read_separator(const JsonField& processor, VocabularyBuilder& vocabulary) {
  int sequences = 0;
  for (const JsonField& item : items(processor["pair"])) {
    if (item["Sequence"]) {
      ++sequences;
      continue;
    }
    if (sequences != 1) continue;
    const std::string_view name = require_text(item["SpecialToken"]["id"]);
    for (const JsonField& id : items(processor["special_tokens"][name]["ids"]))
      vocabulary.content().separator.push_back(vocabulary.check_id(id.integer().value_or(-1), id.path()));
  }
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
  return builder.finish(table, true);
}

std::string build_unigram(const JsonField& root, const JsonField& config) {
  const JsonField model = root["model"];
  if (model["byte_fallback"].boolean().value_or(false)) throw unsupported("model.byte_fallback", "true", "false");
  UnigramBuilder builder;
  VocabularyBuilder& vocabulary = builder.vocabulary();
  for (const JsonField& entry : items(model["vocab"])) read_piece(entry, builder);
  vocabulary.content().header.unk = vocabulary.check_id(require_integer(model["unk_id"]), "model.unk_id");
  read_added_tokens(root, vocabulary);
  for (const auto& added : vocabulary.content().added)
    if (added.flags & kAddedNormalized)
      throw unsupported("added_tokens", "with 'normalized'", "tokens that match text as given");
  const Normalizer normalizer = read_normalizer(root);
  vocabulary.set(kNfc, normalizer.composes);
  require_metaspace(root["pre_tokenizer"]);
  if (const JsonField decoder = root["decoder"]; decoder && decoder.type() != "Metaspace")
    throw unsupported("decoder", decoder.type(), "Metaspace");
  read_post_processor(root, vocabulary);
  for (const JsonField& step : steps_of(root["post_processor"], "processors")) read_separator(step, vocabulary);
  read_roles(config, vocabulary);
  return builder.finish(normalizer.table, normalizer.collapses);
}

}  // namespace frugal
