// Ids, spans and decoded texts against those of Hugging Face's tokenizers, as scripts/make_tokenizer_goldens.py stored
// them; hostile sources and hostile blobs.
#include "model/tokenize/tokenizer.h"

#include <doctest/doctest.h>
#include <simdjson.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "base/base64.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "model/tokenize/tokenizer_blob.h"
#include "model/vocabulary/build_tokenizer.h"
#include "rag/text/words.h"

namespace {

using namespace frugal;
namespace dom = simdjson::dom;

// By value: what a range-for iterates must outlive the statement.
dom::array list(dom::element element) {
  return element.get_array().value();
}

const std::filesystem::path kGolden = std::filesystem::path(FRUGAL_SOURCE_DIR) / "tests/golden/tokenizer";
const std::filesystem::path kModels = std::filesystem::path(FRUGAL_SOURCE_DIR) / "models";

constexpr const char* kSmall[] = {"wordpiece_uncased",
                                  "wordpiece_cased",
                                  "bpe_gpt2",
                                  "bpe_gpt2_prefix",
                                  "bpe_holes",
                                  "bpe_smollm",
                                  "bpe_llama3",
                                  "bpe_qwen2",
                                  "unigram",
                                  "xlm_roberta",
                                  "bge_m3",
                                  "spm_converted",
                                  "t5",
                                  "roberta",
                                  "bart",
                                  "qwen2",
                                  "modernbert",
                                  "clip",
                                  "clip_published",
                                  "gemma",
                                  "llama2",
                                  "spm_llama",
                                  "spm_unigram",
                                  "spm_bpe"};
// SentencePiece models of families whose tokenizer.json is among those above.
constexpr const char* kConverted[] = {"spm_xlm_roberta", "spm_t5"};

// The tokenizers name the table of SentencePiece's normalisation, which is a file of its own.
std::string with_charsmap(std::string json, std::string_view charsmap) {
  constexpr std::string_view kName = R"("precompiled_charsmap":"nmt_nfkc")";
  const size_t at = json.find(kName);
  if (at == json.npos) return json;
  std::string field = R"("precompiled_charsmap":")";
  append_base64(field, charsmap);
  return json.replace(at, kName.size(), field + "\"");
}

// A model of scripts/make_sentencepiece_goldens.py, which cut the table of the normalisation out of it.
TokenizerSource sentencepiece_source(const std::string& name) {
  dom::parser parser;
  const dom::element golden = parser.load((kGolden / (name + ".json")).string());
  TokenizerSource source;
  source.sentencepiece = read_file(kGolden / (name + ".model"));
  source.sentencepiece_file = golden["file"].get_string().value();
  source.tokenizer_config = golden["config"].get_string().value();
  if (const int64_t at = golden["charsmap_at"]; at >= 0)
    source.sentencepiece.insert(static_cast<size_t>(at), read_file(kGolden / "nmt_nfkc.charsmap"));
  return source;
}

TokenizerSource small_source(const std::string& name) {
  if (std::filesystem::exists(kGolden / (name + ".model"))) return sentencepiece_source(name);
  TokenizerSource source;
  source.tokenizer_json =
      with_charsmap(read_file(kGolden / (name + ".tokenizer.json")), read_file(kGolden / "nmt_nfkc.charsmap"));
  return source;
}

// A tokenizer with the blob it lies in.
struct OpenTokenizer {
  explicit OpenTokenizer(const TokenizerSource& source) : blob(build_tokenizer_blob(source)) {
    tokenizer = Tokenizer::open(std::as_bytes(std::span(blob)));
  }
  const Tokenizer& operator*() const { return *tokenizer; }
  const Tokenizer* operator->() const { return tokenizer.get(); }

  std::string blob;
  std::unique_ptr<Tokenizer> tokenizer;
};

std::vector<TokenId> ids_of(dom::element array) {
  std::vector<TokenId> ids;
  for (const dom::element id : list(array)) ids.push_back(static_cast<TokenId>(id.get_int64().value()));
  return ids;
}

std::string digest(const std::vector<TokenId>& ids) {
  return Sha256().update(std::as_bytes(std::span(ids))).hex().substr(0, 16);
}

