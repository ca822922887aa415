#include "model/format/pack.h"

#include <doctest/doctest.h>

#include <cstring>
#include <numeric>

#include "base/error.h"
#include "base/hash.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace frugal {
namespace {

using testing::TempFolder;
using testing::write_file;

std::vector<float> ramp(int64_t count, float step = 0.01f) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = step * static_cast<float>(int(i * 37 % 101) - 50);
  return values;
}

// A pack with one tensor of every linear type, one int8 embedding and one vector.
constexpr int64_t kOutputs = 21;  // neither is a multiple of its block
constexpr int64_t kInputs = 40;

const std::vector<DType> kLinearTypes{DType::linear_f32, DType::linear_f16, DType::linear_i8, DType::linear_i8g,
                                      DType::linear_i4};

std::vector<PackWriter::Plan> sample_plan() {
  std::vector<PackWriter::Plan> plan;
  for (const DType dtype : kLinearTypes)
    plan.push_back({std::string(to_string(dtype)), dtype, Shape{kOutputs, kInputs}, TensorRole::linear});
  plan.push_back({"embedding", DType::i8, Shape{3, 8}, TensorRole::embedding});
  plan.push_back({"bias", DType::f32, Shape{kOutputs}, TensorRole::vector});
  return plan;
}

const std::map<std::string, std::string> kConfig{
    {"a.int", "42"}, {"a.float", "1e-12"}, {"b.text", "são"}, {"provenance.identity", "id"}};
const std::map<std::string, std::string> kBlobs{{"tokenizer", std::string(1000, 't')}, {"empty", ""}};

void write_linear(PackWriter& writer, size_t index, DType dtype, bool backwards) {
  const std::vector<float> weights = ramp(kOutputs * kInputs);
  const std::vector<int64_t> blocks = backwards ? std::vector<int64_t>{1, 0} : std::vector<int64_t>{0, 1};
  for (const int64_t block : blocks) {
    const int64_t rows = std::min<int64_t>(kOutputBlock, kOutputs - block * kOutputBlock);
    const auto part = std::span(weights).subspan(static_cast<size_t>(block * kOutputBlock * kInputs),
                                                 static_cast<size_t>(rows * kInputs));
    std::vector<std::byte> data(packed_block_bytes(dtype, kInputs));
    std::vector<float> scales(kOutputBlock);
    pack_block(dtype, part, kInputs, data.data(), scales.data());
    writer.write_data(index, static_cast<uint64_t>(block) * data.size(), data);
    if (dtype == DType::linear_i8) writer.write_scales(index, static_cast<uint64_t>(block * kOutputBlock), scales);
  }
}

void write_sample(const std::filesystem::path& path, bool backwards = false) {
  PackWriter writer(path, sample_plan(), kConfig, kBlobs);
  for (size_t i = 0; i < kLinearTypes.size(); ++i) write_linear(writer, i, kLinearTypes[i], backwards);
  const std::vector<int8_t> codes(24, 7);
  writer.write_data(5, 0, std::as_bytes(std::span(codes)));
  writer.write_scales(5, 0, std::vector<float>{1, 2, 3});
  const std::vector<float> bias = ramp(kOutputs);
  writer.write_data(6, 0, std::as_bytes(std::span(bias)));
  writer.finish();
}

// Opens and checks everything, as a reader of an untrusted pack would.
void open_and_verify(const std::filesystem::path& path) {
  Pack(path).verify();
}

