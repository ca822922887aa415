#include <doctest/doctest.h>

#include "model/format/checkpoint.h"
#include "support/errors.h"
#include "support/model_files.h"
#include "support/temp_folder.h"

namespace frugal {
namespace {

using namespace testing;

const std::vector<float> kSix{1, 2, 3, 4, 5, 6};
constexpr std::string_view kConfig = R"({"model_type": "bert", "hidden_size": 3, "layer_norm_eps": 1e-12,
  "rope_scaling": {"factor": 8.0, "low": [1, 2.5]}, "tie": true, "name": "x", "eos_token_id": [1, 2], "none": null})";

// A folder with config.json and these bytes as model.safetensors.
void write_folder(const TempFolder& folder, std::string_view safetensors, std::string_view config = kConfig) {
  write_file(folder / "config.json", config);
  write_file(folder / "model.safetensors", safetensors);
}

std::string good_file() {
  return SafetensorsBuilder().add("b.weight", {2, 3}, kSix).add("a", {6}, kSix).build();
}

// What opening a folder with this header and data says.
std::string complaint(std::string_view header, std::string_view data) {
  const TempFolder folder;
  write_folder(folder, safetensors_file(header, data));
  return message_of([&] { open_checkpoint(folder.path()); });
}

TEST_CASE("a folder gives tensors by name, and its configuration by dotted key") {
  const TempFolder folder;
  write_folder(folder, good_file());
  const auto checkpoint = open_checkpoint(folder.path());
  CHECK(checkpoint->format() == "safetensors");
  CHECK(checkpoint->architecture() == "bert");
  REQUIRE(checkpoint->tensors().size() == 2);
  const SourceTensor* tensor = checkpoint->find("b.weight");
  REQUIRE(tensor);
  CHECK(tensor->shape == Shape{2, 3});
  std::vector<float> row(3);
  read_rows_f32(*tensor, 1, 1, row);
  CHECK(row == std::vector<float>{4, 5, 6});
  CHECK(checkpoint->find("c") == nullptr);

  CHECK(checkpoint->integer("hidden_size") == 3);
  CHECK(checkpoint->number("hidden_size") == 3.0);
  CHECK(checkpoint->number("layer_norm_eps") == 1e-12);
  CHECK(checkpoint->integer("layer_norm_eps") == std::nullopt);
  CHECK(checkpoint->number("rope_scaling.factor") == 8.0);
  CHECK(checkpoint->numbers("rope_scaling.low") == std::vector<double>{1, 2.5});
  CHECK(checkpoint->integer("tie") == 1);
  CHECK(checkpoint->text("name") == "x");
  CHECK(checkpoint->text("hidden_size") == std::nullopt);
  CHECK(checkpoint->integer("none") == std::nullopt);
  CHECK(checkpoint->integer("absent") == std::nullopt);
}

TEST_CASE("half precision and doubles are read as fp32; integers are refused by name") {
  const TempFolder folder;
  std::string half, brain, wide, whole;
  append_value<uint16_t>(half, 0x3e00);   // 1.5
  append_value<uint16_t>(brain, 0xc020);  // -2.5
  append_value<double>(wide, 0.1);
  append_value<int64_t>(whole, 7);
  write_folder(folder, SafetensorsBuilder()
                           .add("f16", "F16", {1}, half)
                           .add("bf16", "BF16", {1}, brain)
                           .add("f64", "F64", {1}, wide)
                           .add("i64", "I64", {1}, whole)
                           .add("scalar", "F64", {}, wide)
                           .build());
  const auto checkpoint = open_checkpoint(folder.path());
  const auto value = [&](std::string_view name) {
    float out = 0;
    read_rows_f32(*checkpoint->find(name), 0, 1, std::span(&out, 1));
    return out;
  };
  CHECK(value("f16") == 1.5f);
  CHECK(value("bf16") == -2.5f);
  CHECK(value("f64") == 0.1f);
  CHECK(value("scalar") == 0.1f);
  CHECK(contains(message_of([&] { value("i64"); }), "'i64' holds I64 integers"));
}

TEST_CASE("a file may be opened by itself, with config.json beside it") {
  const TempFolder folder;
  write_folder(folder, good_file());
  CHECK(open_checkpoint(folder / "model.safetensors")->tensors().size() == 2);
  std::filesystem::remove(folder / "config.json");
  CHECK(contains(message_of([&] { open_checkpoint(folder / "model.safetensors"); }), "no config.json"));
}