std::vector<TokenId> ids_of(const std::vector<Tokenizer::Piece>& pieces) {
  std::vector<TokenId> ids;
  for (const auto& piece : pieces) ids.push_back(piece.id);
  return ids;
}

// As code_points_text() of the script.
std::string code_points_text(uint32_t block) {
  std::string text;
  for (char32_t c = block * 4096; c < (block + 1) * 4096; ++c) {
    if (c == 0 || (c >= 0xD800 && c < 0xE000)) continue;
    std::string point;
    append_utf8(point, c);
    if (!text.empty()) text += " z ";
    text += point + " a" + point + "b1" + point + "\u0301";
  }
  return text;
}

bool is_mark(std::string_view text, size_t at) {
  return at < text.size() && fold(text.substr(at, decode_utf8(text, at).num_bytes)).empty();
}

// Our spans end after the marks that were stripped from a token's last character; the original's end before them.
void check_spans(std::string_view text, const std::vector<Tokenizer::Piece>& pieces, dom::array spans) {
  size_t i = 0;
  for (const dom::element span : spans) {
    const auto begin = static_cast<uint64_t>(span.at(0).get_int64().value());
    auto end = static_cast<uint64_t>(span.at(1).get_int64().value());
    while (end < pieces[i].end && is_mark(text, end)) end += decode_utf8(text, end).num_bytes;
    CHECK(pieces[i].begin == begin);
    CHECK(pieces[i].end == end);
    ++i;
  }
}

void check_cases(const Tokenizer& tokenizer, dom::element golden) {
  for (const dom::element item : list(golden["cases"])) {
    const std::string text(item["text"].get_string().value());
    CAPTURE(text);
    const std::vector<TokenId> expected = ids_of(item["ids"]);
    auto differently = item["parsed"];  // there only if parsing special tokens makes a difference
    const dom::element parsed = differently.error() ? item["ids"].value() : differently.value();
    CHECK(tokenizer.encode(text, false) == expected);
    CHECK(tokenizer.encode(text, true) == ids_of(parsed));
    const auto pieces = tokenizer.encode_pieces(text, false);
    CHECK(ids_of(pieces) == expected);
    dom::array spans;
    if (!item["spans"].get(spans) && pieces.size() == expected.size()) check_spans(text, pieces, spans);
    CHECK(tokenizer.decode(ids_of(parsed), false) == item["decoded"].get_string().value());
    CHECK(tokenizer.decode(ids_of(parsed), true) == item["decoded_all"].get_string().value());
  }
}

void check_golden(const Tokenizer& tokenizer, const std::string& name) {
  dom::parser parser;
  const dom::element golden = parser.load((kGolden / (name + ".json")).string());
  check_cases(tokenizer, golden);
  for (const dom::element item : list(golden["repeats"])) {
    std::string text;
    const std::string unit(item["unit"].get_string().value());
    CAPTURE(unit);
    for (int64_t n = item["count"]; n > 0; --n) text += unit;
    const std::vector<TokenId> ids = tokenizer.encode(text, false);
    CHECK(static_cast<int64_t>(ids.size()) == item["num_ids"].get_int64().value());
    CHECK(digest(ids) == item["digest"].get_string().value());
  }
  for (const dom::element item : list(golden["code_points"])) {
    const auto block = static_cast<uint32_t>(item.at(0).get_int64().value());
    CAPTURE(block);
    CHECK(digest(tokenizer.encode(code_points_text(block), false)) == item.at(1).get_string().value());
  }
}

Code code_of(const TokenizerSource& source) {
  try {
    build_tokenizer_blob(source);
  } catch (const Error& error) {
    CHECK_FALSE(error.hint().empty());
    return error.code();
  }
  return Code::internal;
}

TokenizerSource json_source(std::string json) {
  TokenizerSource source;
  source.tokenizer_json = std::move(json);
  return source;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  REQUIRE(at != text.npos);
  return text.replace(at, from.size(), to);
}

