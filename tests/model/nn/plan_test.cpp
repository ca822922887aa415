// The two tables of a plan: hyper-parameters and tensors.
#include <doctest/doctest.h>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/nn/hyper_field.h"
#include "model/nn/tensor_table.h"
#include "support/toy_pack.h"

using namespace frugal;
using frugal::testing::ToyPack;

namespace {

struct Numbers {
  int64_t layers, heads, groups, rows;
  double epsilon;
  std::string activation;
};

using N = Numbers;
constexpr HyperField<N> kFields[] = {
    {"layers", {"num_layers", "block_count"}, &N::layers, {1, 100}},
    {"heads", {"num_heads", "head_count"}, &N::heads, {1, 16}, 4.0},
    {"groups", {"num_groups", "group_count"}, &N::groups, {1, 16}, +[](const N& n) { return n.heads / 2; }},
    {"rows", {}, &N::rows, {1, 50}},
    {"epsilon", {"eps", "eps"}, &N::epsilon, {0, 1}, 1e-6},
    {"activation", {"act", "act"}, &N::activation, {}, "silu"},
};
constexpr HyperTable<N> kTable("toy", kFields);

class ToyCheckpoint final : public Checkpoint {
 public:
  std::string form = "safetensors";
  std::map<std::string, double, std::less<>> values;
  std::map<std::string, std::string, std::less<>> texts;
  std::vector<SourceTensor> held;

  std::string_view format() const override { return form; }
  std::string architecture() const override { return "toy"; }
  std::span<const SourceTensor> tensors() const override { return held; }
  std::optional<std::string> text(std::string_view key) const override {
    const auto at = texts.find(key);
    return at == texts.end() ? std::nullopt : std::optional(at->second);
  }
  std::optional<int64_t> integer(std::string_view key) const override {
    const auto value = number(key);
    return value ? std::optional(static_cast<int64_t>(*value)) : std::nullopt;
  }
  std::optional<double> number(std::string_view key) const override {
    const auto at = values.find(key);
    return at == values.end() ? std::nullopt : std::optional(at->second);
  }
  std::vector<double> numbers(std::string_view) const override { return {}; }
  TokenizerSource tokenizer() const override { return {}; }
  std::optional<std::string> side_file(std::string_view) const override { return std::nullopt; }
  std::vector<std::filesystem::path> files() const override { return {}; }
};

std::map<std::string, std::string> planned(const ToyCheckpoint& checkpoint, int64_t rows = 7) {
  N numbers = kTable.read(ConfigReader(checkpoint));
  numbers.rows = rows;
  std::map<std::string, std::string> config;
  kTable.write(numbers, config);
  return config;
}

}  // namespace

TEST_CASE("hyper-parameters go from a checkpoint to a pack and come back, with defaults for those it lacks") {
  ToyCheckpoint folder;
  folder.values = {{"num_layers", 3}, {"num_heads", 8}, {"eps", 1e-5}};
  ToyPack pack;
  pack.entries = planned(folder);
  CHECK(pack.entries == std::map<std::string, std::string>{{"toy.layers", "3"},
                                                           {"toy.heads", "8"},
                                                           {"toy.groups", "4"},
                                                           {"toy.rows", "7"},
                                                           {"toy.epsilon", "1e-05"},
                                                           {"toy.activation", "silu"}});
  const N read = kTable.read(pack);
  CHECK(read.layers == 3);
  CHECK(read.groups == 4);
  CHECK(read.rows == 7);
  CHECK(read.epsilon == 1e-5);
  CHECK(read.activation == "silu");

  ToyCheckpoint gguf;
  gguf.form = "gguf";
  gguf.values = {{"toy.block_count", 9}, {"toy.group_count", 1}};
  gguf.texts = {{"toy.act", "relu"}};
  CHECK(planned(gguf)["toy.layers"] == "9");
  CHECK(planned(gguf)["toy.heads"] == "4");
  CHECK(planned(gguf)["toy.groups"] == "1");
  CHECK(planned(gguf)["toy.epsilon"] == "1e-06");
  CHECK(planned(gguf)["toy.activation"] == "relu");
}

TEST_CASE("the error for a hyper-parameter out of bounds gives its key in the file and the bounds") {
  ToyCheckpoint folder;
  CHECK_THROWS_WITH_AS(planned(folder), "the configuration lacks 'num_layers'", Error);
  folder.values = {{"num_layers", 101}};
  CHECK_THROWS_WITH_AS(planned(folder), "'num_layers' is 101, outside [1, 100]", Error);
  folder.values = {{"num_layers", 3}, {"eps", 2}};
  CHECK_THROWS_WITH_AS(planned(folder), "'eps' is 2, outside [0, 1]", Error);
  folder.values = {{"num_layers", 3}};
  CHECK_THROWS_WITH_AS(planned(folder, 51), "'rows' is 51, outside [1, 50]", Error);

  const std::map<std::string, std::string> good = planned(folder);
  const std::array<std::array<std::string, 3>, 4> cases{
      {{"toy.layers", "0", "config key 'toy.layers' is '0', expected an integer from 1 to 100"},
       {"toy.rows", "51", "config key 'toy.rows' is '51', expected an integer from 1 to 50"},
       {"toy.epsilon", "1.5", "config key 'toy.epsilon' is '1.5', expected a number from 0 to 1"},
       {"toy.epsilon", "nan", "config key 'toy.epsilon' is 'nan', expected a number from 0 to 1"}}};
  for (const auto& [key, value, message] : cases) {
    ToyPack pack;
    pack.entries = good;
    pack.entries[key] = value;
    CHECK_THROWS_WITH_AS(kTable.read(pack), message.c_str(), Error);
    pack.entries.erase(key);
    CHECK_THROWS_WITH_AS(kTable.read(pack), ("config key '" + key + "' is missing").c_str(), Error);
  }
}

