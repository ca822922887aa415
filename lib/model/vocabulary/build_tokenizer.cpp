// Nothing is guessed: a feature that would tokenise differently from the original is refused by name.
#include "model/vocabulary/build_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "model/tokenize/tokenizer_base.h"
#include "model/unicode/normalize.h"
#include "model/unicode/pre_tokenize.h"
#include "model/vocabulary/build_sentencepiece.h"
#include "model/vocabulary/build_unigram.h"
#include "model/vocabulary/tokenizer_json.h"
#include "model/vocabulary/vocabulary_builder.h"

namespace frugal {

namespace {

// A merge's rank is its position. If a pair appears twice, the later rule holds, as in the original.
class MergeBuilder {
 public:
  explicit MergeBuilder(VocabularyBuilder& vocabulary) : vocabulary_(vocabulary) {}

  void add(std::string_view left, std::string_view right) {
    const TokenId left_id = vocabulary_.require(left, "merges"), right_id = vocabulary_.require(right, "merges");
    const TokenId merged = vocabulary_.require(std::string(left) + std::string(right), "merges");
    by_pair_[{left_id, right_id}] = {left_id, right_id, next_rank_++, merged};
  }

  void add_joined(std::string_view rule) {
    const size_t space = rule.find(' ');
    if (space == rule.npos || rule.find(' ', space + 1) != rule.npos)
      throw malformed("merges", fmt::format("rule {} '{:.40}' is not two tokens", next_rank_, rule));
    add(rule.substr(0, space), rule.substr(space + 1));
  }

  void finish() {
    for (const auto& [pair, merge] : by_pair_) vocabulary_.content().merges.push_back(merge);
  }