TEST_CASE("a pack gives back what was written, each type within its own rounding") {
  const TempFolder folder;
  write_sample(folder / "m.pack");
  const Pack pack(folder / "m.pack");
  pack.verify();
  const std::vector<float> weights = ramp(kOutputs * kInputs);
  for (const DType dtype : kLinearTypes) {
    const PackedWeight weight = pack.require_linear(to_string(dtype), kOutputs, kInputs);
    CHECK(weight.dtype == dtype);
    const float tolerance = dtype == DType::linear_f32 ? 0.0f : dtype == DType::linear_i4 ? 0.04f : 0.0025f;
    std::vector<float> row(kInputs);
    for (int64_t o = 0; o < kOutputs; ++o) {
      unpack_output(weight, o, row);
      for (int64_t i = 0; i < kInputs; ++i)
        REQUIRE(std::abs(row[size_t(i)] - weights[size_t(o * kInputs + i)]) <= tolerance);
    }
  }
  const PackTensor embedding = pack.require("embedding");
  CHECK(embedding.role == TensorRole::embedding);
  CHECK(embedding.scales[2] == 3.0f);
  CHECK(embedding.data[23] == std::byte(7));
  CHECK(pack.require_f32("bias", Shape{kOutputs})[1] == ramp(kOutputs)[1]);
  CHECK(pack.find("absent") == std::nullopt);
}

TEST_CASE("config values are read by type and absent keys are told from wrong ones") {
  const TempFolder folder;
  write_sample(folder / "m.pack");
  const Pack pack(folder / "m.pack");
  CHECK(pack.require_int("a.int", 0, 100) == 42);
  CHECK(pack.require_float("a.float") == 1e-12);
  CHECK(pack.require_text("b.text") == "são");
  CHECK(pack.find_int("b.text") == std::nullopt);
  CHECK(pack.text("a") == std::nullopt);
  CHECK(pack.entries().size() == kConfig.size());
  CHECK(pack.identity() == "id");
  CHECK_THROWS_AS(pack.require_int("a.int", 0, 41), Error);
  CHECK_THROWS_AS(pack.require_text("absent"), Error);
  CHECK(pack.blob("tokenizer").size() == 1000);
  CHECK(pack.blob("empty").empty());
  CHECK(pack.blob("absent").empty());
}

TEST_CASE("a tensor of another kind or shape is refused by name") {
  const TempFolder folder;
  write_sample(folder / "m.pack");
  const Pack pack(folder / "m.pack");
  CHECK_THROWS_AS(pack.require_linear("bias", kOutputs, kInputs), Error);
  CHECK_THROWS_AS(pack.require_linear("linear_i8", kInputs, kOutputs), Error);
  CHECK_THROWS_AS(pack.require_f32("bias", Shape{kOutputs + 1}), Error);
}

TEST_CASE("the order of writing leaves no trace in the bytes") {
  const TempFolder folder;
  write_sample(folder / "a.pack");
  write_sample(folder / "b.pack", true);
  CHECK(read_file(folder / "a.pack") == read_file(folder / "b.pack"));
}

TEST_CASE("a pack survives being moved") {
  const TempFolder folder;
  write_sample(folder / "m.pack");
  Pack first(folder / "m.pack");
  const Pack second(std::move(first));
  CHECK(second.require_int("a.int", 0, 100) == 42);
  second.verify();
}

TEST_CASE("nothing is published before finish, and nothing is left behind without it") {
  const TempFolder folder;
  {
    PackWriter writer(folder / "m.pack", sample_plan(), kConfig, kBlobs);
    CHECK_FALSE(std::filesystem::exists(folder / "m.pack"));
    CHECK_THROWS_AS(writer.finish(), Error);  // bytes are missing
  }
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a byte written twice, or outside its tensor, is refused") {
  const TempFolder folder;
  PackWriter writer(folder / "m.pack", {{"v", DType::f32, Shape{4}, TensorRole::vector}}, {}, {});
  const std::vector<float> two{1, 2};
  const auto bytes = std::as_bytes(std::span(two));
  writer.write_data(0, 4, bytes);
  CHECK_THROWS_AS(writer.write_data(0, 0, bytes), Error);
  CHECK_THROWS_AS(writer.write_data(0, 8, bytes), Error);
  CHECK_THROWS_AS(writer.write_data(0, 12, bytes), Error);
}

TEST_CASE("a sealed pack can be read before it is published") {
  const TempFolder folder;
  PackWriter writer(folder / "m.pack", {{"v", DType::f32, Shape{2}, TensorRole::vector}}, {}, {});
  const std::vector<float> values{1, 2};
  writer.write_data(0, 0, std::as_bytes(std::span(values)));
  CHECK(Pack(writer.seal()).require_f32("v", Shape{2})[1] == 2);
  CHECK_FALSE(std::filesystem::exists(folder / "m.pack"));
  writer.finish();
  open_and_verify(folder / "m.pack");
}