TEST_CASE("a part of a configuration is read under its prefix, which errors give, too") {
  ToyCheckpoint folder;
  folder.values = {{"tower.num_layers", 5}, {"num_layers", 3}};
  CHECK(kTable.read(ConfigReader(folder, "tower.")).layers == 5);
  folder.values["tower.num_layers"] = 101;
  CHECK_THROWS_WITH_AS(kTable.read(ConfigReader(folder, "tower.")), "'tower.num_layers' is 101, outside [1, 100]",
                       Error);
}

TEST_CASE("filters of a convolution are the rows of a linear layer, and a vector may be a matrix of one row") {
  const auto fits = [](const Shape& source, const Shape& planned, TensorRole role) {
    return has_planned_shape({"w", SourceType::f32, source, {}}, {"w", {}, role, planned});
  };
  const auto linear = TensorRole::linear, vector = TensorRole::vector;
  CHECK(fits({40, 3, 8, 8}, {40, 192}, linear));
  CHECK_FALSE(fits({40, 3, 8, 7}, {40, 192}, linear));
  CHECK_FALSE(fits({20, 6, 8, 8}, {40, 192}, linear));
  CHECK_FALSE(fits({40, 24, 8}, {40, 192}, linear));
  CHECK_FALSE(fits({40, 3, 8, 8}, {40, 192}, TensorRole::embedding));
  CHECK(fits({1, 7}, {7}, vector));
  CHECK(fits({7}, {1, 7}, vector));
  CHECK_FALSE(fits({7}, {7, 1}, vector));
  CHECK_FALSE(fits({8}, {1, 7}, vector));
}

TEST_CASE("a tensor table gives every tensor its name in the pack and its possible names in checkpoints") {
  TensorTable table({"", "toy."});
  table.embedding({"words", "embed", "token_embd"}, 7, 4);
  table.optional_vector({"divisors", "", "freqs"}, 2);
  table.enter({"layers.0.", "layer.0.", "blk.0."});
  table.linear({"q", "query", "attn_q"}, 8, 4, TensorTable::Bias::optional, 2);
  table.enter();
  table.norm({"norm", "ln", "output_norm"}, 4, TensorTable::Bias::required);
  const std::vector<TensorSpec> tensors = std::move(table).take();
  REQUIRE(tensors.size() == 6);
  const auto check = [&](size_t i, const std::string& name, const std::vector<std::string>& sources, TensorRole role,
                         const Shape& shape, bool optional, int64_t heads) {
    CHECK(tensors[i].name == name);
    CHECK(tensors[i].source_names == sources);
    CHECK(tensors[i].role == role);
    CHECK(tensors[i].shape == shape);
    CHECK(tensors[i].optional == optional);
    CHECK(tensors[i].unpermute_heads == heads);
  };
  check(0, "words", {"embed.weight", "toy.embed.weight", "token_embd.weight"}, TensorRole::embedding, {7, 4}, false, 0);
  check(1, "divisors", {"freqs.weight"}, TensorRole::vector, {2}, true, 0);
  check(2, "layers.0.q.weight", {"layer.0.query.weight", "toy.layer.0.query.weight", "blk.0.attn_q.weight"},
        TensorRole::linear, {8, 4}, false, 2);
  check(3, "layers.0.q.bias", {"layer.0.query.bias", "toy.layer.0.query.bias", "blk.0.attn_q.bias"}, TensorRole::vector,
        {8}, true, 2);
  check(4, "norm.weight", {"ln.weight", "toy.ln.weight", "output_norm.weight"}, TensorRole::vector, {4}, false, 0);
  check(5, "norm.bias", {"ln.bias", "toy.ln.bias", "output_norm.bias"}, TensorRole::vector, {4}, false, 0);
}

TEST_CASE("the rows of a table come from the checkpoint; the error for a missing one names the tensor") {
  const TensorTable table({"", "toy."});
  ToyCheckpoint checkpoint;
  CHECK_THROWS_WITH_AS(table.rows_in(checkpoint, {"", "embed", "token_embd"}),
                       "the checkpoint lacks the tensor 'embed.weight'", Error);
  checkpoint.form = "gguf";
  CHECK_THROWS_WITH_AS(table.rows_in(checkpoint, {"", "embed", "token_embd"}),
                       "the checkpoint lacks the tensor 'token_embd.weight'", Error);
  checkpoint.held = {{"toy.embed.weight", SourceType::f32, Shape{30, 4}, {}}};
  CHECK(table.rows_in(checkpoint, {"", "embed", "token_embd"}) == 30);
}