TEST_CASE("shards are read together, and a missing one is named") {
  const TempFolder folder;
  write_file(folder / "config.json", kConfig);
  write_file(folder / "one.safetensors", SafetensorsBuilder().add("a", {6}, kSix).build());
  write_file(folder / "two.safetensors", SafetensorsBuilder().add("b", {3, 2}, kSix).build());
  write_file(folder / "model.safetensors.index.json",
             R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  const auto checkpoint = open_checkpoint(folder.path());
  CHECK(checkpoint->find("b")->shape == Shape{3, 2});
  CHECK(checkpoint->files().size() == 3);

  std::filesystem::remove(folder / "two.safetensors");
  CHECK(contains(message_of([&] { open_checkpoint(folder.path()); }), "'two.safetensors', which does not exist"));
  write_file(folder / "model.safetensors.index.json", R"({"weight_map": {"a": "../one.safetensors"}})");
  CHECK(contains(message_of([&] { open_checkpoint(folder.path()); }), "is not a file name"));
  write_file(folder / "model.safetensors.index.json", R"({"weights": {}})");
  CHECK(contains(message_of([&] { open_checkpoint(folder.path()); }), "no 'weight_map'"));
}

TEST_CASE("a tensor that two shards hold is refused") {
  const TempFolder folder;
  write_file(folder / "config.json", kConfig);
  write_file(folder / "one.safetensors", SafetensorsBuilder().add("a", {6}, kSix).build());
  write_file(folder / "two.safetensors", SafetensorsBuilder().add("a", {6}, kSix).build());
  write_file(folder / "model.safetensors.index.json",
             R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  CHECK(contains(message_of([&] { open_checkpoint(folder.path()); }), "'a' appears twice"));
}

TEST_CASE("side files are read from inside the folder only") {
  const TempFolder folder;
  write_folder(folder, good_file());
  write_file(folder / "1_Pooling/config.json", "{}");
  const auto checkpoint = open_checkpoint(folder.path());
  CHECK(checkpoint->side_file("1_Pooling/config.json") == "{}");
  CHECK(checkpoint->side_file("absent.json") == std::nullopt);
  CHECK(checkpoint->side_file("../" + folder.path().filename().native() + "/config.json") == std::nullopt);
  CHECK(checkpoint->side_file((folder / "config.json").native()) == std::nullopt);
}

TEST_CASE("the chat template is the tokenizer's default one, or the file beside it") {
  const TempFolder folder;
  write_folder(folder, good_file());
  write_file(folder / "tokenizer_config.json",
             R"({"chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]})");
  CHECK(open_checkpoint(folder.path())->tokenizer().chat_template == "D");
  write_file(folder / "tokenizer_config.json", R"({"chat_template": "S"})");
  CHECK(open_checkpoint(folder.path())->tokenizer().chat_template == "S");
  write_file(folder / "chat_template.jinja", "F");
  CHECK(open_checkpoint(folder.path())->tokenizer().chat_template == "F");
}

TEST_CASE("a limit that transformers writes with 31 digits is a number") {
  const TempFolder folder;
  write_folder(folder, good_file(),
               R"({"model_type": "bert", "max": 1000000000000000019884624838656, "s": "12345678901234567890123"})");
  write_file(folder / "tokenizer_config.json",
             R"({"model_max_length": 1000000000000000019884624838656, "chat_template": "S"})");
  const auto checkpoint = open_checkpoint(folder.path());
  CHECK(checkpoint->number("max") == 1e30);
  CHECK(checkpoint->text("s") == "12345678901234567890123");
  CHECK(checkpoint->tokenizer().chat_template == "S");
}

TEST_CASE("a safetensors file cut at any byte is refused") {
  const TempFolder folder;
  const std::string whole = good_file();
  write_file(folder / "config.json", kConfig);
  for (size_t length = 0; length < whole.size(); ++length) {
    write_file(folder / "model.safetensors", whole.substr(0, length));
    INFO("length ", length);
    REQUIRE(error_of([&] { open_checkpoint(folder.path()); }).has_value());
  }
  write_file(folder / "model.safetensors", whole + "x");
  CHECK(contains(message_of([&] { open_checkpoint(folder.path()); }), "1 bytes at the end belong to no tensor"));
}

TEST_CASE("a header that claims more than the file has is refused before anything is allocated") {
  const TempFolder folder;
  write_file(folder / "config.json", kConfig);
  for (const uint64_t length : {uint64_t(100'000'001), uint64_t(1) << 40, ~uint64_t(0), ~uint64_t(0) - 7}) {
    std::string file;
    append_value(file, length);
    write_file(folder / "model.safetensors", file + "{}");
    CHECK(contains(message_of([&] { open_checkpoint(folder.path()); }), "header of"));
  }
}