// The vocabulary of a small tokenizer as GGUF would hold it.
TokenizerSource as_gguf(const std::string& name, std::string model, std::string pre) {
  dom::parser parser;
  const dom::element root = parser.load((kGolden / (name + ".tokenizer.json")).string());
  TokenizerSource source;
  source.gguf_model = std::move(model);
  source.gguf_pre = std::move(pre);
  const auto put = [&](std::string_view token, int64_t id, int32_t type) {
    const auto count = std::max(source.gguf_tokens.size(), static_cast<size_t>(id) + 1);
    source.gguf_tokens.resize(count);
    source.gguf_token_types.resize(count, 1);
    source.gguf_tokens[static_cast<size_t>(id)] = token;
    source.gguf_token_types[static_cast<size_t>(id)] = type;
  };
  const dom::object vocab = root["model"]["vocab"].get_object().value();
  for (const auto& [token, id] : vocab) put(token, id.get_int64().value(), 1);
  dom::array merges;
  if (!root["model"]["merges"].get(merges))
    for (const dom::element rule : merges)
      source.gguf_merges.push_back(std::string(rule.at(0).get_string().value()) + " " +
                                   std::string(rule.at(1).get_string().value()));
  for (const dom::element token : list(root["added_tokens"]))
    put(token["content"].get_string().value(), token["id"].get_int64().value(),
        token["special"].get_bool().value() ? 3 : 4);
  return source;
}

}  // namespace

TEST_CASE("small tokenizers of every family agree with Hugging Face's on varied text, repeats and code points") {
  for (const std::string name : kSmall) {
    SUBCASE(name.c_str()) {
      const OpenTokenizer tokenizer(small_source(name));
      check_golden(*tokenizer, name);
    }
  }
}

TEST_CASE("a SentencePiece model of a known family has the blob of the tokenizer.json that transformers makes of it") {
  for (const std::string name : kConverted) {
    CAPTURE(name);
    const TokenizerSource model = small_source(name);
    TokenizerSource json = small_source(name.substr(4));
    json.tokenizer_config = model.tokenizer_config;
    CHECK(build_tokenizer_blob(model) == build_tokenizer_blob(json));
  }
}

TEST_CASE("all-minilm-l6-v2's tokenizer agrees with Hugging Face's") {
  if (!std::filesystem::exists(kModels / "all-minilm-l6-v2/tokenizer.json")) {
    MESSAGE("SKIP: models/all-minilm-l6-v2 is not there; run scripts/fetch-models");
    return;
  }
  TokenizerSource source;
  source.tokenizer_json = read_file(kModels / "all-minilm-l6-v2/tokenizer.json");
  check_golden(*OpenTokenizer(source), "all-minilm-l6-v2");
  if (!std::filesystem::exists(kModels / "all-minilm-l6-v2/vocab.txt")) return;
  TokenizerSource plain;
  plain.vocab_txt = read_file(kModels / "all-minilm-l6-v2/vocab.txt");
  check_golden(*OpenTokenizer(plain), "all-minilm-l6-v2");
}

TEST_CASE("SmolLM2's tokenizer, from GGUF, agrees with Hugging Face's") {
  std::filesystem::path file;
  const auto folder = kModels / "smollm2-135m-instruct";
  if (std::filesystem::is_directory(folder))
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      if (entry.path().extension() == ".gguf") file = entry.path();
  if (file.empty()) {
    MESSAGE("SKIP: models/smollm2-135m-instruct is not there; run scripts/fetch-models");
    return;
  }
  check_golden(*OpenTokenizer(open_checkpoint(file)->tokenizer()), "smollm2-135m-instruct");
}

TEST_CASE("GGUF metadata give the ids that tokenizer.json gives") {
  const std::string text = "They'll say 12345 things,\n\n  don't they?  Ação é İ 漢字 😀 e\u0301";
  const auto same = [&](const std::string& name, const char* model, const char* pre) {
    CAPTURE(name);
    CHECK(OpenTokenizer(as_gguf(name, model, pre))->encode(text, true) ==
          OpenTokenizer(small_source(name))->encode(text, true));
  };
  same("bpe_gpt2", "gpt2", "gpt-2");
  same("bpe_smollm", "gpt2", "smollm");
  same("bpe_llama3", "gpt2", "llama-bpe");
  same("bpe_qwen2", "gpt2", "qwen2");
}

