// SentencePiece models that are written here, field by field: what is read, what is refused, and hostile files. What
// they encode to is in tests/model/tokenize.
#include "model/vocabulary/sentencepiece_model.h"

#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/tokenize/tokenizer.h"
#include "model/vocabulary/build_tokenizer.h"
#include "model/vocabulary/sentencepiece_rules.h"
#include "support/errors.h"

using namespace frugal;
using namespace frugal::testing;
using Type = SentencePieceModel::Type;

namespace {

// --- the wire format -----------------------------------------------------------------------------------------------

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes += static_cast<char>(value);
}

std::string integer(uint32_t field, int64_t value) {
  return varint(uint64_t{field} << 3) + varint(static_cast<uint64_t>(value));
}

std::string bytes(uint32_t field, std::string_view value) {
  return varint(uint64_t{field} << 3 | 2) + varint(value.size()) + std::string(value);
}

std::string number(uint32_t field, float value) {
  std::string encoded = varint(uint64_t{field} << 3 | 5);
  for (auto bits = std::bit_cast<uint32_t>(value), i = 0U; i < 4; ++i, bits >>= 8) encoded += static_cast<char>(bits);
  return encoded;
}

std::string piece(std::string_view text, float score, Type type = Type::normal) {
  return bytes(1, bytes(1, text) + number(2, score) + (type == Type::normal ? "" : integer(3, int64_t(type))));
}

// --- a model -------------------------------------------------------------------------------------------------------

struct Parts {
  std::string pieces = piece("<unk>", 0, Type::unknown) + piece("<s>", 0, Type::control) +
                       piece("</s>", 0, Type::control) + piece("\u2581", -1) + piece("a", -2) + piece("b", -3) +
                       piece("ab", -4) + piece("\u2581ab", -5);
  std::string trainer = integer(3, 2);  // BPE
  std::string normalizer = integer(4, 0);
  std::string rest;

  std::string content() const { return pieces + bytes(2, trainer) + bytes(3, normalizer) + rest; }
  SentencePieceModel read() const { return read_sentencepiece(kept = content(), "m.model"); }

  mutable std::string kept;  // what a model borrows
};

TokenizerSource source_of(const Parts& parts, std::string tokenizer_class = "PreTrainedTokenizerFast") {
  TokenizerSource source;
  source.sentencepiece = parts.content();
  source.sentencepiece_file = "m.model";
  source.tokenizer_config = R"({"tokenizer_class": ")" + tokenizer_class + "\"}";
  return source;
}

std::string refusal(const Parts& parts, std::string tokenizer_class = "PreTrainedTokenizerFast") {
  return message_of([&] { build_tokenizer_blob(source_of(parts, std::move(tokenizer_class))); });
}

}  // namespace

TEST_CASE("pieces, their types, ids of roles and the normalisation are read; other fields are skipped") {
  Parts parts;
  parts.trainer = integer(3, 1) + integer(24, 1) + integer(35, 1) + integer(43, -1) + bytes(30, "x") + number(10, 1) +
                  varint(99 << 3 | 1) + "12345678";
  parts.normalizer = bytes(1, "rules") + bytes(2, "table") + integer(3, 0) + integer(4, 1) + integer(5, 0);
  parts.rest = bytes(4, "test") + bytes(5, bytes(2, "")) + integer(200, 7);
  const SentencePieceModel model = parts.read();
  REQUIRE(model.pieces.size() == 8);
  CHECK(model.pieces[0].type == Type::unknown);
  CHECK(model.pieces[3].text == "\u2581");
  CHECK(model.pieces[3].type == Type::normal);
  CHECK(model.pieces[6].score == -4);
  CHECK(model.algorithm == SentencePieceModel::Algorithm::unigram);
  CHECK(model.whitespace_as_suffix);
  CHECK(model.byte_fallback);
  CHECK(model.unk == 0);
  CHECK(model.bos == 1);
  CHECK(model.eos == 2);
  CHECK(model.pad == -1);
  CHECK(model.charsmap == "table");
  CHECK(!model.dummy_prefix);
  CHECK(model.removes_spaces);
  CHECK(!model.escapes_spaces);
  CHECK(!model.changes_decoded_text);
}

TEST_CASE("a role that no piece of its type has is none") {
  Parts parts;
  parts.trainer = integer(41, 3) + integer(42, 1000) + integer(43, 2);
  const SentencePieceModel model = parts.read();
  CHECK(model.bos == -1);  // a normal piece
  CHECK(model.eos == -1);
  CHECK(model.pad == 2);
}

