// Three families. XLM-RoBERTa's ids are those of fairseq: <s>, <pad>, </s>, <unk>, the pieces of the file behind its
// own three special ones, <mask>. T5's are those of the file, and the sentinels <extra_id_99> to <extra_id_0> behind
// them. Llama's are those of the file.
//
// The first two split a text at white space before their pieces are found, as the tokenizer.json of such models does,
// which is not quite what SentencePiece does. Llama's encodes as SentencePiece: a piece of a BPE results from any two
// pieces that have its text together, the piece of the highest score first. User-defined pieces of a Unigram have a
// score that no other way of cutting reaches.
#include "model/vocabulary/sentencepiece_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "base/ascii.h"
#include "base/error.h"
#include "model/format/flat_json.h"
#include "model/vocabulary/sentencepiece_model.h"

namespace frugal {
namespace {

using Model = SentencePieceModel;
using Token = SentencePieceTokenizer::Token;
using Spaces = SentencePieceTokenizer::Spaces;

constexpr std::string_view kSpaceMark = "\u2581";
// Bounds the time that all ways to cut a piece in two take.
constexpr size_t kMaxMergedBytes = 256;
constexpr int64_t kMaxExtraIds = 10'000;

[[noreturn]] void refuse(std::string_view file, std::string_view what) {
  throw Error(Code::bad_input, fmt::format("'{}': {}", file, what))
      .hint(
          "convert it with transformers: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) writes a "
          "tokenizer.json");
}

// What every family refuses: each would tokenise differently.
void check_features(const Model& model, std::string_view file) {
  if (model.algorithm != Model::Algorithm::unigram && model.algorithm != Model::Algorithm::bpe)
    refuse(file, "only models of the types unigram and bpe are supported");
  if (model.whitespace_as_suffix) refuse(file, "treat_whitespace_as_suffix is not supported");
  if (!model.escapes_spaces) refuse(file, "a model without escape_whitespaces is not supported");
  if (model.changes_decoded_text) refuse(file, "a denormalizer_spec with rules is not supported");
  for (const Model::Piece& piece : model.pieces)
    if (piece.type == Model::Type::unused)
      refuse(file, fmt::format("the piece '{:.40}' is unused, which is not supported", piece.text));
}

// --- configuration -------------------------------------------------------------------------------------------------

// tokenizer_config.json.
class TokenizerConfig {
 public:
  explicit TokenizerConfig(const TokenizerSource& source)
      : json_(source.tokenizer_config.empty() ? "{}" : source.tokenizer_config, "tokenizer_config.json"),
        model_type_(source.model_type),
        has_added_(source.tokenizer_config.find("added_tokens_decoder") != std::string::npos) {}

  // The class without "Fast", or that of the model's type.
  std::string tokenizer_class() const {
    std::string name = json_.text("tokenizer_class").value_or("");
    if (name.ends_with("Fast")) name.resize(name.size() - 4);
    if (!name.empty()) return name;
    if (model_type_ == "xlm-roberta") return "XLMRobertaTokenizer";
    if (model_type_ == "t5") return "T5Tokenizer";
    return model_type_ == "llama" ? "LlamaTokenizer" : "";
  }

  // A special token, "mask_token": a text, or an object with one.
  Token special(const std::string& key, std::string_view fallback) const {
    Token token;
    const auto plain = json_.text(key), content = json_.text(key + ".content");
    token.text = plain ? *plain : content.value_or(std::string(fallback));
    token.role = Token::Role::special;
    set_flags(token, key);
    return token;
  }

  // What added_tokens_decoder says of tokens, and those that it adds behind them.
  void add_tokens(std::vector<Token>& tokens) const {
    const auto key_of = [](size_t id) { return fmt::format("added_tokens_decoder.{}", id); };
    if (!has_added_) return;
    for (size_t id = 0; id < tokens.size(); ++id)
      if (json_.text(key_of(id) + ".content") == tokens[id].text) set_added(tokens[id], key_of(id));
    while (const auto text = json_.text(key_of(tokens.size()) + ".content")) {
      Token token{*text};
      set_added(token, key_of(tokens.size()));
      tokens.push_back(std::move(token));
    }
  }

