#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "base/file.h"
#include "model/format/checkpoint.h"
#include "support/e5s1_file.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace frugal {
namespace {

using namespace testing;

std::unique_ptr<Checkpoint> open_bytes(const TempFolder& folder, std::string_view bytes) {
  write_file(folder / "model.bin", bytes);
  return open_checkpoint(folder / "model.bin");
}

template <class Change>
std::string complaint(Change change) {
  const TempFolder folder;
  E5s1Builder file;
  change(file);
  return message_of([&] { open_bytes(folder, file.build()); });
}

E5s1Builder::Tensor& tensor_of(E5s1Builder& file, std::string_view name) {
  return *std::find_if(file.tensors.begin(), file.tensors.end(),
                       [&](const auto& tensor) { return tensor.name == name; });
}

TEST_CASE("an E5S1 file gives a BERT's tensors and configuration, its tokenizer and E5's prompts") {
  const TempFolder folder;
  const auto checkpoint = open_bytes(folder, E5s1Builder().build());
  CHECK(checkpoint->format() == "e5s1");
  CHECK(checkpoint->architecture() == "bert");
  CHECK(checkpoint->integer("hidden_size") == 32);
  CHECK(checkpoint->integer("intermediate_size") == 64);
  CHECK(checkpoint->integer("no such key") == std::nullopt);
  CHECK(checkpoint->number("layer_norm_eps") == doctest::Approx(1e-12));
  CHECK(checkpoint->tensors().size() == 21);
  const SourceTensor* words = checkpoint->find("embeddings.word_embeddings.weight");
  REQUIRE(words);
  CHECK(words->type == SourceType::q4_0);
  CHECK(words->shape == Shape{8, 32});
  const SourceTensor* up = checkpoint->find("encoder.layer.0.intermediate.dense.weight");
  REQUIRE(up);
  CHECK(up->shape == Shape{64, 32});
  std::vector<float> row(32);
  read_rows_f32(*up, 0, 1, row);
  CHECK(row[0] == (5 - 8) / 32.0f);   // low nibble of the first byte, 5
  CHECK(row[16] == (0 - 8) / 32.0f);  // its high nibble

  const TokenizerSource tokenizer = checkpoint->tokenizer();
  REQUIRE(tokenizer.unigram);
  CHECK(tokenizer.unigram->pieces[7] == "\u2581ab");
  CHECK(tokenizer.unigram->scores[5] == -2);
  CHECK(tokenizer.unigram->eos == 2);
  REQUIRE(tokenizer.unigram->replacements.size() == 3);
  CHECK(tokenizer.unigram->replacements.back() == std::pair(U'\uFB01', std::string("fi")));
  CHECK(checkpoint->side_file("config_sentence_transformers.json")->find("passage: ") != std::string::npos);
  CHECK(checkpoint->side_file("modules.json") == std::nullopt);
}

TEST_CASE("an E5S1 file cut at any byte is refused by name") {
  const TempFolder folder;
  const std::string whole = E5s1Builder().build();
  for (size_t length = 4; length < whole.size(); length += length < 2000 ? 1 : 37) {
    INFO("length ", length);
    const std::string message = message_of([&] { open_bytes(folder, std::string_view(whole).substr(0, length)); });
    REQUIRE(contains(message, "model.bin"));
  }
}

TEST_CASE("an E5S1 header with any single byte overwritten opens or is refused, and nothing else") {
  const TempFolder folder;
  const std::string whole = E5s1Builder().build();
  const size_t header_bytes = E5s1Builder().header().size();
  for (size_t at = 4; at < header_bytes; ++at)
    for (const char value : {'\x00', '\x01', '\x7f', '\xff'}) {
      std::string bytes = whole;
      bytes[at] = value;
      error_of([&] {
        const auto checkpoint = open_bytes(folder, bytes);
        checkpoint->tokenizer();
        for (const SourceTensor& tensor : checkpoint->tensors()) {
          std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
          read_rows_f32(tensor, 0, tensor.shape.rows(), values);
        }
      });
    }
}

TEST_CASE("sizes of an E5S1 file that contradict each other are refused with field and place") {
  const auto says = [](std::string_view words, auto change) {
    INFO(complaint(change));
    CHECK(contains(complaint(change), words));
  };
  says("version 2 (offset 4)", [](E5s1Builder& file) { file.version = 2; });
  says("hidden_size is 0, outside", [](E5s1Builder& file) { file.dimensions[0] = 0; });
  says("vocab_size is -1, outside", [](E5s1Builder& file) { file.dimensions[4] = -1; });
  says("blocks have 64 elements", [](E5s1Builder& file) { file.block = 64; });
  says("9 pieces for a vocabulary of 8", [](E5s1Builder& file) { file.counts[0] = 9; });
  says("unk 8 is outside the vocabulary of 8", [](E5s1Builder& file) { file.counts[4] = 8; });
  says("piece 5 is not UTF-8", [](E5s1Builder& file) { file.pieces[5] = "\xFF"; });
  says("the score of piece 1 is no number",
       [](E5s1Builder& file) { file.scores[1] = std::numeric_limits<float>::infinity(); });
  says("the code point 0xd800", [](E5s1Builder& file) { file.replacements[0].first = 0xD800; });
  says("U+0009 twice", [](E5s1Builder& file) { file.replacements[1].first = 9; });
  says("0 tensors", [](E5s1Builder& file) { file.tensors.clear(); });
}

TEST_CASE("tensors of an E5S1 file that are wrong, overlap or lie outside are refused by name") {
  const auto says = [](std::string_view words, std::string_view name, auto change) {
    const auto apply = [&](E5s1Builder& file) { change(tensor_of(file, name)); };
    INFO(complaint(apply));
    CHECK(contains(complaint(apply), words));
  };
  using Tensor = E5s1Builder::Tensor;
  says("unknown tensor 'l1.q.w'", "l0.q.w", [](Tensor& tensor) { tensor.name = "l1.q.w"; });
  says("unknown tensor 'l0.x'", "l0.q.w", [](Tensor& tensor) { tensor.name = "l0.x"; });
  says("appears twice", "l0.k.b", [](Tensor& tensor) { tensor.name = "l0.q.b"; });
  says("tensor 'l0.q.w' has the dtype 2", "l0.q.w", [](Tensor& tensor) { tensor.dtype = 2; });
  says("tensor 'l0.q.b' has the dtype 1", "l0.q.b", [](Tensor& tensor) { tensor.dtype = 1; });
  says("'l0.q.w' has 1025 elements", "l0.q.w", [](Tensor& tensor) { tensor.elements = 1025; });
  says("'l0.q.w' has 577 bytes", "l0.q.w", [](Tensor& tensor) { tensor.bytes = 577; });
  says("lie outside", "l0.q.w", [](Tensor& tensor) { tensor.offset = int64_t(1) << 62; });
  says("overlap", "l0.q.w", [](Tensor& tensor) { tensor.offset = int64_t(E5s1Builder().header().size()) + 1; });
  says("overlaps the directory", "l0.q.w", [](Tensor& tensor) { tensor.offset = 8; });
}

}  // namespace
}  // namespace frugal