TEST_CASE("llama.cpp's way of writing WordPiece vocabularies is undone") {
  TokenizerSource source;
  source.gguf_model = "bert";
  source.gguf_tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "\u2581un", "able", "\u2581able"};
  const OpenTokenizer tokenizer(source);
  CHECK(tokenizer->encode("Unable able xyz", false) == std::vector<TokenId>{4, 5, 6, 1});
  CHECK(std::vector(tokenizer->prefix().begin(), tokenizer->prefix().end()) == std::vector<TokenId>{2});
  CHECK(std::vector(tokenizer->suffix().begin(), tokenizer->suffix().end()) == std::vector<TokenId>{3});
  CHECK(tokenizer->find("##able") == 5);
  CHECK(tokenizer->decode(std::vector<TokenId>{2, 4, 5, 3}, false) == "unable");
}

TEST_CASE("templates, roles and special tokens are read from tokenizer.json and its configuration") {
  TokenizerSource source = small_source("bpe_llama3");
  source.tokenizer_config =
      R"({"bos_token": "<|begin_of_text|>", "eos_token": {"content": "<|eot_id|>"}, "pad_token": null})";
  const OpenTokenizer tokenizer(source);
  REQUIRE(tokenizer->prefix().size() == 1);
  CHECK(tokenizer->prefix()[0] == tokenizer->bos());
  CHECK(tokenizer->suffix().empty());
  CHECK(tokenizer->eos() == tokenizer->find("<|eot_id|>"));
  CHECK_FALSE(tokenizer->pad().has_value());
  CHECK(tokenizer->is_special(*tokenizer->eos()));
  CHECK_FALSE(tokenizer->is_special(*tokenizer->find("<tool>")));
  CHECK_FALSE(tokenizer->is_special(-1));
  CHECK_FALSE(tokenizer->is_special(1 << 30));
  CHECK(tokenizer->find("\u0120") == tokenizer->encode(" ", false).at(0));
  CHECK_FALSE(tokenizer->find("no such token").has_value());
}

TEST_CASE("the bytes of byte-level tokens concatenate to the text, and their pieces cover it") {
  const std::string text = "They'll 123 ação 漢字 😀\n\n<|im_start|> end  ";
  for (const char* name : {"bpe_gpt2", "bpe_smollm", "bpe_llama3"}) {
    const OpenTokenizer tokenizer(small_source(name));
    std::string bytes;
    uint32_t at = 0;
    for (const auto& piece : tokenizer->encode_pieces(text, false)) {
      bytes += tokenizer->token_bytes(piece.id);
      CHECK(piece.begin == at);
      CHECK(tokenizer->token_bytes(piece.id) == text.substr(piece.begin, piece.end - piece.begin));
      at = piece.end;
    }
    CHECK(bytes == text);
    CHECK(at == text.size());
  }
}

TEST_CASE("pieces of text that NFC or repair changed point at the bytes they came from") {
  const OpenTokenizer qwen(small_source("bpe_qwen2"));
  for (const std::string text : {"caf\u0065\u0301 noir", "a\xFF b\xE2\x82 c", "\xC3 e\u0301 \x80"}) {
    uint32_t at = 0;
    for (const auto& piece : qwen->encode_pieces(text, false)) {
      CHECK(piece.begin <= at);
      CHECK(piece.end >= at);
      CHECK(piece.end <= text.size());
      at = piece.end;
    }
    CHECK(at == text.size());
  }
}

TEST_CASE("pieces of a Unigram point at the bytes they came from, the spaces before a word included") {
  const OpenTokenizer tokenizer(small_source("unigram"));
  for (const std::string text : {"Art. 12-B  causar", "  e\u0301 \uFB01ne\t\u200B x ", "a\xFF \xE2\x82 c", "", " "}) {
    CAPTURE(text);
    uint32_t at = 0;
    for (const auto& piece : tokenizer->encode_pieces(text, false)) {
      CHECK(piece.begin <= piece.end);
      CHECK(piece.begin <= at);
      CHECK(piece.end >= at);
      CHECK(piece.end <= text.size());
      at = piece.end;
    }
  }
  // U+2581 before the text covers no byte; between words it covers the spaces.
  const std::pair<uint32_t, uint32_t> expected[] = {{0, 0}, {0, 1}, {1, 3}, {3, 4}};
  const auto pieces = tokenizer->encode_pieces("o  o", false);
  REQUIRE(pieces.size() == std::size(expected));
  for (size_t i = 0; i < pieces.size(); ++i) CHECK(std::pair(pieces[i].begin, pieces[i].end) == expected[i]);
}