  bool flag(const std::string& key, bool fallback) const { return json_.integer(key).value_or(fallback ? 1 : 0) != 0; }

  int64_t extra_ids() const {
    const int64_t count = json_.integer("extra_ids").value_or(100);
    if (count < 0 || count > kMaxExtraIds)
      throw Error(Code::bad_input,
                  fmt::format("tokenizer_config.json: 'extra_ids' is {}, outside [0, {}]", count, kMaxExtraIds));
    return count;
  }

 private:
  void set_flags(Token& token, const std::string& key) const {
    token.left_strip = flag(key + ".lstrip", false);
    token.right_strip = flag(key + ".rstrip", false);
    token.single_word = flag(key + ".single_word", false);
    token.normalized = flag(key + ".normalized", false);
  }

  void set_added(Token& token, const std::string& key) const {
    set_flags(token, key);
    if (flag(key + ".special", false))
      token.role = Token::Role::special;
    else if (token.role == Token::Role::piece)
      token.role = Token::Role::added;
  }

  FlatJson json_;
  std::string_view model_type_;
  bool has_added_;
};

// --- pieces --------------------------------------------------------------------------------------------------------

Token token_of(const Model::Piece& piece) {
  Token token{std::string(piece.text), double(piece.score)};
  if (piece.type == Model::Type::control || piece.type == Model::Type::unknown) token.role = Token::Role::special;
  if (piece.type == Model::Type::user_defined) token.role = Token::Role::user_defined;
  return token;
}

std::vector<Token> tokens_of(const Model& model) {
  std::vector<Token> tokens;
  tokens.reserve(model.pieces.size());
  for (const Model::Piece& piece : model.pieces) tokens.push_back(token_of(piece));
  return tokens;
}

// Every pair of normal pieces whose text is that of a piece. Equal scores give equal ranks.
std::vector<SentencePieceTokenizer::Merge> merges_of(const Model& model, std::string_view file) {
  std::unordered_map<std::string_view, int32_t> ids;
  std::vector<int32_t> order;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.pieces[id].type != Model::Type::normal) continue;
    if (model.pieces[id].text.size() > kMaxMergedBytes)
      refuse(file,
             fmt::format("piece {} has {} bytes, more than {}", id, model.pieces[id].text.size(), kMaxMergedBytes));
    ids.emplace(model.pieces[id].text, static_cast<int32_t>(id));
    order.push_back(static_cast<int32_t>(id));
  }
  const auto piece = [&](int32_t id) -> const Model::Piece& { return model.pieces[static_cast<size_t>(id)]; };
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return piece(a).score > piece(b).score; });
  std::vector<SentencePieceTokenizer::Merge> merges;
  uint32_t rank = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && piece(order[i]).score < piece(order[i - 1]).score) ++rank;
    const std::string_view text = piece(order[i]).text;
    for (size_t cut = 1; cut < text.size(); ++cut) {
      if (is_continuation(text[cut])) continue;
      const auto left = ids.find(text.substr(0, cut)), right = ids.find(text.substr(cut));
      if (left != ids.end() && right != ids.end()) merges.push_back({left->second, right->second, rank, order[i]});
    }
  }
  return merges;
}

// --- families ------------------------------------------------------------------------------------------------------

// What XLM-RoBERTa and T5 have in common.
SentencePieceTokenizer split_at_white_space(const Model& model, std::string_view file) {
  if (model.algorithm != Model::Algorithm::unigram) refuse(file, "its family has a model of the type unigram");
  SentencePieceTokenizer tokenizer;
  tokenizer.charsmap = model.charsmap;
  tokenizer.spaces = Spaces::all_white;
  return tokenizer;
}

void set_lowest_score(SentencePieceTokenizer& tokenizer) {
  tokenizer.lowest_score = std::numeric_limits<double>::max();
  for (const Token& token : tokenizer.tokens) tokenizer.lowest_score = std::min(tokenizer.lowest_score, token.score);
}