TEST_CASE("a header that contradicts itself or its data is refused, naming the tensor") {
  const std::string four(16, '\0');
  const auto tensor = [](std::string_view fields) { return "{\"t\":{" + std::string(fields) + "}}"; };
  CHECK(complaint(tensor(R"("dtype":"F32","shape":[4],"data_offsets":[0,16])"), four) == "no error");

  CHECK(contains(complaint("{\"t\":", four), "not a JSON object"));
  CHECK(contains(complaint(tensor(R"("shape":[4],"data_offsets":[0,16])"), four), "'t': no 'dtype'"));
  CHECK(contains(complaint(tensor(R"("dtype":"F8_E4M3","shape":[16],"data_offsets":[0,16])"), four),
                 "unsupported type 'F8_E4M3'"));
  CHECK(contains(complaint(tensor(R"("dtype":"F32","data_offsets":[0,16])"), four), "no 'shape'"));
  CHECK(contains(complaint(tensor(R"("dtype":"F32","shape":[0],"data_offsets":[0,16])"), four), "dimension 0"));
  CHECK(contains(complaint(tensor(R"("dtype":"F32","shape":[-4],"data_offsets":[0,16])"), four), "dimension 0"));
  CHECK(contains(complaint(tensor(R"("dtype":"F32","shape":[1.5],"data_offsets":[0,16])"), four), "dimension 0"));
  CHECK(complaint(tensor(R"("dtype":"F32","shape":[1,1,1,2,2],"data_offsets":[0,16])"), four) == "no error");
  CHECK(contains(complaint(tensor(R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,4],"data_offsets":[0,16])"), four),
                 "more than 8 dimensions"));
  CHECK(contains(complaint(tensor(R"("dtype":"F32","shape":[1,1,1,4294967296,4294967296],"data_offsets":[0,0])"), ""),
                 "too many elements"));
  CHECK(contains(complaint(tensor(R"("dtype":"F32","shape":[5],"data_offsets":[0,16])"), four), "has 16 bytes"));
  // 2^62 · 4 wraps to 0; 2^32 · 2^32 does so before the multiplication by 4.
  CHECK(contains(complaint(tensor(R"("dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0])"), ""),
                 "has 0 bytes"));
  CHECK(contains(complaint(tensor(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])"), ""),
                 "has 0 bytes"));
  CHECK(contains(complaint(tensor(R"("dtype":"F32","shape":[4],"data_offsets":[0,17])"), four), "lie outside"));
  CHECK(contains(complaint(tensor(R"("dtype":"F32","shape":[4],"data_offsets":[16,0])"), four), "lie outside"));
  CHECK(contains(complaint(tensor(R"("dtype":"F32","shape":[4],"data_offsets":[-16,0])"), four), "not two offsets"));
  CHECK(contains(complaint(tensor(R"("dtype":"F32","shape":[4],"data_offsets":[0,16,32])"), four), "not two offsets"));
  CHECK(contains(complaint(R"({"t":7})", ""), "'t': no 'dtype'"));
  CHECK(contains(complaint(R"({"":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", four), "name is empty"));
}

TEST_CASE("tensors that overlap, leave a gap or come twice are refused") {
  const std::string eight(32, '\0');
  const auto two = [](std::string_view a, std::string_view b, std::string_view second = "b") {
    return "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":" + std::string(a) + "},\"" + std::string(second) +
           "\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":" + std::string(b) + "}}";
  };
  CHECK(complaint(two("[0,16]", "[16,32]"), eight) == "no error");
  CHECK(contains(complaint(two("[0,16]", "[0,16]"), eight), "overlaps"));
  CHECK(contains(complaint(two("[0,16]", "[8,24]"), eight), "overlaps"));
  CHECK(contains(complaint(two("[0,16]", "[32,48]"), eight + eight), "leaves a gap"));
  CHECK(contains(complaint(two("[16,32]", "[32,48]"), eight + eight), "leaves a gap"));
  CHECK(contains(complaint(two("[0,16]", "[16,32]", "a"), eight), "appears twice"));
}

TEST_CASE("nesting without end is an error, not a crash") {
  const std::string deep(1'000'000, '[');
  CHECK(contains(complaint("{\"t\":" + deep, ""), "not a JSON object"));
  const TempFolder folder;
  write_folder(folder, good_file(), "{\"a\":" + deep);
  CHECK(contains(message_of([&] { open_checkpoint(folder.path()); }), "config.json' is not a JSON object"));
}

TEST_CASE("what is no checkpoint is told apart") {
  const TempFolder folder;
  CHECK(error_of([&] { open_checkpoint(folder / "absent"); })->code() == Code::missing);
  CHECK(contains(message_of([&] { open_checkpoint(folder.path()); }), "holds none of model.safetensors, "));
  write_file(folder / "m.pack", std::string("FRUGALPK") + std::string(100, 'x'));
  CHECK(contains(message_of([&] { open_checkpoint(folder / "m.pack"); }), "is already a pack"));
  write_file(folder / "empty", "");
  CHECK(contains(message_of([&] { open_checkpoint(folder / "empty"); }), "it is empty"));
  write_file(folder / "text", "hello, this is text");
  CHECK(contains(message_of([&] { open_checkpoint(folder / "text"); }), "neither GGUF, safetensors, PyTorch nor E5S1"));
}

}  // namespace
}  // namespace frugal