 private:
  VocabularyBuilder& vocabulary_;
  std::map<std::pair<TokenId, TokenId>, MergeEntry> by_pair_;
  uint32_t next_rank_ = 0;
};

void read_vocabulary(const JsonField& model, VocabularyBuilder& vocabulary) {
  const auto entries = model["vocab"].object();
  if (!entries) throw malformed("model.vocab", "is missing");
  for (const auto& [name, value] : *entries) {
    int64_t id;
    if (value.get(id)) throw malformed("model.vocab", fmt::format("the id of '{:.40}' is not an integer", name));
    vocabulary.add_token(name, id);
  }
}

// --- WordPiece ---

void set_bert_normalization(VocabularyBuilder& vocabulary, const BertNormalization& options) {
  vocabulary.set(kCleanText, options.clean_text);
  vocabulary.set(kChineseChars, options.handle_chinese_chars);
  vocabulary.set(kStripAccents, options.strip_accents);
  vocabulary.set(kLowercase, options.lowercase);
}

BertNormalization read_bert_normalization(const JsonField& normalizer) {
  if (normalizer.type() != "BertNormalizer") throw unsupported("normalizer", normalizer.type(), "BertNormalizer");
  BertNormalization options;
  options.clean_text = normalizer["clean_text"].boolean().value_or(true);
  options.handle_chinese_chars = normalizer["handle_chinese_chars"].boolean().value_or(true);
  options.lowercase = normalizer["lowercase"].boolean().value_or(true);
  options.strip_accents = normalizer["strip_accents"].boolean().value_or(options.lowercase);
  return options;
}

// Added tokens that match normalised text are themselves normalised first.
void normalize_added(VocabularyBuilder& vocabulary, const BertNormalization& options) {
  for (auto& token : vocabulary.content().added) {
    if (!(token.flags & kAddedNormalized)) continue;
    token.match.clear();
    bert_normalize(
        options, token.content, 0, [&](char32_t c, Origin) { append_utf8(token.match, c); }, [](Origin) {});
  }
}

std::string build_wordpiece(const JsonField& root, const JsonField& config) {
  const JsonField model = root["model"];
  VocabularyBuilder vocabulary(BlobKind::wordpiece);
  read_vocabulary(model, vocabulary);
  read_added_tokens(root, vocabulary);
  if (const auto prefix = model["continuing_subword_prefix"].text(); prefix && *prefix != "##")
    throw unsupported("model.continuing_subword_prefix", *prefix, "##");
  if (const std::string_view type = root["pre_tokenizer"].type(); type != "BertPreTokenizer")
    throw unsupported("pre_tokenizer", type, "BertPreTokenizer");
  const BertNormalization options = read_bert_normalization(root["normalizer"]);
  set_bert_normalization(vocabulary, options);
  normalize_added(vocabulary, options);

  const JsonField decoder = root["decoder"];
  if (decoder && decoder.type() != "WordPiece") throw unsupported("decoder", decoder.type(), "WordPiece");
  vocabulary.set(kDecodeCleanup, decoder["cleanup"].boolean().value_or(true));
  BlobHeader& header = vocabulary.content().header;
  const int64_t max_chars = model["max_input_chars_per_word"].integer().value_or(100);
  header.max_word_chars = static_cast<uint32_t>(std::clamp<int64_t>(max_chars, 0, kMaxWordChars));
  header.unk = vocabulary.require(model["unk_token"].text().value_or("[UNK]"), "model.unk_token");
  read_post_processor(root, vocabulary);
  read_roles(config, vocabulary);
  return vocabulary.finish();
}

// Shared by BERT checkpoints without a tokenizer.json and those converted by llama.cpp.
struct BertConvention {
  std::string unk = "[UNK]", cls = "[CLS]", sep = "[SEP]", pad = "[PAD]", mask = "[MASK]";
  BertNormalization normalization;
};

std::string finish_bert(VocabularyBuilder& vocabulary, const BertConvention& bert) {
  for (const std::string& name : {bert.pad, bert.unk, bert.cls, bert.sep, bert.mask})
    if (const auto id = vocabulary.find(name)) vocabulary.add_added(name, *id, kAddedSpecial);
  set_bert_normalization(vocabulary, bert.normalization);
  vocabulary.set(kDecodeCleanup, true);
  TokenizerContent& content = vocabulary.content();
  content.header.max_word_chars = 100;
  content.header.unk = vocabulary.require(bert.unk, "unk_token");
  content.header.pad = vocabulary.find_or_none(bert.pad);
  content.prefix = {vocabulary.require(bert.cls, "cls_token")};
  content.suffix = {vocabulary.require(bert.sep, "sep_token")};
  return vocabulary.finish();
}

std::string build_from_vocab_txt(std::string_view vocab_txt, const JsonField& config) {
  VocabularyBuilder vocabulary(BlobKind::wordpiece);
  int64_t id = 0;
  for (size_t at = 0; at < vocab_txt.size(); ++id) {
    const size_t end = std::min(vocab_txt.find('\n', at), vocab_txt.size());
    std::string_view line = vocab_txt.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    vocabulary.add_token(line, id);
    at = end + 1;
  }
  BertConvention bert;
  const auto name = [&](std::string_view key, std::string& token) {
    if (const auto given = config_token(config, key); !given.empty()) token = given;
  };
  name("unk_token", bert.unk), name("cls_token", bert.cls), name("sep_token", bert.sep);
  name("pad_token", bert.pad), name("mask_token", bert.mask);
  bert.normalization.lowercase = config["do_lower_case"].boolean().value_or(true);
  bert.normalization.handle_chinese_chars = config["tokenize_chinese_chars"].boolean().value_or(true);
  bert.normalization.strip_accents = config["strip_accents"].boolean().value_or(bert.normalization.lowercase);
  return finish_bert(vocabulary, bert);
}

// --- byte-level BPE ---

PreTokenizeStep read_split(const JsonField& split) {
  const std::string_view regex = require_text(split["pattern"]["Regex"]);
  const auto step = recognise_split_regex(regex);
  if (!step)
    throw unsupported("pre_tokenizer Split", fmt::format("'{}'", regex),
                      "the expressions of GPT-2, Llama 3, Qwen2 and CLIP");
  // Every character but CLIP's white space falls into some match, so that removing what lies between matches removes
  // nothing.
  const bool inverted = split["invert"].boolean().value_or(false);
  const bool is_clip = *step == PreTokenizeStep::clip || *step == PreTokenizeStep::clip_specials;
  const std::string_view behavior = require_text(split["behavior"]);
  if (behavior != (inverted ? "Removed" : "Isolated") || (is_clip && !inverted))
    throw unsupported("pre_tokenizer Split behavior", behavior, "Isolated, or Removed with invert (CLIP: only that)");
  return *step;
}

void read_pre_tokenizer(const JsonField& root, VocabularyBuilder& vocabulary) {
  bool byte_level = false;
  const auto push = [&](PreTokenizeStep step) {
    if (byte_level) throw unsupported("pre_tokenizer", "with a step after ByteLevel", "ByteLevel as the last step");
    vocabulary.content().steps.push_back(static_cast<uint8_t>(step));
  };
  for (const JsonField& step : steps_of(root["pre_tokenizer"], "pretokenizers")) {
    if (step.type() == "Split") {
      push(read_split(step));
    } else if (step.type() == "Digits") {
      push(step["individual_digits"].boolean().value_or(false) ? PreTokenizeStep::each_digit
                                                               : PreTokenizeStep::digit_runs);
    } else if (step.type() == "ByteLevel") {
      if (step["use_regex"].boolean().value_or(true)) push(PreTokenizeStep::gpt2);
      const bool prefix_space = step["add_prefix_space"].boolean().value_or(true);
      if (prefix_space && vocabulary.content().steps.size() > 1)
        throw unsupported("pre_tokenizer ByteLevel add_prefix_space", "after another step", "ByteLevel alone");
      vocabulary.set(kAddPrefixSpace, prefix_space);
      byte_level = true;
    } else {
      throw unsupported("pre_tokenizer", step.type(), "ByteLevel, Digits, Split");
    }
  }
  if (!byte_level) throw unsupported("pre_tokenizer", "without ByteLevel", "byte-level BPE");
  if (vocabulary.content().steps.size() > kMaxPreTokenizeSteps)
    throw unsupported("pre_tokenizer", fmt::format("of {} steps", vocabulary.content().steps.size()), "up to 4 steps");
}

void read_bpe_model(const JsonField& model, VocabularyBuilder& vocabulary) {
  if (const auto prefix = model["continuing_subword_prefix"].text(); prefix && !prefix->empty())
    throw unsupported("model.continuing_subword_prefix", fmt::format("'{}'", *prefix), "none");
  if (const auto suffix = model["end_of_word_suffix"].text(); suffix && !suffix->empty())
    vocabulary.set_end_of_word(*suffix);
  vocabulary.set(kIgnoreMerges, model["ignore_merges"].boolean().value_or(false));
  vocabulary.set(kFuseUnknown, model["fuse_unk"].boolean().value_or(false));
  if (const auto unk = model["unk_token"].text()) {
    vocabulary.content().header.unk = vocabulary.require(*unk, "model.unk_token");
    vocabulary.set(kUnknownForBytes, true);
  }
  MergeBuilder merges(vocabulary);
  for (const JsonField& rule : items(model["merges"])) {
    const std::vector<JsonField> pair = rule.is_array() ? items(rule) : std::vector<JsonField>();
    if (pair.size() == 2)
      merges.add(require_text(pair[0]), require_text(pair[1]));
    else
      merges.add_joined(require_text(rule));
  }
  merges.finish();
}

// The steps must come in this order, each at most once: NFC, Replace of \s+ by a space, Lowercase.
void read_bpe_normalizer(const JsonField& root, VocabularyBuilder& vocabulary) {
  BlobFlag last{};
  for (const JsonField& step : steps_of(root["normalizer"], "normalizers")) {
    BlobFlag flag{};
    if (step.type() == "NFC") flag = kNfc;
    if (step.type() == "Replace" && step["pattern"]["Regex"].text() == "\\s+" && step["content"].text() == " ")
      flag = kJoinSpaces;
    if (step.type() == "Lowercase") flag = kLowercase;
    const auto place = [](BlobFlag of) { return of == kNfc ? 1 : of == kJoinSpaces ? 2 : of == kLowercase ? 3 : 0; };
    if (place(flag) <= place(last))
      throw unsupported("normalizer", step.type(), "NFC, then Replace of '\\s+' by ' ', then Lowercase, each or none");
    vocabulary.set(flag, true);
    last = flag;
  }
  const uint32_t flags = vocabulary.content().header.flags;
  const CharacterChanges changes = bpe_changes(flags);
  for (auto& token : vocabulary.content().added) {
    if (!(token.flags & kAddedNormalized)) continue;
    if (flags & kNfc) token.match = to_nfc(token.content).text;
    if (changes.any()) token.match = change_characters(token.match, changes).text;
  }
}

// --- BPE of characters, with tokens of bytes ---

bool replaces(const JsonField& step, std::string_view from, std::string_view to) {
  return step.type() == "Replace" && step["pattern"]["String"].text() == from && step["content"].text() == to;
}

constexpr std::string_view kMark = "\u2581";

// Spaces become U+2581; Llama 2's puts one before a text, too. Added tokens that match normalised text are normalised
// first, and so have that one before them.
void read_mark_normalizer(const JsonField& root, VocabularyBuilder& vocabulary) {
  std::vector<JsonField> steps = steps_of(root["normalizer"], "normalizers");
  const bool prepends = steps.size() == 2 && steps.front().type() == "Prepend" && steps[0]["prepend"].text() == kMark;
  if (prepends) steps.erase(steps.begin());
  if (steps.size() != 1 || !replaces(steps.front(), " ", kMark))
    throw unsupported("normalizer", root["normalizer"].type(),
                      "Replace of ' ' by U+2581, perhaps after Prepend of it, for a BPE with byte_fallback");
  vocabulary.set(kMarkSpaces, true);
  vocabulary.set(kMarkBegin, prepends);
  for (auto& token : vocabulary.content().added)
    if (token.flags & kAddedNormalized)
      token.match =
          (prepends ? std::string(kMark) : "") + change_characters(token.content, bpe_changes(kMarkSpaces)).text;
}

void check_mark_decoder(const JsonField& root, bool strips) {
  std::vector<JsonField> steps = steps_of(root["decoder"], "decoders");
  const auto is_strip = [](const JsonField& step) {
    return step.type() == "Strip" && step["content"].text() == " " && step["start"].integer() == 1 &&
           step["stop"].integer() == 0;
  };
  const bool has_strip = steps.size() == 4 && is_strip(steps.back());
  if (has_strip) steps.pop_back();
  if (has_strip != strips || steps.size() != 3 || !replaces(steps[0], kMark, " ") ||
      steps[1].type() != "ByteFallback" || steps[2].type() != "Fuse")
    throw unsupported("decoder", root["decoder"].type(),
                      "Replace of U+2581 by ' ', ByteFallback, Fuse, and after Prepend Strip of one space");
}

// Gemma's and Llama 2's: spaces are U+2581, so that a pre-tokeniser that splits at spaces finds none.
std::string build_character_bpe(const JsonField& root, const JsonField& config) {
  VocabularyBuilder vocabulary(BlobKind::character_bpe);
  read_vocabulary(root["model"], vocabulary);
  read_bpe_model(root["model"], vocabulary);
  read_added_tokens(root, vocabulary);
  vocabulary.require_byte_tokens();
  if (const JsonField suffix = root["model"]["end_of_word_suffix"]; suffix && !require_text(suffix).empty())
    throw unsupported("model.end_of_word_suffix", "with byte_fallback", "none");
  read_mark_normalizer(root, vocabulary);
  const JsonField pre = root["pre_tokenizer"];
  if (pre && (pre.type() != "Split" || pre["pattern"]["String"].text() != " " || pre["invert"].boolean() == true))
    throw unsupported("pre_tokenizer", pre.type(), "none, or Split at ' ', for a BPE with byte_fallback");
  check_mark_decoder(root, (vocabulary.content().header.flags & kMarkBegin) != 0);
  read_post_processor(root, vocabulary);
  read_roles(config, vocabulary);
  return vocabulary.finish();
}

std::string build_bpe(const JsonField& root, const JsonField& config) {
  if (root["model"]["byte_fallback"].boolean().value_or(false)) return build_character_bpe(root, config);
  VocabularyBuilder vocabulary(BlobKind::byte_level_bpe);
  read_vocabulary(root["model"], vocabulary);
  read_bpe_model(root["model"], vocabulary);
  read_added_tokens(root, vocabulary);
  read_bpe_normalizer(root, vocabulary);
  read_pre_tokenizer(root, vocabulary);
  if (const JsonField decoder = root["decoder"]; decoder && decoder.type() != "ByteLevel")
    throw unsupported("decoder", decoder.type(), "ByteLevel");
  read_post_processor(root, vocabulary);
  read_roles(config, vocabulary);
  return vocabulary.finish();
}

// --- GGUF ---

enum GgufTokenType : int32_t { kGgufUnknown = 2, kGgufControl = 3, kGgufUserDefined = 4 };

struct GgufPreTokenizer {
  std::string_view name;
  std::vector<PreTokenizeStep> steps;
  bool ignore_merges = false, nfc = false, add_bos = false;
};

// Names as llama.cpp gives them. Files of Llama 3 leave add_bos_token out, and mean true.
const GgufPreTokenizer& gguf_pre_tokenizer(std::string_view name) {
  using enum PreTokenizeStep;
  static const std::vector<GgufPreTokenizer> known = {{"gpt-2", {gpt2}},
                                                      {"smollm", {each_digit, gpt2}},
                                                      {"starcoder", {each_digit, gpt2}},
                                                      {"llama-bpe", {llama3}, true, false, true},
                                                      {"llama3", {llama3}, true, false, true},
                                                      {"llama-v3", {llama3}, true, false, true},
                                                      {"qwen2", {qwen2}, false, true},
                                                      {"deepseek-r1-qwen", {qwen2}, false, true, true}};
  for (const GgufPreTokenizer& candidate : known)
    if (candidate.name == name) return candidate;
  throw unsupported("tokenizer.ggml.pre", fmt::format("'{}'", name), "gpt-2, smollm, starcoder, llama-bpe, qwen2");
}

void add_gguf_tokens(const TokenizerSource& source, VocabularyBuilder& vocabulary) {
  const auto type_of = [&](size_t id) { return id < source.gguf_token_types.size() ? source.gguf_token_types[id] : 1; };
  for (size_t id = 0; id < source.gguf_tokens.size(); ++id)
    vocabulary.add_token(source.gguf_tokens[id], static_cast<int64_t>(id));
  for (size_t id = 0; id < source.gguf_tokens.size(); ++id) {
    const int32_t type = type_of(id);
    if (type == kGgufControl || type == kGgufUnknown || type == kGgufUserDefined)
      vocabulary.add_added(source.gguf_tokens[id], static_cast<int64_t>(id),
                           type == kGgufUserDefined ? 0U : uint32_t{kAddedSpecial});
  }
}

void read_gguf_roles(const TokenizerSource& source, VocabularyBuilder& vocabulary) {
  const auto role = [&](const std::optional<int64_t>& id, std::string_view field, int32_t& out) {
    if (id) out = vocabulary.check_id(*id, field);
  };
  BlobHeader& header = vocabulary.content().header;
  role(source.gguf_bos, "tokenizer.ggml.bos_token_id", header.bos);
  role(source.gguf_eos, "tokenizer.ggml.eos_token_id", header.eos);
  role(source.gguf_unk, "tokenizer.ggml.unknown_token_id", header.unk);
  role(source.gguf_pad, "tokenizer.ggml.padding_token_id", header.pad);
}

std::string build_gguf_bpe(const TokenizerSource& source) {
  const GgufPreTokenizer& pre = gguf_pre_tokenizer(source.gguf_pre.empty() ? "gpt-2" : source.gguf_pre);
  VocabularyBuilder vocabulary(BlobKind::byte_level_bpe);
  add_gguf_tokens(source, vocabulary);
  MergeBuilder merges(vocabulary);
  for (const std::string& rule : source.gguf_merges) merges.add_joined(rule);
  merges.finish();
  vocabulary.set(kIgnoreMerges, pre.ignore_merges);
  vocabulary.set(kNfc, pre.nfc);
  vocabulary.set(kAddPrefixSpace, source.gguf_add_space_prefix);
  for (const PreTokenizeStep step : pre.steps) vocabulary.content().steps.push_back(static_cast<uint8_t>(step));
  read_gguf_roles(source, vocabulary);
  TokenizerContent& content = vocabulary.content();
  if ((source.gguf_add_bos || pre.add_bos) && content.header.bos >= 0) content.prefix = {content.header.bos};
  if (source.gguf_add_eos && content.header.eos >= 0) content.suffix = {content.header.eos};
  return vocabulary.finish();
}

// llama.cpp marks the start of a word with U+2581 and drops "##"; bracketed names are unchanged. It stores no
// normaliser: such files are of uncased models.
std::string bert_name(std::string_view token) {
  constexpr std::string_view kWordStart = "\u2581";
  if (token.starts_with(kWordStart)) return std::string(token.substr(kWordStart.size()));
  if (token.starts_with('[') && token.ends_with(']')) return std::string(token);
  return "##" + std::string(token);
}

std::string build_gguf_bert(const TokenizerSource& source) {
  VocabularyBuilder vocabulary(BlobKind::wordpiece);
  for (size_t id = 0; id < source.gguf_tokens.size(); ++id)
    vocabulary.add_token(bert_name(source.gguf_tokens[id]), static_cast<int64_t>(id));
  return finish_bert(vocabulary, {});
}

std::string build_from_gguf(const TokenizerSource& source) {
  if (source.gguf_tokens.empty()) throw malformed("tokenizer.ggml.tokens", "is empty");
  if (source.gguf_model == "gpt2") return build_gguf_bpe(source);
  if (source.gguf_model == "bert") return build_gguf_bert(source);
  if (source.gguf_model == "llama") return build_gguf_sentencepiece(source);
  throw unsupported("tokenizer.ggml.model", fmt::format("'{}'", source.gguf_model),
                    "gpt2 (byte-level BPE), llama (SentencePiece), bert (WordPiece)");
}

// Old files omit the model's type.
std::string_view model_type(const JsonField& model) {
  if (const auto type = model["type"].text()) return *type;
  if (model["merges"]) return "BPE";
  return model["max_input_chars_per_word"] ? "WordPiece" : "of unknown type";
}

}  // namespace

std::string build_tokenizer_blob(const TokenizerSource& source) {
  if (!source.gguf_model.empty()) return build_from_gguf(source);
  if (source.unigram) return build_unigram(*source.unigram);
  const JsonDocument config(source.tokenizer_config.empty() ? "{}" : source.tokenizer_config, "tokenizer_config.json");
  if (!source.tokenizer_json.empty()) {
    const JsonDocument tokenizer(source.tokenizer_json, "tokenizer.json");
    const std::string_view type = model_type(tokenizer.root()["model"]);
    if (type == "WordPiece") return build_wordpiece(tokenizer.root(), config.root());
    if (type == "BPE") return build_bpe(tokenizer.root(), config.root());
    if (type == "Unigram") return build_unigram(tokenizer.root(), config.root());
    throw unsupported("model", type, "WordPiece, BPE (byte-level), Unigram");
  }
  if (!source.sentencepiece.empty()) return build_sentencepiece(source);
  if (!source.vocab_txt.empty()) return build_from_vocab_txt(source.vocab_txt, config.root());
  throw Error(Code::bad_input, "the model has no tokenizer")
      .hint("its folder needs tokenizer.json, or tokenizer_config.json with a SentencePiece model or vocab.txt");
}

}  // namespace frugal