SentencePieceTokenizer xlm_roberta(const Model& model, const TokenizerConfig& config, std::string_view file) {
  constexpr size_t kReplaced = 3;  // <unk>, <s> and </s> of the file
  SentencePieceTokenizer tokenizer = split_at_white_space(model, file);
  for (size_t id = 0; id < kReplaced; ++id)
    if (id >= model.pieces.size() || token_of(model.pieces[id]).role != Token::Role::special)
      refuse(file, fmt::format("pieces[{}] is not special, as it is in files of XLM-RoBERTa", id));
  tokenizer.tokens = {config.special("bos_token", "<s>"), config.special("pad_token", "<pad>"),
                      config.special("eos_token", "</s>"), config.special("unk_token", "<unk>")};
  tokenizer.tokens.reserve(model.pieces.size() + 2);
  for (size_t id = kReplaced; id < model.pieces.size(); ++id) tokenizer.tokens.push_back(token_of(model.pieces[id]));
  tokenizer.tokens.push_back(config.special("mask_token", "<mask>"));
  set_lowest_score(tokenizer);
  tokenizer.bos = 0, tokenizer.pad = 1, tokenizer.eos = 2, tokenizer.unk = 3;
  tokenizer.prefix = {0}, tokenizer.suffix = {2}, tokenizer.separator = {2, 2};
  return tokenizer;
}

SentencePieceTokenizer t5(const Model& model, const TokenizerConfig& config, std::string_view file) {
  SentencePieceTokenizer tokenizer = split_at_white_space(model, file);
  if (model.eos < 0) refuse(file, "it has no end token, which T5 puts behind a text");
  tokenizer.tokens = tokens_of(model);
  for (int64_t i = config.extra_ids(); i-- > 0;)
    tokenizer.tokens.push_back({fmt::format("<extra_id_{}>", i), 0, Token::Role::special});
  set_lowest_score(tokenizer);
  tokenizer.unk = model.unk, tokenizer.eos = model.eos, tokenizer.pad = model.pad;
  tokenizer.suffix = tokenizer.separator = {model.eos};
  return tokenizer;
}

// Scores as SentencePiece has them while it encodes.
void set_unigram_scores(SentencePieceTokenizer& tokenizer, const Model& model, std::string_view file) {
  double lowest = 0, highest = std::numeric_limits<double>::lowest();
  for (const Model::Piece& piece : model.pieces) {
    if (piece.text.find(kSpaceMark, 1) != std::string_view::npos)
      refuse(file, fmt::format("the piece '{:.40}' of a unigram has a space behind its beginning", piece.text));
    if (piece.type != Model::Type::normal) continue;
    lowest = std::min(lowest, double(piece.score));
    highest = std::max(highest, double(piece.score));
  }
  tokenizer.lowest_score = lowest;
  for (Token& token : tokenizer.tokens) {
    if (token.role != Token::Role::user_defined) continue;
    token.score = static_cast<double>(token.text.size()) * highest - 0.1;
    token.role = Token::Role::piece;
  }
}

// As the file says, and as SentencePiece encodes.
SentencePieceTokenizer as_trained(const Model& model, bool adds_bos, bool adds_eos, std::string_view file) {
  SentencePieceTokenizer tokenizer;
  tokenizer.is_bpe = model.algorithm == Model::Algorithm::bpe;
  tokenizer.tokens = tokens_of(model);
  if (tokenizer.is_bpe)
    tokenizer.merges = merges_of(model, file);
  else
    set_unigram_scores(tokenizer, model, file);
  tokenizer.charsmap = model.charsmap;
  tokenizer.spaces = model.removes_spaces ? Spaces::trimmed : Spaces::kept;
  tokenizer.dummy_prefix = model.dummy_prefix;
  tokenizer.byte_fallback = model.byte_fallback;
  tokenizer.unk = model.unk, tokenizer.bos = model.bos, tokenizer.eos = model.eos, tokenizer.pad = model.pad;
  if (adds_bos && model.bos >= 0) tokenizer.prefix = {model.bos};
  if (adds_eos && model.eos >= 0) tokenizer.suffix = {model.eos};
  tokenizer.separator = tokenizer.suffix;
  tokenizer.separator.insert(tokenizer.separator.end(), tokenizer.prefix.begin(), tokenizer.prefix.end());
  return tokenizer;
}