TEST_CASE("a Unigram's template has two separators in a pair, and no text has the id of a special token") {
  const OpenTokenizer tokenizer(small_source("unigram"));
  const TokenId bos = *tokenizer->find("<s>"), eos = *tokenizer->find("</s>");
  const auto ids = [](std::span<const TokenId> span) { return std::vector(span.begin(), span.end()); };
  CHECK(ids(tokenizer->prefix()) == std::vector<TokenId>{bos});
  CHECK(ids(tokenizer->suffix()) == std::vector<TokenId>{eos});
  CHECK(ids(tokenizer->separator()) == std::vector<TokenId>{eos, eos});
  for (const TokenId id : tokenizer->encode("<s>a</s> <pad><s></s>", false))
    CHECK((!tokenizer->is_special(id) || id == tokenizer->unk()));
  CHECK(tokenizer->encode("<s>o</s>", true).front() == bos);
  CHECK(OpenTokenizer(small_source("wordpiece_uncased"))->separator().size() == 1);
}

TEST_CASE("each family's template has its own ids around a text and between two") {
  const auto check = [](const std::string& name, std::vector<std::string> prefix, std::vector<std::string> separator,
                        std::vector<std::string> suffix) {
    CAPTURE(name);
    const OpenTokenizer tokenizer(small_source(name));
    const auto same = [&](std::span<const TokenId> ids, const std::vector<std::string>& names) {
      std::vector<TokenId> expected;
      for (const std::string& token : names) expected.push_back(tokenizer->find(token).value_or(-1));
      CHECK(std::vector(ids.begin(), ids.end()) == expected);
    };
    same(tokenizer->prefix(), prefix);
    same(tokenizer->separator(), separator);
    same(tokenizer->suffix(), suffix);
  };
  for (const char* name : {"xlm_roberta", "bge_m3", "spm_converted", "roberta", "bart"})
    check(name, {"<s>"}, {"</s>", "</s>"}, {"</s>"});
  check("t5", {}, {"</s>"}, {"</s>"});
  check("qwen2", {}, {}, {});
  check("gemma", {"<bos>"}, {"<bos>"}, {});
  check("spm_llama", {"<s>"}, {"<s>"}, {});
  check("modernbert", {"[CLS]"}, {"[SEP]"}, {"[SEP]"});
  for (const char* name : {"clip", "clip_published"})
    check(name, {"<|startoftext|>"}, {"<|endoftext|>", "<|endoftext|>"}, {"<|endoftext|>"});
}

TEST_CASE("tokenizers that the first version of the blob can hold are written in it") {
  for (const std::string name : kSmall) {
    const std::string blob = build_tokenizer_blob(small_source(name));
    const bool old = name.starts_with("wordpiece") || name.starts_with("bpe") || name == "unigram" || name == "qwen2" ||
                     name == "modernbert";
    CAPTURE(name);
    CHECK(blob.starts_with(old ? "FRGTOK01" : "FRGTOK02"));
  }
}

TEST_CASE("a Unigram cuts a word of megabytes") {
  const OpenTokenizer tokenizer(small_source("unigram"));
  std::string word;
  while (word.size() < 4'000'000) word += "causar\u00e7\u4e2d";
  const auto pieces = tokenizer->encode_pieces(word, false);
  REQUIRE_FALSE(pieces.empty());
  CHECK(pieces.back().end == word.size());
}

