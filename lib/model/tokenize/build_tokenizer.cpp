// Builds the blob from the published forms of a tokenizer (tokenizer.json, vocab.txt, GGUF metadata). Nothing is
// guessed: a feature that would tokenise differently from the original is refused by name.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/error.h"
#include "model/format/json_reader.h"
#include "model/tokenize/byte_level.h"
#include "model/tokenize/normalize.h"
#include "model/tokenize/pre_tokenize.h"
#include "model/tokenize/tokenizer_blob.h"

namespace frugal {

namespace {

namespace dom = simdjson::dom;

// Far above any vocabulary in use; bounds the memory that an id in a hostile file can demand.
constexpr int64_t kMaxVocabulary = int64_t{1} << 22;
constexpr size_t kMaxTokenBytes = size_t{1} << 16;

Error unsupported(std::string_view field, std::string_view found, std::string_view known) {
  return Error(Code::bad_input, fmt::format("tokenizer: {} {} is not supported", field, found))
      .hint(fmt::format("known here: {}", known));
}

Error malformed(std::string_view field, std::string_view problem) {
  return Error(Code::bad_input, fmt::format("tokenizer: {}: {}", field, problem))
      .hint("download the model's tokenizer files again");
}

// --- tokens and their roles ---

class VocabularyBuilder {
 public:
  explicit VocabularyBuilder(BlobKind kind) { content_.header.kind = kind; }

  TokenizerContent& content() { return content_; }
  void set(BlobFlag flag, bool on) {
    if (on) content_.header.flags |= flag;
  }

  /// A token of the model's vocabulary, by its name.
  void add_token(std::string_view name, int64_t id) {
    reserve(name, id);
    ids_[std::string(name)] = static_cast<TokenId>(id);
  }

  /// An added token; the model's vocabulary decides its id where it has it.
  void add_added(std::string_view name, int64_t id, uint32_t flags) {
    if (name.empty()) throw malformed("added_tokens", fmt::format("token {} is empty", id));
    if (const auto known = find(name)) id = *known;
    reserve(name, id);
    added_ids_[std::string(name)] = static_cast<TokenId>(id);
    content_.added.push_back({std::string(name), std::string(name), static_cast<TokenId>(id), flags});
  }

  std::optional<TokenId> find(std::string_view name) const {
    for (const auto* ids : {&added_ids_, &ids_})
      if (const auto found = ids->find(std::string(name)); found != ids->end()) return found->second;
    return std::nullopt;
  }
  TokenId find_or_none(std::string_view name) const { return find(name).value_or(-1); }

  TokenId require(std::string_view name, std::string_view field) const {
    const auto id = find(name);
    if (!id) throw malformed(field, fmt::format("token '{}' is not in the vocabulary", name));
    return *id;
  }

  TokenId check_id(int64_t id, std::string_view field) const {
    if (id < 0 || id >= static_cast<int64_t>(names_.size()))
      throw malformed(field, fmt::format("id {} is outside the vocabulary of {}", id, names_.size()));
    return static_cast<TokenId>(id);
  }

  /// Lays out the blob. Byte-level tokens become the bytes that they encode.
  std::string finish() {
    content_.token_flags.assign(names_.size(), kAbsentToken);
    for (const auto* ids : {&ids_, &added_ids_})
      for (const auto& [name, id] : *ids) content_.token_flags[static_cast<size_t>(id)] = 0;
    for (const auto& added : content_.added) {
      // A token that matches normalised text is written normalised too.
      if (!ids_.contains(added.content)) names_[static_cast<size_t>(added.id)] = added.match;
      if (added.flags & kAddedSpecial) content_.token_flags[static_cast<size_t>(added.id)] |= kSpecialToken;
    }
    for (const auto& [name, id] : ids_) content_.encodable.push_back(id);
    content_.tokens = std::move(names_);
    if (content_.header.kind == BlobKind::byte_level_bpe) to_bytes();
    return lay_out_blob(std::move(content_));
  }

 private:
  void reserve(std::string_view name, int64_t id) {
    if (id < 0 || id >= kMaxVocabulary)
      throw malformed("vocab", fmt::format("id {} of token '{:.40}' is out of range", id, name));
    if (name.size() > kMaxTokenBytes) throw malformed("vocab", fmt::format("token {} has {} bytes", id, name.size()));
    if (static_cast<size_t>(id) >= names_.size()) names_.resize(static_cast<size_t>(id) + 1);
    names_[static_cast<size_t>(id)] = std::string(name);
  }

