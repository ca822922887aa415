#include <doctest/doctest.h>

#include <algorithm>

#include "base/file.h"
#include "model/format/checkpoint.h"
#include "support/errors.h"
#include "support/pytorch_files.h"
#include "support/temp_folder.h"

namespace frugal {
namespace {

using namespace testing;
using namespace pickled;
namespace fs = std::filesystem;

// What torch itself wrote (scripts/make_pytorch_goldens.py).
const fs::path kGolden = fs::path(FRUGAL_SOURCE_DIR) / "tests/golden/pytorch";

std::string golden(std::string_view name) {
  return read_file(kGolden / name);
}

// A folder with a configuration in which m.pt is opened.
struct Bench {
  TempFolder folder;
  Bench() { write_file(folder / "config.json", R"({"model_type": "bert"})"); }

  std::unique_ptr<Checkpoint> open(std::string_view bytes) const {
    write_file(folder / "m.pt", bytes);
    return open_checkpoint(folder / "m.pt");
  }
  std::string complaint(std::string_view bytes) const {
    return message_of([&] { open(bytes); });
  }
};

std::string complaint(std::string_view bytes) {
  return Bench().complaint(bytes);
}

void check_same_tensors(const Checkpoint& a, const Checkpoint& b) {
  REQUIRE(a.tensors().size() == b.tensors().size());
  for (size_t i = 0; i < a.tensors().size(); ++i) {
    const SourceTensor &left = a.tensors()[i], &right = b.tensors()[i];
    INFO(left.name);
    CHECK(left.name == right.name);
    CHECK(left.type == right.type);
    CHECK(left.shape == right.shape);
    CHECK(std::ranges::equal(left.data, right.data));
  }
}

const std::string kSix = bytes_of(std::vector<float>{1, 2, 3, 4, 5, 6});
const std::string kStorage = storage("FloatStorage", "0", 6);

// A file whose dict has the one tensor "w" of six floats in data/0.
std::string one_tensor(const std::string& tensor) {
  return pytorch_file(program(dict({{"w", tensor}})), kSix).build();
}
std::string good_file() {
  return one_tensor(tensor(kStorage, 0, {2, 3}, {3, 1}));
}

TEST_CASE("what torch.save writes holds the tensors that safetensors holds: every protocol, nested, in shards") {
  const auto expected = open_checkpoint(kGolden / "model.safetensors");
  for (const std::string name : {"pytorch_model.bin", "training.pt", "parameters.pt"}) {
    INFO(name);
    const auto checkpoint = open_checkpoint(kGolden / name);
    CHECK(checkpoint->format() == "pytorch");
    CHECK(checkpoint->architecture() == "bert");
    CHECK(checkpoint->integer("hidden_size") == 8);
    CHECK_FALSE(checkpoint->tokenizer().vocab_txt.empty());
    check_same_tensors(*checkpoint, *expected);
  }
}

TEST_CASE("every type of element, views of one storage, offsets and scalars are read as torch means them") {
  for (const std::string name : {"types", "views"}) {
    INFO(name);
    check_same_tensors(*open_checkpoint(kGolden / (name + ".pt")), *open_checkpoint(kGolden / (name + ".safetensors")));
  }
}

TEST_CASE("a folder is read from safetensors where both are there, else from pytorch_model.bin, else from shards") {
  const TempFolder folder;
  fs::copy(kGolden, folder.path(), fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  const auto expected = open_checkpoint(kGolden / "model.safetensors");
  CHECK(open_checkpoint(folder.path())->format() == "safetensors");
  fs::remove(folder / "model.safetensors");
  const auto single = open_checkpoint(folder.path());
  CHECK(single->format() == "pytorch");
  CHECK(single->files().front() == folder / "pytorch_model.bin");
  check_same_tensors(*single, *expected);
  fs::remove(folder / "pytorch_model.bin");
  const auto sharded = open_checkpoint(folder.path());
  CHECK(sharded->files()[1] == folder / "pytorch_model-00002-of-00002.bin");
  check_same_tensors(*sharded, *expected);
  fs::remove(folder / "pytorch_model.bin.index.json");
  CHECK(contains(message_of([&] { open_checkpoint(folder.path()); }), "holds none of model.safetensors"));
}

TEST_CASE("what torch can save and this cannot read is refused with the reason and what to do") {
  const auto refused = [](const std::string& name) { return *error_of([&] { open_checkpoint(kGolden / name); }); };
  CHECK(contains(refused("transposed.pt").message(), "'w.weight' [3, 2] is not contiguous: its strides are [1, 3]"));
  CHECK(contains(refused("transposed.pt").hint(), "contiguous()"));
  CHECK(contains(refused("legacy.pt").message(), "bare pickle, the format before torch 1.6"));
  CHECK(contains(refused("torchscript.pt").message(), "TorchScript archive"));
  CHECK(contains(refused("module.pt").message(), "'torch.nn.modules.linear.Linear'"));
  CHECK(contains(refused("module.pt").hint(), "safetensors.torch.save_file"));
  CHECK(contains(refused("int16.pt").message(), "'torch.ShortStorage', a type of elements that is not supported"));
  CHECK(contains(refused("two_models.pt").message(), "more than one place: state_dict, model"));
  for (const std::string name : {"transposed.pt", "legacy.pt", "torchscript.pt", "module.pt", "int16.pt"})
    CHECK(refused(name).code() == Code::bad_input);
}

TEST_CASE("a file without config.json beside it says so") {
  const TempFolder folder;
  write_file(folder / "m.pt", good_file());
  CHECK(contains(message_of([&] { open_checkpoint(folder / "m.pt"); }), "no config.json"));
}

TEST_CASE("the builder of these tests writes what is read, with zip64 records or without") {
  const Bench bench;
  const auto plain = bench.open(good_file());
  REQUIRE(plain->find("w"));
  CHECK(plain->find("w")->shape == Shape{2, 3});
  CHECK(std::ranges::equal(plain->find("w")->data, std::as_bytes(std::span(kSix))));
  ZipBuilder wide = pytorch_file(program(dict({{"w", tensor(kStorage, 0, {6}, {1})}})), kSix);
  wide.zip64 = true;
  ZipMember& last = wide.members.back();
  append_value<uint16_t>(last.extra, 1);
  append_value<uint16_t>(last.extra, 16);
  for (int i = 0; i < 2; ++i) append_value<uint64_t>(last.extra, kSix.size());
  last.bytes = last.stored_bytes = 0xffffffff;
  CHECK(bench.complaint(wide.build()) == "no error");
}

TEST_CASE("the state dict is found where it is unambiguous") {
  const std::string w = tensor(kStorage, 0, {6}, {1});
  const auto file = [](const std::string& root) { return pytorch_file(program(root), kSix).build(); };
  const std::string model = dict({{"w", w}});
  CHECK(complaint(file(dict({{"model", model}, {"step", integer(7)}}))) == "no error");
  CHECK(complaint(file(dict({{"w", w}, {"step", integer(7)}}))) == "no error");
  CHECK(contains(complaint(file(dict({{"w", w}, {"model", model}}))), "more than one place: the top level, model"));
  CHECK(contains(complaint(file(dict({{"model", model}, {"model", model}}))), "the key 'model' appears twice"));
  CHECK(contains(complaint(file(dict({{"net", model}}))), "no tensors at the top level nor under 'state_dict' or"));
  CHECK(contains(complaint(file(dict({}))), "no tensors"));
  CHECK(contains(complaint(file(w)), "it holds a tensor, not a dict of tensors"));
  CHECK(contains(complaint(file(integer(3))), "it holds an integer"));
  CHECK(contains(complaint(file(dict({{"w", w}, {"w", w}}))), "'w' appears twice"));
  CHECK(contains(complaint(file("}" + integer(3) + w + "s")), "the name of a tensor is an integer"));
}

TEST_CASE("a tensor that its storage cannot hold is refused by name") {
  const auto of = [](int64_t offset, const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides) {
    return complaint(one_tensor(tensor(kStorage, offset, sizes, strides)));
  };
  CHECK(of(0, {6}, {1}) == "no error");
  CHECK(of(5, {}, {}) == "no error");
  CHECK(of(2, {1, 4, 1}, {99, 1, -7}) == "no error");  // the stride of a dimension of size 1 means nothing
  CHECK(contains(of(1, {6}, {1}), "'w' [6] at element 1 lies outside the 6 of storage '0'"));
  CHECK(contains(of(-1, {6}, {1}), "at element -1 lies outside"));
  CHECK(contains(of(INT64_MAX, {6}, {1}), "lies outside"));
  CHECK(contains(of(int64_t(1) << 62, {1}, {1}), "lies outside"));  // · 4 wraps to 0
  CHECK(contains(of(0, {7}, {1}), "lies outside"));
  CHECK(contains(of(0, {int64_t(1) << 62}, {1}), "lies outside"));
  CHECK(contains(of(0, {int64_t(1) << 32, int64_t(1) << 32}, {int64_t(1) << 32, 1}), "lies outside"));
  CHECK(contains(of(0, {0}, {1}), "a dimension that is not positive"));
  CHECK(contains(of(0, {-6}, {1}), "a dimension that is not positive"));
  CHECK(of(0, {1, 1, 1, 2, 3}, {6, 6, 6, 3, 1}) == "no error");
  CHECK(contains(of(0, {1, 1, 1, 1, 1, 1, 1, 1, 6}, {6, 6, 6, 6, 6, 6, 6, 6, 1}), "has 9 dimensions, supported are 8"));
  CHECK(contains(of(0, {6}, {2}), "not contiguous"));
  CHECK(contains(of(0, {6}, {0}), "not contiguous"));
  CHECK(contains(of(5, {6}, {-1}), "not contiguous"));
  CHECK(contains(of(0, {2, 3}, {1, 2}), "not contiguous"));
  CHECK(contains(of(0, {6}, {}), "1 sizes and 0 strides"));
}

TEST_CASE("a storage that is not in the archive as described is refused") {
  const auto of = [](std::string_view type, std::string_view key, int64_t elements) {
    return complaint(one_tensor(tensor(storage(type, key, elements), 0, {2}, {1})));
  };
  CHECK(of("FloatStorage", "0", 6) == "no error");
  CHECK(of("DoubleStorage", "0", 3) == "no error");
  CHECK(contains(of("FloatStorage", "1", 6), "'w': the archive has no storage '1'"));
  CHECK(contains(of("FloatStorage", "../data.pkl", 6), "no storage '../data.pkl'"));
  CHECK(contains(of("FloatStorage", "../../../etc/passwd", 6), "no storage"));
  CHECK(contains(of("FloatStorage", "0", 5), "storage '0' has 24 bytes, not 5 of F32"));
  CHECK(contains(of("FloatStorage", "0", 7), "not 7 of F32"));
  CHECK(contains(of("FloatStorage", "0", (int64_t(1) << 62) + 6), "24 bytes, not"));  // · 4 wraps to 24
  CHECK(contains(of("FloatStorage", "0", -6), "a persistent id that names no storage"));
  CHECK(contains(of("DoubleStorage", "0", 6), "not 6 of F64"));
}

TEST_CASE("big-endian tensors are refused, and a byte order that is none") {
  ZipBuilder zip = pytorch_file(program(dict({{"w", tensor(kStorage, 0, {6}, {1})}})), kSix);
  zip.members[1].data = "big";
  zip.members[1].bytes = zip.members[1].stored_bytes = 3;
  CHECK(contains(complaint(zip.build()), "big-endian"));
  zip.members[1].data = "BIG";
  CHECK(contains(complaint(zip.build()), "byteorder is 'BIG' (offset"));
  zip.members.erase(zip.members.begin() + 1);
  CHECK(complaint(zip.build()) == "no error");
}

TEST_CASE("a zip archive that is no checkpoint says so") {
  CHECK(contains(complaint(ZipBuilder().add("word/document.xml", "x").build()), "without a data.pkl"));
  CHECK(contains(complaint(ZipBuilder().add("data.pkl", "x").build()), "without a data.pkl"));
  CHECK(contains(complaint(ZipBuilder().add("/data.pkl", "x").build()), "without a data.pkl"));
  CHECK(contains(complaint(ZipBuilder().add("a/b/data.pkl", "x").build()), "without a data.pkl"));
  CHECK(contains(complaint(ZipBuilder().add("a/data.pkl", "x").add("b/data.pkl", "x").build()), "2 folders have a"));
  CHECK(contains(complaint(ZipBuilder().add("a/data.pkl", "x").add("a/constants.pkl", "x").build()), "TorchScript"));
}

TEST_CASE("PyTorch files cut at any byte are refused") {
  const Bench bench;
  for (const std::string& whole : {good_file(), golden("types.pt")}) {
    for (size_t length = 0; length < whole.size(); ++length) {
      INFO("length ", length);
      REQUIRE(bench.complaint(whole.substr(0, length)) != "no error");
    }
    CHECK(contains(bench.complaint(whole + "x"), "something was appended"));
  }
}

TEST_CASE("a pickle cut at any byte is refused, inside an archive that is whole") {
  const Bench bench;
  const std::string whole = program(dict({{"w", tensor(kStorage, 0, {2, 3}, {3, 1})}}));
  for (size_t length = 0; length < whole.size(); ++length) {
    INFO("length ", length);
    REQUIRE(bench.complaint(pytorch_file(whole.substr(0, length), kSix).build()) != "no error");
  }
  CHECK(contains(bench.complaint(pytorch_file(whole + "N", kSix).build()), "1 bytes follow STOP"));
}

// Every byte of the archive's structure and of its pickle, with each of these values: an error or tensors, no crash.
TEST_CASE("any byte of a PyTorch file may be wrong, and whatever is read then can be touched") {
  const Bench bench;
  const std::string whole = good_file();
  size_t refused = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const char value : {'\x00', '\x01', '\x7f', '\xff', static_cast<char>(whole[at] ^ 0x10)}) {
      std::string damaged = whole;
      damaged[at] = value;
      try {
        const auto checkpoint = bench.open(damaged);
        for (const SourceTensor& tensor : checkpoint->tensors()) {
          std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
          if (tensor.type == SourceType::f32) read_rows_f32(tensor, 0, tensor.shape.rows(), values);
        }
      } catch (const Error& error) {
        REQUIRE(error.code() != Code::internal);
        ++refused;
      }
    }
  }
  CHECK(refused > whole.size());
}

}  // namespace
}  // namespace frugal