TEST_CASE("a pack cut anywhere in its metadata, or by one byte at the end, is refused") {
  const TempFolder folder;
  write_sample(folder / "m.pack");
  const std::string whole = read_file(folder / "m.pack");
  uint64_t metadata_bytes = 0;
  std::memcpy(&metadata_bytes, whole.data() + 32, sizeof metadata_bytes);
  for (size_t length = 0; length <= metadata_bytes; ++length) {
    write_file(folder / "cut.pack", whole.substr(0, length));
    REQUIRE_THROWS_AS(Pack(folder / "cut.pack"), Error);
  }
  write_file(folder / "cut.pack", whole.substr(0, whole.size() - 1));
  CHECK_THROWS_AS(Pack(folder / "cut.pack"), Error);
}

TEST_CASE("a flipped bit is found wherever the file means something") {
  const TempFolder folder;
  write_sample(folder / "m.pack");
  const std::string whole = read_file(folder / "m.pack");
  const Pack pack(folder / "m.pack");
  std::vector<bool> meaningful(whole.size(), false);
  const auto mark = [&](const std::byte* at, size_t bytes) {
    const auto begin = at - pack.file().bytes().data();
    std::fill_n(meaningful.begin() + begin, bytes, true);
  };
  uint64_t metadata_bytes = 0;
  std::memcpy(&metadata_bytes, whole.data() + 32, sizeof metadata_bytes);
  mark(pack.file().bytes().data(), metadata_bytes);
  mark(pack.file().bytes().data() + whole.size() - 32, 32);
  for (const PackTensor& tensor : pack.tensors()) {
    mark(tensor.data.data(), tensor.data.size());
    mark(std::as_bytes(tensor.scales).data(), tensor.scales.size_bytes());
  }
  mark(pack.blob("tokenizer").data(), pack.blob("tokenizer").size());
  for (size_t at = 0; at < whole.size(); at += at < metadata_bytes ? 1 : 61) {
    if (!meaningful[at]) continue;
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    write_file(folder / "flipped.pack", flipped);
    INFO("offset ", at);
    REQUIRE_THROWS_AS(open_and_verify(folder / "flipped.pack"), Error);
  }
}

// The sample with `value` written at `offset`, and the checksum of the metadata made right again: what only a liar
// would write.
template <typename T>
std::string complaint_about(const TempFolder& folder, size_t offset, T value) {
  std::string bytes = read_file(folder / "m.pack");
  std::memcpy(bytes.data() + offset, &value, sizeof value);
  uint64_t metadata_bytes = 0;
  std::memcpy(&metadata_bytes, bytes.data() + 32, sizeof metadata_bytes);
  const uint64_t checksum =
      checksum64(std::as_bytes(std::span(bytes)).first(std::min<size_t>(metadata_bytes, bytes.size())));
  std::memcpy(bytes.data() + bytes.size() - 16, &checksum, sizeof checksum);
  std::memcpy(bytes.data() + bytes.size() - 24, &metadata_bytes, sizeof metadata_bytes);
  write_file(folder / "liar.pack", bytes);
  return testing::message_of([&] { Pack pack(folder / "liar.pack"); });
}