TEST_CASE("a model that is cut at any byte is an error that names file, field and offset, or has fewer pieces") {
  const std::string whole = Parts().content();
  for (size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    const auto error = error_of([&] { read_sentencepiece(std::string_view(whole).substr(0, length), "m.model"); });
    REQUIRE(error);
    CHECK(error->code() == Code::corrupt_file);
    CHECK(error->message().starts_with("'m.model': "));
    CHECK(contains(error->message(), "(offset "));
    CHECK_FALSE(error->hint().empty());
  }
}

TEST_CASE("hostile lengths, types and values are errors that name the field") {
  const auto error_with = [](const std::string& content) {
    return message_of([&] { read_sentencepiece(content, "m.model"); });
  };
  const std::string good = Parts().content();
  CHECK(contains(error_with("\x0a" + varint(~uint64_t{0})), "field 1 of 18446744073709551615 bytes runs past the end"));
  CHECK(contains(error_with(std::string(11, '\xff')), "number of more than 10 bytes"));
  CHECK(contains(error_with(good + '\x0f'), "unknown type 7"));
  CHECK(contains(error_with(good + '\x02'), "0 is not the number of a field"));
  CHECK(contains(error_with(integer(1, 5) + good), "pieces[0]: has the type 0, expected 2"));
  CHECK(contains(error_with(bytes(1, integer(1, 5))), "pieces[0]: piece: has the type 0, expected 2"));
  CHECK(contains(error_with(bytes(1, bytes(1, "a") + integer(2, 5))), "pieces[0]: score: has the type 0, expected 5"));
  CHECK(contains(error_with(bytes(1, bytes(1, "a") + bytes(3, "x"))), "pieces[0]: type: has the type 2, expected 0"));
  CHECK(contains(error_with(bytes(1, "")), "pieces[0]: piece: is missing"));
  CHECK(contains(error_with(bytes(1, bytes(1, "\xff"))), "pieces[0]: piece: is empty or not UTF-8"));
  CHECK(contains(error_with(piece("a", std::numeric_limits<float>::infinity())), "pieces[0]: score: is no number"));
  CHECK(contains(error_with(piece("a", 0, Type(9))), "pieces[0]: type: 9 is no known value"));
  CHECK(contains(error_with(bytes(2, integer(3, 7))), "trainer_spec: model_type: 7 is no known value"));
  CHECK(contains(error_with(bytes(2, "\x18")), "trainer_spec: field 3 of 1 bytes runs past the end"));
  CHECK(contains(error_with(bytes(2, "") + bytes(3, "")), "pieces: are missing"));
  CHECK(contains(error_with(good + piece("a", 0)), "pieces[8]: 'a' occurs twice"));
  Parts parts;
  parts.trainer = integer(40, 5);
  CHECK(contains(error_with(parts.content()), "trainer_spec.unk_id: 5 is not the id of the unknown piece"));
}

TEST_CASE("what would tokenise differently is refused by name, with a way out") {
  const auto with = [](auto&& change) {
    Parts parts;
    change(parts);
    return parts;
  };
  CHECK(refusal(Parts()) == "no error");
  CHECK(contains(refusal(with([](Parts& p) { p.trainer = integer(3, 3); })), "unigram and bpe"));
  CHECK(contains(refusal(with([](Parts& p) { p.trainer += integer(24, 1); })), "treat_whitespace_as_suffix"));
  CHECK(contains(refusal(with([](Parts& p) { p.normalizer += integer(5, 0); })), "escape_whitespaces"));
  CHECK(contains(refusal(with([](Parts& p) { p.rest = bytes(5, bytes(2, "x")); })), "denormalizer_spec"));
  CHECK(contains(refusal(with([](Parts& p) { p.pieces += piece("c", 0, Type::unused); })), "'c' is unused"));
  CHECK(contains(refusal(with([](Parts& p) { p.trainer += integer(35, 1); })), "without <0x00>"));
  CHECK(contains(refusal(with([](Parts& p) { p.normalizer += bytes(2, "x"); })), "precompiled_charsmap: is cut off"));
  CHECK(contains(refusal(with([](Parts& p) { p.pieces += piece(std::string(300, 'a'), -9); })), "has 300 bytes"));
  const auto unigram = with([](Parts& p) { p.trainer = integer(3, 1), p.normalizer = ""; });
  CHECK(refusal(unigram) == "no error");
  const auto unigram_with = [&](auto&& change) {
    Parts parts = unigram;
    change(parts);
    return refusal(parts);
  };
  CHECK(contains(unigram_with([](Parts& p) { p.normalizer = integer(3, 0); }), "add_dummy_prefix"));
  CHECK(contains(unigram_with([](Parts& p) { p.normalizer = integer(4, 0); }), "remove_extra_whitespaces"));
  CHECK(
      contains(unigram_with([](Parts& p) { p.pieces += piece("a\u2581b", -9); }), "has a space behind its beginning"));
  CHECK(contains(refusal(Parts(), "XLMRobertaTokenizer"), "type unigram"));
  CHECK(contains(refusal(Parts(), "CamembertTokenizer"), "the rules of the class 'CamembertTokenizer' are not known"));
  CHECK(contains(refusal(Parts(), ""), "does not say of which class"));
  const auto error = error_of([&] { build_tokenizer_blob(source_of(Parts(), "MBartTokenizer")); });
  REQUIRE(error);
  CHECK(error->code() == Code::bad_input);
  CHECK(contains(error->hint(), "tokenizer.json"));
}