TEST_CASE("the parts of a Unigram tokenizer give the ids that its tokenizer.json gives") {
  dom::parser parser;
  const dom::element root = parser.load((kGolden / "unigram.tokenizer.json").string());
  TokenizerSource source;
  source.unigram.emplace();
  for (const dom::element entry : list(root["model"]["vocab"])) {
    source.unigram->pieces.emplace_back(entry.at(0).get_string().value());
    source.unigram->scores.push_back(entry.at(1).get_double().value());
  }
  source.unigram->bos = 0, source.unigram->pad = 1, source.unigram->eos = 2, source.unigram->unk = 3;
  source.unigram->replacements = {{U'\t', " "}, {U'\u0007', ""}, {U'\uFB01', "fi"}};
  const OpenTokenizer parts(source), json(small_source("unigram"));
  const std::string text = "  Art.\t12-B, \uFB01ne\u0007 e\u0301 \uFF5E \u4e2d\u4e2d  o";
  CHECK(parts->encode(text, false) == json->encode(text, false));
  CHECK(parts->bos() == 0);
  CHECK(parts->pad() == 1);
  source.unigram->unk = 1 << 20;
  CHECK(code_of(source) == Code::bad_input);
  source.unigram->unk = 3;
  source.unigram->scores.pop_back();
  CHECK(code_of(source) == Code::bad_input);
}

TEST_CASE("text that is not UTF-8 is read as if each bad part were U+FFFD") {
  const std::string bad = "a\xFF b\xE2\x82 c\xED\xA0\x80 d\xF0\x9F\x98";
  for (const std::string name : kSmall) {
    const OpenTokenizer tokenizer(small_source(name));
    CHECK(tokenizer->encode(bad, true) == tokenizer->encode(repair_utf8(bad), true));
  }
}

TEST_CASE("an unknown id decodes to nothing") {
  for (const char* name : {"wordpiece_uncased", "bpe_gpt2", "unigram"}) {
    const OpenTokenizer tokenizer(small_source(name));
    const std::vector<TokenId> ids{-1, 1 << 30, static_cast<TokenId>(tokenizer->vocab_size())};
    CHECK(tokenizer->decode(ids, true).empty());
    CHECK(tokenizer->token_bytes(ids[1]).empty());
  }
}

TEST_CASE("what would tokenise differently is refused by name") {
  const std::string bpe = small_source("bpe_llama3").tokenizer_json;
  const std::string wordpiece = small_source("wordpiece_uncased").tokenizer_json;
  CHECK(code_of({}) == Code::bad_input);
  CHECK(code_of(json_source("{")) == Code::bad_input);
  CHECK(code_of(json_source("[]")) == Code::bad_input);
  CHECK(code_of(json_source("{}")) == Code::bad_input);
  CHECK(code_of(json_source(replaced(bpe, "\\\\p{N}{1,3}", "\\\\p{N}{1,4}"))) == Code::bad_input);
  CHECK(code_of(json_source(replaced(bpe, "\"type\":\"BPE\"", "\"type\":\"Unigram\""))) == Code::bad_input);
  CHECK(code_of(json_source(replaced(bpe, "\"byte_fallback\":false", "\"byte_fallback\":true"))) == Code::bad_input);
  const std::string gemma = small_source("gemma").tokenizer_json;
  CHECK(code_of(json_source(replaced(gemma, "\"<0x41>\"", "\"<0xZZ>\""))) == Code::bad_input);
  CHECK(code_of(json_source(replaced(gemma, "\"type\":\"Fuse\"", "\"type\":\"CTC\""))) == Code::bad_input);
  CHECK(code_of(json_source(replaced(wordpiece, "BertPreTokenizer", "Whitespace"))) == Code::bad_input);
  CHECK(code_of(json_source(replaced(wordpiece, "BertNormalizer", "NFKC"))) == Code::bad_input);
  CHECK(code_of(json_source(replaced(wordpiece, "\"[UNK]\":1", "\"[UNK]\":-1"))) == Code::bad_input);
  CHECK(code_of(json_source(replaced(wordpiece, "\"[UNK]\":1", "\"[UNK]\":2147483647"))) == Code::bad_input);
  const std::string unigram = small_source("unigram").tokenizer_json;
  CHECK(code_of(json_source(replaced(unigram, "\"type\":\"Nmt\"", "\"type\":\"Precompiled\""))) == Code::bad_input);
  CHECK(code_of(json_source(replaced(unigram, " {2,}", " +"))) == Code::bad_input);
  CHECK(code_of(json_source(replaced(unigram, "\"prepend_scheme\":\"always\"", "\"prepend_scheme\":\"first\""))) ==
        Code::bad_input);
  CHECK(code_of(json_source(replaced(unigram, "\"split\":true", "\"split\":false"))) == Code::bad_input);
  CHECK(code_of(json_source(replaced(unigram, "\"unk_id\":3", "\"unk_id\":-3"))) == Code::bad_input);
  CHECK(code_of(json_source(replaced(unigram, "\"unk_id\":3", "\"unk_id\":null"))) == Code::bad_input);
  const std::string precompiled = small_source("xlm_roberta").tokenizer_json;
  CHECK(code_of(json_source(replaced(precompiled, "\"type\":\"WhitespaceSplit\"", "\"type\":\"Digits\""))) ==
        Code::bad_input);
  const std::string clip = small_source("clip").tokenizer_json;
  CHECK(code_of(json_source(replaced(clip, "\"behavior\":\"Removed\"", "\"behavior\":\"Isolated\""))) ==
        Code::bad_input);
  CHECK(code_of(json_source(replaced(clip, "\"type\":\"NFC\"", "\"type\":\"Lowercase\""))) == Code::bad_input);
  CHECK(code_of(json_source(replaced(clip, "\"continuing_subword_prefix\":\"\"",
                                     "\"continuing_subword_prefix\":\"@\""))) == Code::bad_input);
  TokenizerSource gguf = as_gguf("bpe_gpt2", "gpt2", "unheard-of");
  CHECK(code_of(gguf) == Code::bad_input);
  gguf.gguf_pre = "gpt-2";
  gguf.gguf_merges.push_back("no such");
  CHECK(code_of(gguf) == Code::bad_input);
  gguf.gguf_merges.back() = "onlyone";
  CHECK(code_of(gguf) == Code::bad_input);
  gguf.gguf_merges.pop_back();
  gguf.gguf_bos = 1 << 20;
  CHECK(code_of(gguf) == Code::bad_input);
}

