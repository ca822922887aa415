// Tokenizers of GGUF files that were made of a SentencePiece model.
#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <string>

#include "base/file.h"
#include "model/format/checkpoint.h"
#include "model/vocabulary/build_tokenizer.h"
#include "model/vocabulary/sentencepiece_model.h"
#include "support/errors.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

const std::filesystem::path kModel =
    std::filesystem::path(FRUGAL_SOURCE_DIR) / "tests/golden/tokenizer/spm_llama.model";

TokenizerSource of_file() {
  TokenizerSource source;
  source.sentencepiece = read_file(kModel);
  source.sentencepiece_file = "tokenizer.model";
  source.model_type = "llama";
  return source;
}

// The same as llama.cpp's converter writes it: the spaces of pieces that users defined are spaces.
TokenizerSource of_gguf() {
  const std::string content = read_file(kModel);
  const SentencePieceModel model = read_sentencepiece(content, "tokenizer.model");
  TokenizerSource source;
  source.gguf_model = "llama";
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    std::string text(piece.text);
    const std::string mark = "\u2581";
    if (piece.type == SentencePieceModel::Type::user_defined)
      for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark))
        text.replace(at, mark.size(), " ");
    source.gguf_tokens.push_back(text);
    source.gguf_scores.push_back(piece.score);
    source.gguf_token_types.push_back(static_cast<int32_t>(piece.type));
  }
  source.gguf_unk = model.unk, source.gguf_bos = model.bos, source.gguf_eos = model.eos;
  if (model.pad >= 0) source.gguf_pad = model.pad;
  source.gguf_add_bos = true;
  source.gguf_add_space_prefix = model.dummy_prefix;
  return source;
}

}  // namespace

TEST_CASE("a GGUF file made of a SentencePiece model has the tokenizer of that model") {
  CHECK(build_tokenizer_blob(of_gguf()) == build_tokenizer_blob(of_file()));
}

TEST_CASE("a GGUF tokenizer whose fields do not fit together is refused by field") {
  const auto refusal = [](const std::function<void(TokenizerSource&)>& change) {
    TokenizerSource source = of_gguf();
    change(source);
    const std::optional<Error> error = error_of([&] { build_tokenizer_blob(source); });
    REQUIRE(error);
    CHECK(error->code() == Code::bad_input);
    return error->message();
  };
  CHECK(contains(refusal([](TokenizerSource& s) { s.gguf_scores.pop_back(); }), "'tokenizer.ggml.scores'"));
  CHECK(contains(refusal([](TokenizerSource& s) { s.gguf_token_types.clear(); }), "'tokenizer.ggml.token_type'"));
  CHECK(contains(refusal([](TokenizerSource& s) { s.gguf_token_types[7] = 9; }), "9 is not a type"));
  CHECK(contains(refusal([](TokenizerSource& s) { s.gguf_bos = 1 << 20; }), "'tokenizer.ggml.bos_token_id'"));
  CHECK(contains(refusal([](TokenizerSource& s) { s.gguf_eos = -1; }), "'tokenizer.ggml.eos_token_id'"));
  CHECK(contains(refusal([](TokenizerSource& s) { s.gguf_tokens.back().assign(300, 'x'); }), "has 300 bytes"));
  // A file that says that unknown characters are their bytes has a token for each byte.
  CHECK(contains(refusal([](TokenizerSource& s) {
                   for (std::string& token : s.gguf_tokens)
                     if (token == "<0x41>") token = "<0xZZ>";
                 }),
                 "<0x41>"));
}