  void to_bytes() {
    content_.byte_ids.resize(256);
    for (int byte = 0; byte < 256; ++byte) {
      const auto found = ids_.find(to_byte_level(static_cast<unsigned char>(byte)));
      content_.byte_ids[static_cast<size_t>(byte)] = found == ids_.end() ? -1 : found->second;
    }
    for (size_t id = 0; id < content_.tokens.size(); ++id) {
      auto bytes = from_byte_level(content_.tokens[id]);
      if (bytes)
        content_.tokens[id] = std::move(*bytes);
      else
        content_.token_flags[id] |= kRawToken;
    }
  }

  TokenizerContent content_;
  std::vector<std::string> names_;  // by id
  std::unordered_map<std::string, TokenId> ids_, added_ids_;
};

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

// --- JSON ---

// A field that may be absent or null. A value of another type than requested is an error.
class JsonField {
 public:
  JsonField() = default;
  JsonField(dom::element element, std::string path) : element_(element), path_(std::move(path)) {}

  explicit operator bool() const { return element_ && !element_->is_null(); }
  bool is_array() const { return element_ && element_->is_array(); }
  const std::string& path() const { return path_; }

  JsonField operator[](std::string_view key) const {
    dom::element child;
    if (!*this || !element_->is_object() || element_->get_object().value().at_key(key).get(child))
      return {{}, path_, key};
    return {child, path_, key};
  }

  std::optional<std::string_view> text() const { return as<std::string_view>("a string"); }
  std::optional<bool> boolean() const { return as<bool>("true or false"); }
  std::optional<int64_t> integer() const { return as<int64_t>("an integer"); }
  std::optional<dom::array> array() const { return as<dom::array>("a list"); }
  std::optional<dom::object> object() const { return as<dom::object>("an object"); }
  std::string_view type() const { return (*this)["type"].text().value_or("null"); }

 private:
  JsonField(std::optional<dom::element> element, const std::string& parent, std::string_view key)
      : element_(element), path_(parent.empty() ? std::string(key) : fmt::format("{}.{}", parent, key)) {}

  template <class T>
  std::optional<T> as(std::string_view wanted) const {
    if (!*this) return std::nullopt;
    T value;
    if (element_->get(value)) throw malformed(path_, fmt::format("is not {}", wanted));
    return value;
  }

  std::optional<dom::element> element_;
  std::string path_;
};

class JsonDocument {
 public:
  JsonDocument(const std::string& text, std::string_view file) {
    dom::element root;
    const auto error = parser_.parse(large_integers_as_floats(text)).get(root);
    if (error) throw malformed(file, simdjson::error_message(error));
    if (!root.is_object()) throw malformed(file, "is not a JSON object");
    root_ = JsonField(root, "");
  }
  JsonField root() const { return root_; }