TEST_CASE("a charsmap that leads outside, loops or is no UTF-8 is refused, and no damaged one crashes") {
  const std::string json = read_file(kGolden / "xlm_roberta.tokenizer.json");
  const std::string good = read_file(kGolden / "nmt_nfkc.charsmap");
  const auto code_with = [&](const std::string& charsmap) {
    return code_of(json_source(with_charsmap(json, charsmap)));
  };
  const auto with_unit = [&](size_t unit, uint32_t value) {
    std::string damaged = good;
    std::memcpy(damaged.data() + 4 * (unit + 1), &value, sizeof value);
    return damaged;
  };
  CHECK(code_of(json_source(json)) == Code::bad_input);  // the name is not base64
  CHECK(code_with("") == Code::bad_input);
  CHECK(code_with("abc") == Code::bad_input);
  CHECK(code_with(std::string(4, '\0')) == Code::bad_input);
  CHECK(code_with(good.substr(0, 1000)) == Code::bad_input);
  CHECK(code_with(with_unit(0, 0xFFFFFFFF)) == Code::bad_input);  // the root's children are outside
  // A trie of one block whose every unit is a child of every unit.
  std::string loop("\0\4\0\0", 4);
  for (uint32_t unit = 0; unit < 256; ++unit) {
    const uint32_t to_first = unit | unit << 10;
    loop.append(reinterpret_cast<const char*>(&to_first), sizeof to_first);
  }
  CHECK(code_with(loop) == Code::bad_input);
  // One key of one byte, whose children begin at unit 512, where its text is said to be at `offset`.
  const auto one_rule = [](unsigned char byte, uint32_t offset, std::string_view text) {
    std::vector<uint32_t> units(768);
    units[0] = 256U << 10;
    units[256U ^ byte] = byte | 1U << 8 | (256U ^ byte ^ 512U) << 10;
    units[512] = 1U << 31 | offset;
    std::string charsmap(4 + 4 * units.size(), '\0');
    const auto trie_bytes = static_cast<uint32_t>(4 * units.size());
    std::memcpy(charsmap.data(), &trie_bytes, 4);
    std::memcpy(charsmap.data() + 4, units.data(), trie_bytes);
    return charsmap.append(text);
  };
  const OpenTokenizer changed(json_source(with_charsmap(json, one_rule('q', 1, "xo"))));
  CHECK(changed->encode("q", false) == changed->encode("o", false));
  CHECK(code_with(one_rule('q', 3, "xo")) == Code::bad_input);
  CHECK(code_with(one_rule('q', 0x7FFFFFFF, "xo")) == Code::bad_input);
  CHECK(code_with(one_rule('q', 0, "\xC3")) == Code::bad_input);
  CHECK(code_with(one_rule(0xC3, 0, "xo")) == Code::bad_input);
  std::mt19937 random(11);
  for (int round = 0; round < 60; ++round) {
    std::string damaged = good;
    for (int flips = 0; flips < 4; ++flips) damaged[random() % 4000] ^= static_cast<char>(1 << random() % 8);
    try {
      const OpenTokenizer tokenizer(json_source(with_charsmap(json, damaged)));
      tokenizer->encode("\uFB01\u0301 a\r\n e\u0302\u0301", true);
    } catch (const Error& error) {
      CHECK(error.code() == Code::bad_input);
    }
  }
}

