// What stands behind the encoder of an embedder: the modules of sentence-transformers, and truncated vectors.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/thread_pool.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "model/format/pack.h"
#include "model/heads/encoder_embedder.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace frugal {
namespace {

using namespace testing;
namespace fs = std::filesystem;

const fs::path kGolden = kRoot / "tests/golden";

// tests/golden/bert-dense with a text of one of its files replaced.
struct DenseModel {
  DenseModel() : path(folder / "model") { fs::copy(kGolden / "bert-dense", path, fs::copy_options::recursive); }
  DenseModel& replace(const char* file, const std::string& from, const std::string& to) {
    std::string text = read_file(path / file);
    const size_t at = text.find(from);
    REQUIRE_MESSAGE(at != text.npos, from);
    write_file(path / file, text.replace(at, from.size(), to));
    return *this;
  }
  std::string error() const {
    return message_of([&] {
      QuantizeOptions options;
      options.input = path;
      options.output = folder / "model.pack";
      options.max_ram_bytes = uint64_t{4} << 30;  // a sanitizer's shadow counts too
      Quantizer(std::move(options)).run();
    });
  }

  TempFolder folder;
  fs::path path;
};

TEST_CASE("a dense layer that does not fit is an error that names its file and field") {
  struct Case {
    const char *file, *from, *to, *message;
  };
  for (const Case& damage :
       {Case{"2_Dense/config.json", "activation.Tanh", "activation.Odd",
             "2_Dense/config.json: unknown 'activation_function' 'torch.nn.modules.activation.Odd'"},
        {"2_Dense/config.json", "\"in_features\": 32", "\"in_features\": 33",
         "2_Dense/config.json: 'in_features' is 33, the layer before it gives 32"},
        {"3_Dense/config.json", "\"out_features\": 24", "\"out_features\": 25",
         "'3_Dense/linear.weight' is [24, 48], 3_Dense/config.json says [25, 48]"},
        {"3_Dense/config.json", "\"out_features\": 24", "\"out_features\": 9000000000",
         "3_Dense/config.json: 'out_features' is 9000000000, outside [1, 1048576]"},
        {"3_Dense/config.json", "\"out_features\": 24", "\"out_features\": -1", "'out_features' is -1, outside"},
        {"3_Dense/config.json", "\"out_features\"", "\"outs\"", "3_Dense/config.json: 'out_features' is missing"},
        {"3_Dense/config.json", "\"bias\": false", "\"bias\": true", "no tensor '3_Dense/linear.bias'"},
        {"2_Dense/config.json", "{", "{\"use_residual\": true, ", "2_Dense/config.json: 'use_residual' is set"},
        {"2_Dense/config.json", "{", "{\"module_input_name\": \"token_embeddings\", ",
         "2_Dense/config.json: 'module_input_name' is 'token_embeddings'"},
        {"modules.json", "models.Pooling", "models.WordWeights",
         "modules.json: modules of type 'WordWeights' are not supported"},
        {"modules.json", "\"path\": \"2_Dense\", \"type\": \"sentence_transformers.models.Dense\"",
         "\"path\": \"\", \"type\": \"sentence_transformers.models.Normalize\"", "'Dense' behind 'Normalize'"},
        {"modules.json", "\"2_Dense\"", "\"../2_Dense\"", "modules.json': the path '../2_Dense' of module 2 leads out"},
        {"modules.json", "[", "", "modules.json' is not a JSON list"},
        {"modules.json", "\"type\": \"sentence_transformers.models.Dense\"", "\"kind\": 3",
         "modules.json': module 2 has no 'type'"}}) {
    CAPTURE(damage.message);
    const std::string error = DenseModel().replace(damage.file, damage.from, damage.to).error();
    CHECK_MESSAGE(contains(error, damage.message), error);
  }
}

TEST_CASE("the missing files of a dense layer are named") {
  DenseModel weights, config;
  fs::remove(weights.path / "3_Dense/pytorch_model.bin");
  CHECK(contains(weights.error(), "the folder '3_Dense' has no 'linear.weight'"));
  fs::remove(config.path / "2_Dense/config.json");
  CHECK(contains(config.error(), "'2_Dense/config.json' is missing"));
}

TEST_CASE("the files of a dense layer are part of a pack's identity") {
  const auto files = open_checkpoint(kGolden / "bert-dense")->files();
  for (const char* name : {"2_Dense/config.json", "2_Dense/model.safetensors", "3_Dense/pytorch_model.bin"})
    CHECK_MESSAGE(std::count(files.begin(), files.end(), kGolden / "bert-dense" / name) == 1, name);
}

// --- batches -------------------------------------------------------------------------------------------------------

// Counts forward passes: each looks its words up once.
class CountPasses final : public ForwardingOps {
 public:
  explicit CountPasses(Ops& inner) : ForwardingOps(&inner) {}
  using ForwardingOps::embed;
  void embed(ConstView table, std::span<const float> scales, std::span<const int32_t> ids, View out,
             bool accumulate) override {
    passes.push_back(ids.size());
    ForwardingOps::embed(table, scales, ids, out, accumulate);
  }
  std::vector<size_t> passes;  // tokens of each
};

TEST_CASE("short texts share a pass, also in a model that takes long ones") {
  const TempFolder folder;
  fs::copy(kGolden / "qwen3-embedder", folder / "model", fs::copy_options::recursive);
  write_file(folder / "model/sentence_bert_config.json", R"({"max_seq_length": 1024})");
  ThreadPool threads(1);
  const auto native = make_cpu_ops(threads, Budget::unlimited());
  CountPasses ops(*native);
  const auto source = open_checkpoint_source(folder / "model", "identity");
  const auto embedder = open_embedder(*source, ops);
  REQUIRE(embedder->max_tokens() == 1024);
  const auto passes = [&](std::span<const std::string_view> texts) {
    std::vector<float> vectors(texts.size() * 32), alone(32);
    ops.passes.clear();
    embedder->embed(texts, TextRole::passage, vectors);
    const std::vector<size_t> counted = ops.passes;
    for (size_t i = 0; i < texts.size(); ++i) {
      embedder->embed(texts.subspan(i, 1), TextRole::passage, alone);
      CHECK(max_difference(alone, std::span(vectors).subspan(i * 32, 32)) < 1e-5);
    }
    return counted;
  };
  const std::string page(4000, 'z');  // more than one pass holds, so it is cut
  CHECK(passes(std::vector<std::string_view>(20, "x")) == std::vector<size_t>{40});
  CHECK(passes(std::vector<std::string_view>{"x", page, "x", "x"}) == std::vector<size_t>{2, 1024, 4});
  CHECK(passes({}).empty());
  const std::vector<size_t> many = passes(std::vector<std::string_view>(1000, "x"));
  CHECK(many == std::vector<size_t>{1024, 976});
}

// --- truncated vectors ---------------------------------------------------------------------------------------------

struct OpenPack {
  OpenPack(const fs::path& checkpoint, std::optional<int64_t> dimensions) {
    QuantizeOptions options;
    options.input = checkpoint;
    options.output = folder / "model.pack";
    options.precision = Precision::fp32;
    options.plan.dimensions = dimensions;
    options.max_ram_bytes = uint64_t{4} << 30;
    Quantizer(std::move(options)).run();
    pack.emplace(folder / "model.pack");
    embedder = open_embedder(*pack, *ops);
  }
  std::vector<float> embed(std::string_view text) const {
    std::vector<float> vector(static_cast<size_t>(embedder->dimension()));
    embedder->embed(std::span(&text, 1), TextRole::passage, vector);
    return vector;
  }
  TempFolder folder;
  ThreadPool threads{1};
  std::unique_ptr<Ops> ops = make_cpu_ops(threads, Budget::unlimited());
  std::optional<Pack> pack;
  std::unique_ptr<Embedder> embedder;
};

TEST_CASE("a truncated vector is the first values of the whole one, at unit length") {
  for (const char* golden : {"bert", "bert-dense", "qwen3-embedder"}) {
    CAPTURE(golden);
    const OpenPack whole(kGolden / golden, {}), part(kGolden / golden, 10);
    REQUIRE(part.embedder->dimension() == 10);
    CHECK(part.embedder->fingerprint() != whole.embedder->fingerprint());
    std::vector<float> expected = whole.embed("the law of the court"), got = part.embed("the law of the court");
    expected.resize(10);
    double squares = 0;
    for (const float value : expected) squares += double(value) * double(value);
    for (float& value : expected) value = static_cast<float>(double(value) / std::sqrt(squares));
    CHECK(max_difference(got, expected) < 1e-6);
  }
}

TEST_CASE("a checkpoint in full precision truncates as the pack that was made of it") {
  const OpenPack part(kGolden / "bert", 10);
  CHECK(read_truncation(*part.pack) == 10);
  const auto source = open_checkpoint_source(kGolden / "bert", "identity", {.dimensions = read_truncation(*part.pack)});
  const auto embedder = open_embedder(*source, *part.ops);
  REQUIRE(embedder->dimension() == 10);
  std::vector<float> vector(10);
  const std::string_view text = "the law of the court";
  embedder->embed(std::span(&text, 1), TextRole::passage, vector);
  CHECK(max_difference(vector, part.embed(text)) < 1e-6);
  CHECK(read_truncation(*OpenPack(kGolden / "bert", {}).pack) == std::nullopt);
}

TEST_CASE("the number of dimensions is one that the model has, and it is an embedder's") {
  const auto error = [](const char* golden, int64_t dimensions) {
    return message_of([&] { plan_model(*open_checkpoint(kGolden / golden), {.dimensions = dimensions}); });
  };
  CHECK(contains(error("bert", 0), "--dimensions is 0, and the model's vectors have 1 to 32"));
  CHECK(contains(error("bert", 33), "--dimensions is 33, and"));
  CHECK(contains(error("bert-dense", 25), "--dimensions is 25, and the model's vectors have 1 to 24"));
  CHECK(error("bert-dense", 24) == "no error");
  CHECK(contains(error("llama", 8), "--dimensions is for embedders, and this model is a decoder"));
}

}  // namespace
}  // namespace frugal