TEST_CASE("an entry that lies about its tensor is refused although every checksum matches") {
  const TempFolder folder;
  write_sample(folder / "m.pack");
  const auto complaint = [&](size_t offset, auto value) { return complaint_about(folder, offset, value); };
  using testing::contains;
  const size_t bias = 64, embedding = 64 + 96, f16 = 64 + 2 * 96;  // sorted by name
  CHECK(complaint(48, uint64_t(0)) == "no error");                 // reserved: the helper itself is sound

  CHECK(contains(complaint(bias + 0, uint32_t(1) << 31), "name of tensor of entry 0 lies outside"));
  CHECK(contains(complaint(bias + 4, ~uint32_t(0)), "name of tensor of entry 0 lies outside"));
  CHECK(contains(complaint(bias + 8, uint8_t(7)), "unknown type 7"));
  CHECK(contains(complaint(bias + 9, uint8_t(4)), "unknown role 4"));
  CHECK(contains(complaint(bias + 10, uint8_t(0)), "has 0 dimensions"));
  CHECK(contains(complaint(bias + 10, uint8_t(5)), "has 5 dimensions"));
  CHECK(contains(complaint(bias + 10, uint8_t(2)), "do not fit type and shape"));  // its second dimension is 0
  for (const int64_t dim : {int64_t(0), int64_t(-1), int64_t(1) << 31, int64_t(1) << 62, kOutputs + 1})
    CHECK(contains(complaint(bias + 16, dim), "do not fit type and shape"));
  CHECK(contains(complaint(f16 + 24, (int64_t(1) << 31) - 1), "do not fit type and shape"));
  for (const uint64_t offset : {uint64_t(1), uint64_t(64), ~uint64_t(0) - 63, uint64_t(1) << 40})
    CHECK(contains(complaint(bias + 48, offset), "misaligned or outside"));
  CHECK(contains(complaint(bias + 56, ~uint64_t(0)), "do not fit type and shape"));
  CHECK(contains(complaint(embedding + 64, uint64_t(4)), "misaligned or outside"));
  CHECK(contains(complaint(embedding + 72, uint64_t(0)), "do not fit type and shape"));
  CHECK(contains(complaint(bias + 0, uint32_t(13)), "out of order"));  // "line", before "embedding"
}

TEST_CASE("a header that lies about its tables is refused although every checksum matches") {
  const TempFolder folder;
  write_sample(folder / "m.pack");
  const auto complaint = [&](size_t offset, auto value) { return complaint_about(folder, offset, value); };
  using testing::contains;
  for (const size_t count : {12, 16, 20}) {
    CHECK(contains(complaint(count, ~uint32_t(0)), "contradict the size of the metadata"));
    CHECK(contains(complaint(count, uint32_t(0)), "contradict the size of the metadata"));
  }
  CHECK(contains(complaint(24, ~uint64_t(0)), "contradict the size of the metadata"));
  CHECK(contains(complaint(32, uint64_t(0)), "metadata of 0 bytes"));
  CHECK(contains(complaint(32, ~uint64_t(0)), "does not fit"));
  CHECK(contains(complaint(40, uint64_t(1)), "header says 1 bytes"));
  const size_t config = 64 + 7 * 96, blobs = config + 4 * 16;
  CHECK(contains(complaint(config + 4, ~uint32_t(0)), "key of config of entry 0 lies outside"));
  CHECK(contains(complaint(config + 12, ~uint32_t(0)), "value of config of entry 0 lies outside"));
  CHECK(contains(complaint(blobs + 4, ~uint32_t(0)), "name of blob of entry 0 lies outside"));
  CHECK(contains(complaint(blobs + 8, uint64_t(8)), "misaligned or outside"));
  CHECK(contains(complaint(blobs + 16, ~uint64_t(0)), "misaligned or outside"));
}

TEST_CASE("a missing pack, another file and a newer version are told apart") {
  const TempFolder folder;
  const auto code_of = [&](const std::string& name) {
    try {
      Pack pack(folder / name);
    } catch (const Error& error) {
      return error.code();
    }
    return Code::internal;
  };
  CHECK(code_of("absent.pack") == Code::missing);
  write_file(folder / "text.pack", std::string(500, 'x'));
  CHECK(code_of("text.pack") == Code::bad_input);
  write_file(folder / "empty.pack", "");
  CHECK(code_of("empty.pack") == Code::bad_input);
  write_sample(folder / "m.pack");
  std::string newer = read_file(folder / "m.pack");
  newer[8] = 2;
  write_file(folder / "newer.pack", newer);
  CHECK(code_of("newer.pack") == Code::mismatch);
}

}  // namespace
}  // namespace frugal