 private:
  dom::parser parser_;
  JsonField root_;
};

std::vector<JsonField> items(const JsonField& list) {
  std::vector<JsonField> found;
  if (const auto array = list.array())
    for (const dom::element item : *array) found.emplace_back(item, fmt::format("{}[{}]", list.path(), found.size()));
  return found;
}

std::string_view require_text(const JsonField& field) {
  const auto text = field.text();
  if (!text) throw malformed(field.path(), "is missing");
  return *text;
}

int64_t require_integer(const JsonField& field) {
  const auto value = field.integer();
  if (!value) throw malformed(field.path(), "is missing");
  return *value;
}

// A token of tokenizer_config.json: a string, or an object with its content.
std::string_view config_token(const JsonField& config, std::string_view key) {
  const JsonField token = config[key];
  if (!token) return {};
  const JsonField content = token["content"];
  return content ? require_text(content) : require_text(token);
}

// The steps of a Sequence under `key`, or the single step itself; empty for null.
std::vector<JsonField> steps_of(const JsonField& stage, std::string_view key) {
  if (!stage) return {};
  if (stage.type() != "Sequence") return {stage};
  std::vector<JsonField> steps;
  for (const JsonField& item : items(stage[key]))
    for (JsonField& step : steps_of(item, key)) steps.push_back(std::move(step));
  return steps;
}

void read_vocabulary(const JsonField& model, VocabularyBuilder& vocabulary) {
  const auto entries = model["vocab"].object();
  if (!entries) throw malformed("model.vocab", "is missing");
  for (const auto& [name, value] : *entries) {
    int64_t id;
    if (value.get(id)) throw malformed("model.vocab", fmt::format("the id of '{:.40}' is not an integer", name));
    vocabulary.add_token(name, id);
  }
}

void read_added_tokens(const JsonField& root, VocabularyBuilder& vocabulary) {
  for (const JsonField& token : items(root["added_tokens"])) {
    uint32_t flags = 0;
    const auto flag = [&](std::string_view key, AddedFlag bit) {
      if (token[key].boolean().value_or(false)) flags |= bit;
    };
    flag("special", kAddedSpecial);
    flag("normalized", kAddedNormalized);
    flag("single_word", kAddedSingleWord);
    flag("lstrip", kAddedLeftStrip);
    flag("rstrip", kAddedRightStrip);
    vocabulary.add_added(require_text(token["content"]), require_integer(token["id"]), flags);
  }
}

void read_template(const JsonField& processor, VocabularyBuilder& vocabulary) {
  auto* side = &vocabulary.content().prefix;
  for (const JsonField& item : items(processor["single"])) {
    if (item["Sequence"]) {
      side = &vocabulary.content().suffix;
      continue;
    }
    const std::string_view name = require_text(item["SpecialToken"]["id"]);
    for (const JsonField& id : items(processor["special_tokens"][name]["ids"]))
      side->push_back(vocabulary.check_id(id.integer().value_or(-1), id.path()));
  }
}

// BertProcessing, RobertaProcessing: "cls" and "sep" are [name, id].
void read_bert_template(const JsonField& processor, VocabularyBuilder& vocabulary) {
  const auto id_of = [&](std::string_view key) {
    const std::vector<JsonField> pair = items(processor[key]);
    if (pair.size() != 2) throw malformed(processor[key].path(), "is not [token, id]");
    return vocabulary.check_id(require_integer(pair[1]), pair[1].path());
  };
  vocabulary.content().prefix = {id_of("cls")};
  vocabulary.content().suffix = {id_of("sep")};
}

void read_post_processor(const JsonField& root, VocabularyBuilder& vocabulary) {
  for (const JsonField& step : steps_of(root["post_processor"], "processors")) {
    if (step.type() == "TemplateProcessing")
      read_template(step, vocabulary);
    else if (step.type() == "BertProcessing" || step.type() == "RobertaProcessing")
      read_bert_template(step, vocabulary);
    else if (step.type() != "ByteLevel")
      throw unsupported("post_processor", step.type(),
                        "TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel");
  }
}

void read_roles(const JsonField& config, VocabularyBuilder& vocabulary) {
  BlobHeader& header = vocabulary.content().header;
  header.bos = vocabulary.find_or_none(config_token(config, "bos_token"));
  header.eos = vocabulary.find_or_none(config_token(config, "eos_token"));
  header.pad = vocabulary.find_or_none(config_token(config, "pad_token"));
  if (header.unk < 0) header.unk = vocabulary.find_or_none(config_token(config, "unk_token"));
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
    throw unsupported("pre_tokenizer Split", fmt::format("'{}'", regex), "the expressions of GPT-2, Llama 3 and Qwen2");
  // Every character falls into some match, so that removing what lies between matches removes nothing.
  const bool inverted = split["invert"].boolean().value_or(false);
  const std::string_view behavior = require_text(split["behavior"]);
  if (behavior != (inverted ? "Removed" : "Isolated"))
    throw unsupported("pre_tokenizer Split behavior", behavior, "Isolated, or Removed with invert");
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
  for (const std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (const auto affix = model[key].text(); affix && !affix->empty())
      throw unsupported(model[key].path(), fmt::format("'{}'", *affix), "none");
  if (model["byte_fallback"].boolean().value_or(false))
    throw unsupported("model.byte_fallback", "true", "byte-level BPE");
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

void read_bpe_normalizer(const JsonField& root, VocabularyBuilder& vocabulary) {
  for (const JsonField& step : steps_of(root["normalizer"], "normalizers")) {
    if (step.type() != "NFC") throw unsupported("normalizer", step.type(), "NFC or none for byte-level BPE");
    vocabulary.set(kNfc, true);
    for (auto& token : vocabulary.content().added)
      if (token.flags & kAddedNormalized) token.match = to_nfc(token.content).text;
  }
}

std::string build_bpe(const JsonField& root, const JsonField& config) {
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
  throw unsupported("tokenizer.ggml.model", fmt::format("'{}'", source.gguf_model),
                    "gpt2 (byte-level BPE), bert (WordPiece)");
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
  const JsonDocument config(source.tokenizer_config.empty() ? "{}" : source.tokenizer_config, "tokenizer_config.json");
  if (!source.tokenizer_json.empty()) {
    const JsonDocument tokenizer(source.tokenizer_json, "tokenizer.json");
    const std::string_view type = model_type(tokenizer.root()["model"]);
    if (type == "WordPiece") return build_wordpiece(tokenizer.root(), config.root());
    if (type == "BPE") return build_bpe(tokenizer.root(), config.root());
    throw unsupported("model", type, "WordPiece, BPE (byte-level)");
  }
  if (!source.vocab_txt.empty()) return build_from_vocab_txt(source.vocab_txt, config.root());
  throw Error(Code::bad_input, "the model has no tokenizer")
      .hint("its folder needs tokenizer.json, or vocab.txt with tokenizer_config.json");
}

}  // namespace frugal