TEST_CASE("a blob cut at any byte of its header, or anywhere after it, is corrupt or harmless") {
  const std::string blob = build_tokenizer_blob(small_source("bpe_gpt2"));
  const std::string unigram = build_tokenizer_blob(small_source("unigram"));
  const auto survives = [](std::string_view bytes) {
    try {
      const auto tokenizer = Tokenizer::open(std::as_bytes(std::span(bytes)));
      tokenizer->decode(tokenizer->encode("They'll say 12345, don't they? <|endoftext|>", true), true);
    } catch (const Error& error) {
      return error.code() == Code::corrupt_file;
    }
    return true;
  };
  for (size_t length = 0; length < 300; ++length)
    CHECK_THROWS_AS(Tokenizer::open(std::as_bytes(std::span(blob).first(length))), Error);
  for (size_t length = 300; length < blob.size(); length += 997)
    CHECK(survives(std::string_view(blob).substr(0, length)));
  for (size_t length = 0; length < sizeof(BlobHeader); ++length)
    CHECK_THROWS_AS(Tokenizer::open(std::as_bytes(std::span(unigram).first(length))), Error);
  for (size_t length = sizeof(BlobHeader); length < unigram.size(); length += 97)
    CHECK(survives(std::string_view(unigram).substr(0, length)));
}

TEST_CASE("a WordPiece blob may not ask for words without a bound") {
  std::string blob = build_tokenizer_blob(small_source("wordpiece_uncased"));
  BlobHeader header;
  std::memcpy(&header, blob.data(), sizeof header);
  header.max_word_chars = header.max_token_bytes = ~uint32_t(0);
  std::memcpy(blob.data(), &header, sizeof header);
  CHECK_THROWS_WITH_AS(Tokenizer::open(std::as_bytes(std::span(blob))), doctest::Contains("characters of a word"),
                       Error);
}

TEST_CASE("a blob with flipped bits throws Error(corrupt_file) or encodes to ids of its vocabulary") {
  std::mt19937 random(7);
  for (const char* name : {"wordpiece_uncased", "bpe_llama3", "bpe_qwen2", "unigram", "spm_converted", "clip", "gemma",
                           "spm_llama", "spm_unigram", "spm_bpe"}) {
    const std::string blob = build_tokenizer_blob(small_source(name));
    for (int round = 0; round < 1500; ++round) {
      std::string damaged = blob;
      const size_t reach = round % 2 == 0 ? sizeof(BlobHeader) : blob.size();  // the header gets half of the damage
      for (int flips = 0; flips < 3; ++flips) damaged[random() % reach] ^= static_cast<char>(1 << random() % 8);
      try {
        const auto tokenizer = Tokenizer::open(std::as_bytes(std::span(damaged)));
        for (const TokenId id : tokenizer->encode("They'll say ação 123 <tool> Spécial", true)) {
          CHECK(id >= 0);
          CHECK(id < tokenizer->vocab_size());
          tokenizer->token_bytes(id);
        }
      } catch (const Error& error) {
        CHECK(error.code() == Code::corrupt_file);
      }
    }
  }
}