TEST_CASE(
    "without a class the type of the model decides the family, and the configuration names and counts its tokens") {
  Parts parts;
  parts.trainer = integer(3, 1), parts.normalizer = "";
  TokenizerSource source = source_of(parts);
  source.tokenizer_config = R"({"mask_token": {"content": "<m>", "lstrip": true, "normalized": true}, "extra_ids": 2})";
  source.model_type = "xlm-roberta";
  const SentencePieceTokenizer roberta = apply_sentencepiece_rules(source);
  REQUIRE(roberta.tokens.size() == 10);
  CHECK(roberta.tokens[1].text == "<pad>");
  CHECK(roberta.tokens[4].text == "\u2581");
  CHECK(roberta.tokens[9].text == "<m>");
  CHECK(roberta.tokens[9].left_strip);
  CHECK(roberta.tokens[9].normalized);
  CHECK(roberta.prefix == std::vector<int32_t>{0});
  CHECK(roberta.separator == std::vector<int32_t>{2, 2});
  source.model_type = "t5";
  const SentencePieceTokenizer t5 = apply_sentencepiece_rules(source);
  REQUIRE(t5.tokens.size() == 10);
  CHECK(t5.tokens[8].text == "<extra_id_1>");
  CHECK(t5.tokens[9].text == "<extra_id_0>");
  CHECK(t5.suffix == std::vector<int32_t>{2});
  source.model_type = "llama";
  CHECK(apply_sentencepiece_rules(source).prefix == std::vector<int32_t>{1});
  source.tokenizer_config = R"({"add_bos_token": false, "add_eos_token": true})";
  CHECK(apply_sentencepiece_rules(source).prefix.empty());
  CHECK(apply_sentencepiece_rules(source).suffix == std::vector<int32_t>{2});
  source.model_type = "t5";
  source.tokenizer_config = R"({"extra_ids": 1000000000})";
  CHECK(contains(message_of([&] { apply_sentencepiece_rules(source); }), "'extra_ids' is 1000000000"));
}

TEST_CASE("the pair of the highest score becomes a piece first, however it is cut, of equal ones the leftmost") {
  Parts parts;  // x, y, z, and pieces that overlap in "xyzx"
  parts.normalizer += integer(3, 0);
  parts.pieces = piece("<unk>", 0, Type::unknown) + piece("x", -9) + piece("y", -9) + piece("z", -9) + piece("xy", -3) +
                 piece("yz", -3) + piece("zx", -2) + piece("xyz", -1);
  const std::string blob = build_tokenizer_blob(source_of(parts));
  const auto tokenizer = Tokenizer::open(std::as_bytes(std::span(blob)));
  CHECK(tokenizer->encode("xyz", false) == std::vector<TokenId>{7});
  CHECK(tokenizer->encode("xyzx", false) == std::vector<TokenId>{4, 6});  // zx before xy, and then no z is left
  CHECK(tokenizer->encode("yxyz??x", false) == std::vector<TokenId>{2, 7, 0, 1});
}

TEST_CASE("a piece that users defined precedes others and has no space before it, unless it has one in itself") {
  Parts parts;
  parts.pieces += piece("ba", 0, Type::user_defined) + piece("a b", 0, Type::user_defined);
  const std::string blob = build_tokenizer_blob(source_of(parts));
  const auto tokenizer = Tokenizer::open(std::as_bytes(std::span(blob)));
  CHECK(tokenizer->encode("abab", false) == std::vector<TokenId>{3, 4, 8, 5});  // not ab twice
  CHECK(tokenizer->encode("ba", false) == std::vector<TokenId>{3, 8});
  CHECK(tokenizer->encode("a b", false) == std::vector<TokenId>{3, 4, 3, 5});
  CHECK(!tokenizer->is_special(8));
}
