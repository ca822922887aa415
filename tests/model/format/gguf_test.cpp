#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "model/format/checkpoint.h"
#include "support/errors.h"
#include "support/model_files.h"
#include "support/temp_folder.h"

namespace frugal {
namespace {

using namespace testing;

const std::vector<float> kSix{1, 2, 3, 4, 5, 6};

GgufBuilder good_file() {
  GgufBuilder gguf;
  gguf.text("general.architecture", "llama").u32("llama.block_count", 2).f32("llama.eps", 0.5f);
  gguf.strings("tokenizer.ggml.tokens", {"a", "b", "<s>"})
      .numbers<float>("tokenizer.ggml.scores", kGgufF32, {0, -1, 0});
  gguf.numbers<int32_t>("tokenizer.ggml.token_type", 5, {1, 1, 3}).text("tokenizer.ggml.model", "gpt2");
  gguf.raw("tokenizer.ggml.add_bos_token", kGgufBool, "\x01").u32("tokenizer.ggml.bos_token_id", 2);
  gguf.text("tokenizer.chat_template", "T");
  gguf.tensor("w", kGgmlF32, {3, 2}, bytes_of(kSix)).tensor("q", kGgmlQ8_0, {32, 2}, std::string(68, '\x01'));
  return gguf;
}

std::unique_ptr<Checkpoint> open_bytes(const TempFolder& folder, std::string_view bytes) {
  write_file(folder / "model.gguf", bytes);
  return open_checkpoint(folder / "model.gguf");
}

std::string complaint(std::string_view bytes) {
  const TempFolder folder;
  return message_of([&] { open_bytes(folder, bytes); });
}

TEST_CASE("a GGUF file gives tensors outermost dimension first, typed metadata and its tokenizer") {
  const TempFolder folder;
  const auto checkpoint = open_bytes(folder, good_file().build());
  CHECK(checkpoint->format() == "gguf");
  CHECK(checkpoint->architecture() == "llama");
  REQUIRE(checkpoint->find("w"));
  CHECK(checkpoint->find("w")->shape == Shape{2, 3});
  std::vector<float> row(3);
  read_rows_f32(*checkpoint->find("w"), 1, 1, row);
  CHECK(row == std::vector<float>{4, 5, 6});
  CHECK(checkpoint->integer("llama.block_count") == 2);
  CHECK(checkpoint->number("llama.eps") == 0.5);
  CHECK(checkpoint->integer("llama.eps") == std::nullopt);
  CHECK(checkpoint->numbers("tokenizer.ggml.scores") == std::vector<double>{0, -1, 0});
  CHECK(checkpoint->numbers("tokenizer.ggml.tokens").empty());
  CHECK(checkpoint->side_file("config.json") == std::nullopt);

  const TokenizerSource tokenizer = checkpoint->tokenizer();
  CHECK(tokenizer.gguf_model == "gpt2");
  CHECK(tokenizer.gguf_tokens == std::vector<std::string>{"a", "b", "<s>"});
  CHECK(tokenizer.gguf_token_types == std::vector<int32_t>{1, 1, 3});
  CHECK(tokenizer.gguf_bos == 2);
  CHECK(tokenizer.gguf_eos == std::nullopt);
  CHECK(tokenizer.gguf_add_bos);
  CHECK(tokenizer.chat_template == "T");
}

TEST_CASE("version 2 is read; version 1 and big-endian files are refused with what to do") {
  GgufBuilder gguf = good_file();
  gguf.version = 2;
  CHECK(complaint(gguf.build()) == "no error");
  gguf.version = 1;
  CHECK(contains(complaint(gguf.build()), "version 1 (offset 4)"));
  gguf.version = 0x03000000;
  const TempFolder folder;
  CHECK(contains(error_of([&] { open_bytes(folder, gguf.build()); })->hint(), "big-endian"));
}

TEST_CASE("a GGUF file cut at any byte is refused") {
  const TempFolder folder;
  const std::string whole = good_file().build();
  for (size_t length = 0; length < whole.size(); ++length) {
    INFO("length ", length);
    REQUIRE(error_of([&] { open_bytes(folder, std::string_view(whole).substr(0, length)); }).has_value());
  }
}

TEST_CASE("a GGUF header with any single byte overwritten opens or is refused, and nothing else") {
  const TempFolder folder;
  const GgufBuilder gguf = good_file();
  const std::string whole = gguf.build();
  for (size_t at = 0; at < gguf.header_bytes(); ++at)
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

TEST_CASE("counts and lengths that no file could hold are refused") {
  const auto with_counts = [](uint64_t tensors, uint64_t keys) {
    std::string file = "GGUF";
    append_value<uint32_t>(file, 3);
    append_value(file, tensors);
    append_value(file, keys);
    return file + std::string(64, '\0');
  };
  CHECK(contains(complaint(with_counts(0, 0)), "0 tensors"));
  CHECK(contains(complaint(with_counts(~uint64_t(0), 0)), "more than"));
  CHECK(contains(complaint(with_counts(1, uint64_t(1) << 62)), "more than"));

  std::string huge_array;
  append_value<uint32_t>(huge_array, kGgufF32);
  append_value<uint64_t>(huge_array, uint64_t(1) << 62);  // · 4 bytes wraps
  CHECK(contains(
      complaint(GgufBuilder().raw("k", kGgufArray, huge_array).tensor("w", kGgmlF32, {6}, bytes_of(kSix)).build()),
      "metadata 'k' has 4611686018427387904 elements"));

  std::string huge_string;
  append_value<uint64_t>(huge_string, ~uint64_t(0) - 3);
  CHECK(contains(
      complaint(GgufBuilder().raw("k", kGgufString, huge_string).tensor("w", kGgmlF32, {6}, bytes_of(kSix)).build()),
      "metadata 'k' of"));
}

TEST_CASE("metadata of unknown type, nested arrays and repeated keys are refused") {
  const auto with = [](uint32_t type, std::string_view bytes) {
    return complaint(GgufBuilder().raw("k", type, bytes).tensor("w", kGgmlF32, {6}, bytes_of(kSix)).build());
  };
  CHECK(contains(with(13, ""), "unknown type 13"));
  std::string nested;
  append_value<uint32_t>(nested, kGgufArray);
  append_value<uint64_t>(nested, 1);
  CHECK(contains(with(kGgufArray, nested), "array of arrays"));
  CHECK(contains(complaint(GgufBuilder().u32("k", 1).u32("k", 1).tensor("w", kGgmlF32, {6}, bytes_of(kSix)).build()),
                 "'k' appears twice"));
}

TEST_CASE("an alignment that is zero, odd or absurd is refused") {
  for (const uint32_t alignment : {0u, 1u, 24u, 1u << 31}) {
    const GgufBuilder gguf =
        GgufBuilder().u32("general.alignment", alignment).tensor("w", kGgmlF32, {6}, bytes_of(kSix));
    CHECK(contains(complaint(gguf.build()), "general.alignment"));
  }
  GgufBuilder wide;
  wide.alignment = 128;
  CHECK(complaint(wide.u32("general.alignment", 128).tensor("w", kGgmlF32, {6}, bytes_of(kSix)).build()) == "no error");
}

TEST_CASE("tensors with impossible shapes, types or places are refused by name") {
  const std::string data = bytes_of(kSix);
  const auto with = [&](uint32_t type, const std::vector<uint64_t>& dims, uint64_t offset) {
    return complaint(GgufBuilder().tensor_at("w", type, dims, offset, data).build());
  };
  CHECK(with(kGgmlF32, {6}, 0) == "no error");
  CHECK(contains(with(kGgmlF32, {}, 0), "0 dimensions"));
  CHECK(contains(with(kGgmlF32, {1, 1, 1, 1, 6}, 0), "5 dimensions"));
  CHECK(contains(with(kGgmlF32, {6, 0}, 0), "dimension 1 is 0"));
  CHECK(contains(with(kGgmlF32, {~uint64_t(0)}, 0), "dimension 0 is"));
  CHECK(contains(with(kGgmlF32, {uint64_t(1) << 62}, 0), "too large"));
  CHECK(contains(with(kGgmlF32, {uint64_t(1) << 32, uint64_t(1) << 32}, 0), "too large"));
  CHECK(contains(with(kGgmlF32, {7}, 0), "lie outside"));
  CHECK(contains(with(kGgmlF32, {6}, 32), "lie outside"));
  CHECK(contains(with(kGgmlF32, {6}, ~uint64_t(0) - 31), "lie outside"));
  CHECK(contains(with(kGgmlF32, {6}, 4), "not aligned"));
  CHECK(contains(with(kGgmlQ8_0, {31}, 0), "not whole blocks of Q8_0"));
  CHECK(contains(with(99, {6}, 0), "unsupported type 99"));
}

TEST_CASE("tensors that overlap or share a name are refused") {
  const std::string data = bytes_of(std::vector<float>(16, 0.0f));
  const auto two = [&](uint64_t offset, std::string_view second) {
    return complaint(
        GgufBuilder().tensor_at("a", kGgmlF32, {16}, 0, data).tensor_at(second, kGgmlF32, {16}, offset, data).build());
  };
  CHECK(two(64, "b") == "no error");
  CHECK(contains(two(32, "b"), "'a' and 'b' overlap"));
  CHECK(contains(two(0, "b"), "overlap"));
  CHECK(contains(two(64, "a"), "appears twice"));
}

TEST_CASE("every block type decodes as llama.cpp's own decoder has it") {
  const std::filesystem::path folder = std::filesystem::path(FRUGAL_SOURCE_DIR) / "tests/golden/gguf";
  const auto checkpoint = open_checkpoint(folder / "types.gguf");
  const std::string expected = read_file(folder / "expected.f32");
  REQUIRE(checkpoint->tensors().size() == 11);
  size_t at = 0;
  for (const SourceTensor& tensor : checkpoint->tensors()) {  // sorted by name, as the expected values are
    INFO("type ", tensor.name);
    CHECK(to_string(tensor.type) == tensor.name);
    const auto count = static_cast<size_t>(tensor.shape.elements());
    std::vector<float> values(count), oracle(count);
    REQUIRE(expected.size() >= at + count * sizeof(float));
    std::memcpy(oracle.data(), expected.data() + at, count * sizeof(float));
    at += count * sizeof(float);
    for (int64_t row = 0; row < tensor.shape.rows(); ++row)
      read_rows_f32(tensor, row, 1,
                    std::span(values).subspan(size_t(row * tensor.shape.cols()), size_t(tensor.shape.cols())));
    // The order of the multiplications differs, so the last bit may.
    for (size_t i = 0; i < count; ++i)
      REQUIRE(std::fabs(values[i] - oracle[i]) <= 1e-6f * std::max(1.0f, std::fabs(oracle[i])));
  }
  CHECK(at == expected.size());
}

TEST_CASE("groups give the same values as rows, exactly but for Q4_K's scales") {
  const auto checkpoint = open_checkpoint(std::filesystem::path(FRUGAL_SOURCE_DIR) / "tests/golden/gguf/types.gguf");
  for (const std::string_view name : {"Q8_0", "Q4_0", "Q4_1", "Q4_K"}) {
    const SourceTensor* tensor = checkpoint->find(name);
    REQUIRE(tensor);
    REQUIRE(has_source_groups(tensor->type));
    std::vector<float> row(static_cast<size_t>(tensor->shape.cols()));
    read_rows_f32(*tensor, 1, 1, row);
    for (size_t i = 0; i < row.size(); ++i) {
      const SourceGroup group = read_group(*tensor, 1, static_cast<int64_t>(i / 32));
      const float code = static_cast<float>(group.codes[i % 32]) - (name == "Q8_0" ? 128.0f : 0.0f);
      const float value = f16_to_f32(group.d_f16) * code + f16_to_f32(group.m_f16);
      // fp16 keeps 11 bits of each of the two products.
      const float tolerance =
          name == "Q4_K" ? 0x1p-11f * (15 * std::fabs(f16_to_f32(group.d_f16)) + std::fabs(f16_to_f32(group.m_f16)))
                         : 0.0f;
      REQUIRE(std::fabs(value - row[i]) <= tolerance);
    }
  }
  CHECK_FALSE(has_source_groups(SourceType::q6_k));
}

}  // namespace
}  // namespace frugal