SentencePieceTokenizer of_family(const Model& model, const TokenizerConfig& config, std::string_view file) {
  const std::string name = config.tokenizer_class();
  if (name == "XLMRobertaTokenizer") return xlm_roberta(model, config, file);
  if (name == "T5Tokenizer") return t5(model, config, file);
  const bool is_plain = name == "PreTrainedTokenizer" || name == "TokenizersBackend";
  if (name == "LlamaTokenizer" || is_plain)
    return as_trained(model, config.flag("add_bos_token", !is_plain), config.flag("add_eos_token", false), file);
  refuse(file, name.empty() ? "tokenizer_config.json does not say of which class the tokenizer is"
                            : fmt::format("the rules of the class '{}' are not known", name));
}

// --- GGUF ----------------------------------------------------------------------------------------------------------

[[noreturn]] void refuse_gguf(std::string_view field, std::string_view what) {
  throw Error(Code::bad_input, fmt::format("'tokenizer.ggml.{}': {}", field, what)).hint("convert the model again");
}

// The texts of the pieces. The converter writes spaces into those that users defined.
std::vector<std::string> gguf_texts(const TokenizerSource& source) {
  std::vector<std::string> texts = source.gguf_tokens;
  for (size_t id = 0; id < texts.size(); ++id) {
    if (static_cast<Model::Type>(source.gguf_token_types[id]) != Model::Type::user_defined) continue;
    for (size_t at = texts[id].find(' '); at != std::string::npos; at = texts[id].find(' ', at))
      texts[id].replace(at, 1, kSpaceMark);
  }
  return texts;
}

int32_t gguf_role(const std::optional<int64_t>& id, int32_t fallback, size_t count, std::string_view field) {
  if (!id) return fallback;
  if (*id < 0 || *id >= static_cast<int64_t>(count))
    refuse_gguf(field, fmt::format("{} is outside the vocabulary of {}", *id, count));
  return static_cast<int32_t>(*id);
}

}  // namespace

SentencePieceTokenizer apply_gguf_rules(const TokenizerSource& source) {
  const size_t count = source.gguf_tokens.size();
  if (source.gguf_scores.size() != count)
    refuse_gguf("scores", fmt::format("{} scores for {} tokens", source.gguf_scores.size(), count));
  if (source.gguf_token_types.size() != count)
    refuse_gguf("token_type", fmt::format("{} types for {} tokens", source.gguf_token_types.size(), count));
  for (const int32_t type : source.gguf_token_types)
    if (type < 1 || type > 6) refuse_gguf("token_type", fmt::format("{} is not a type of token", type));
  const std::vector<std::string> texts = gguf_texts(source);
  Model model;
  model.algorithm = Model::Algorithm::bpe;
  model.pieces.reserve(count);
  for (size_t id = 0; id < count; ++id) {
    const auto type = static_cast<Model::Type>(source.gguf_token_types[id]);
    model.byte_fallback |= type == Model::Type::byte;
    model.pieces.push_back({texts[id], source.gguf_scores[id], type});
  }
  model.unk = gguf_role(source.gguf_unk, 0, count, "unknown_token_id");
  model.bos = gguf_role(source.gguf_bos, -1, count, "bos_token_id");
  model.eos = gguf_role(source.gguf_eos, -1, count, "eos_token_id");
  model.pad = gguf_role(source.gguf_pad, -1, count, "padding_token_id");
  model.dummy_prefix = source.gguf_add_space_prefix;
  model.removes_spaces = false;
  SentencePieceTokenizer tokenizer =
      as_trained(model, source.gguf_add_bos, source.gguf_add_eos, "tokenizer.ggml.tokens");
  tokenizer.num_pieces = count;
  return tokenizer;
}

SentencePieceTokenizer apply_sentencepiece_rules(const TokenizerSource& source) {
  const std::string& file = source.sentencepiece_file;
  const Model model = read_sentencepiece(source.sentencepiece, file);
  check_features(model, file);
  const TokenizerConfig config(source);
  SentencePieceTokenizer tokenizer = of_family(model, config, file);
  tokenizer.num_pieces = tokenizer.tokens.size();
  config.add_tokens(tokenizer.tokens);
  return tokenizer;
}

}  // namespace frugal
