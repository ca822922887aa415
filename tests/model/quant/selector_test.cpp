// Tests the selector on the tiny models of tests/golden, and on one whose weights have a low rank.
#include "model/quant/selector.h"
#include "model/arch/registry.h"
#include "model/format/pack.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>

#include "base/file.h"
#include "base/thread_pool.h"
#include "memory/budget.h"
#include "model/nn/embedder.h"
#include "model/quant/quantize.h"
#include "model/quant/quantize_report.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace frugal {
namespace {

using namespace testing;
namespace fs = std::filesystem;

struct ModelCopy {
  TempFolder folder;
  fs::path source = folder / "source", output = folder / "m.pack";

  explicit ModelCopy(const std::string& golden) {
    fs::copy(fs::path(FRUGAL_SOURCE_DIR) / "tests/golden" / golden, source, fs::copy_options::recursive);
  }
  QuantizeOptions options(AutoTarget target = AutoTarget::size) const {
    QuantizeOptions options;
    options.input = fs::exists(source / "model.gguf") ? source / "model.gguf" : source;
    options.output = output;
    options.precision = Precision::automatic;
    options.auto_target = target;
    options.threads = 2;
    options.max_ram_bytes = uint64_t(8) << 30;
    return options;
  }
  QuantizeResult run(AutoTarget target = AutoTarget::size) const { return Quantizer(options(target)).run(); }
};

const TensorCandidates& tensor_of(const Selection& selection, std::string_view name) {
  for (const TensorCandidates& tensor : selection.tensors)
    if (tensor.spec.name == name) return tensor;
  FAIL("no tensor ", std::string(name));
  return selection.tensors.front();
}

// Writes an encoder that is large enough for factors to save bytes (they are padded to 16 outputs and 32 inputs), with
// the vocabulary of the golden one. Each linear weight is a product of two random matrices of this rank.
void write_thin_encoder(const fs::path& folder, int rank) {
  constexpr size_t kHidden = 128, kIntermediate = 256, kPositions = 64;
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  nlohmann::json header = nlohmann::json::object();
  std::string data;
  const auto add = [&](const std::string& name, std::vector<size_t> shape, const std::vector<float>& values) {
    const size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    header[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {begin, data.size()}}};
  };
  const auto noise = [&](size_t count, float scale) {
    std::vector<float> values(count);
    for (float& value : values) value = scale * normal(random);
    return values;
  };
  const auto thin = [&](size_t outputs, size_t inputs) {
    const auto width = static_cast<size_t>(rank);
    const std::vector<float> u = noise(outputs * width, 0.3f), v = noise(width * inputs, 0.3f);
    std::vector<float> w(outputs * inputs);
    for (size_t o = 0; o < outputs; ++o)
      for (size_t k = 0; k < width; ++k)
        for (size_t i = 0; i < inputs; ++i) w[o * inputs + i] += u[o * width + k] * v[k * inputs + i];
    return w;
  };
  const auto linear = [&](const std::string& name, size_t outputs, size_t inputs) {
    add(name + ".weight", {outputs, inputs}, thin(outputs, inputs));
    add(name + ".bias", {outputs}, noise(outputs, 0.1f));
  };
  const auto norm = [&](const std::string& name) {
    add(name + ".weight", {kHidden}, std::vector<float>(kHidden, 1.0f));
    add(name + ".bias", {kHidden}, noise(kHidden, 0.1f));
  };
  const std::string vocabulary = read_file(folder / "vocab.txt");
  const auto words = static_cast<size_t>(std::count(vocabulary.begin(), vocabulary.end(), '\n'));
  add("embeddings.word_embeddings.weight", {words, kHidden}, noise(words * kHidden, 1));
  add("embeddings.position_embeddings.weight", {kPositions, kHidden}, noise(kPositions * kHidden, 0.3f));
  add("embeddings.token_type_embeddings.weight", {2, kHidden}, noise(2 * kHidden, 0.3f));
  norm("embeddings.LayerNorm");
  const std::string at = "encoder.layer.0.";
  for (const char* name :
       {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"})
    linear(at + name, kHidden, kHidden);
  linear(at + "intermediate.dense", kIntermediate, kHidden);
  linear(at + "output.dense", kHidden, kIntermediate);
  norm(at + "attention.output.LayerNorm");
  norm(at + "output.LayerNorm");

  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t header_bytes = text.size();
  write_file(folder / "model.safetensors",
             std::string(reinterpret_cast<const char*>(&header_bytes), sizeof header_bytes) + text + data);
  auto config = nlohmann::json::parse(read_file(folder / "config.json"));
  config["hidden_size"] = kHidden;
  config["num_hidden_layers"] = 1;
  config["intermediate_size"] = kIntermediate;
  config["vocab_size"] = words;
  write_file(folder / "config.json", config.dump());
}

// Rounds every weight of a safetensors file in fp32 to one that fp16 holds exactly.
void make_exact_in_f16(const fs::path& file) {
  constexpr uint32_t kBitsOfF16 = 0xffffe000;
  constexpr float kSmallestNormal = 6.2e-5f;
  std::string bytes = read_file(file);
  uint64_t header_bytes;
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  for (size_t at = sizeof header_bytes + header_bytes; at < bytes.size(); at += sizeof(float)) {
    uint32_t bits;
    std::memcpy(&bits, &bytes[at], sizeof bits);
    bits &= kBitsOfF16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    if (std::fabs(value) < kSmallestNormal) value = 0;
    std::memcpy(&bytes[at], &value, sizeof value);
  }
  write_file(file, bytes);
}

TEST_CASE("the selector's pack keeps the limit, and its report has every candidate with its figures and a verdict") {
  const ModelCopy model("bert");
  QuantizeOptions options = model.options();
  Quantizer quantizer(std::move(options));
  const QuantizeResult result = quantizer.run();
  REQUIRE(result.selection);
  REQUIRE(result.verification);
  CHECK(result.verification->loss <= result.selection->loss_limit);
  CHECK(result.selection->loss_limit <= kLossTarget);
  Pack(model.output).verify();

  const auto report = nlohmann::json::parse(report_json(quantizer, &result));
  CHECK(report["selection"]["tensors"].size() == result.selection->tensors.size());
  for (const auto& tensor : report["selection"]["tensors"]) {
    int chosen = 0;
    for (const auto& candidate : tensor["candidates"]) {
      chosen += candidate["chosen"].get<bool>() ? 1 : 0;
      CHECK(candidate["bytes"] > 0);
      CHECK(candidate["weight_error"].is_number());
      CHECK_FALSE(candidate["verdict"].get<std::string>().empty());
    }
    CHECK(chosen == 1);
  }
  CHECK(contains(report_html(quantizer, &result), "low_rank"));
}

TEST_CASE("a choice is never larger than int8 if int8 keeps the limit on the loss") {
  const ModelCopy model("bert");
  const QuantizeResult result = model.run();
  REQUIRE(result.selection->int8.loss <= kLossTarget);
  CHECK(result.selection->tensor_bytes <= result.selection->int8_tensor_bytes);
  CHECK(result.selection->chosen.loss <= result.selection->loss_limit);
  CHECK(result.verification->loss == result.selection->chosen.loss);
}

TEST_CASE("the selector chooses for an encoder-decoder by what it writes") {
  for (const char* golden : {"t5", "bart"}) {
    CAPTURE(golden);
    const ModelCopy model(golden);
    const QuantizeResult result = model.run();
    REQUIRE(result.verification);
    CHECK(result.verification->kind == ModelKind::encoder_decoder);
    CHECK(result.verification->loss <= result.selection->loss_limit);
    CHECK(tensor_of(*result.selection, "decoder.0.cross_k.weight").choice().weight_error.has_value());
    Pack(model.output).verify();
  }
}

TEST_CASE("the selector chooses for both towers of a model of texts and images") {
  const ModelCopy model("clip");
  const QuantizeResult result = model.run();
  REQUIRE(result.verification);
  CHECK(result.verification->kind == ModelKind::image_embedder);
  CHECK(result.verification->loss <= result.selection->loss_limit);
  for (const char* name : {"text.layers.0.q.weight", "image.patches.weight", "image.projection.weight"})
    CHECK(tensor_of(*result.selection, name).choice().weight_error.has_value());
  Pack(model.output).verify();
}

TEST_CASE("a source in fp16 is not kept as it is only because that is without loss") {
  const ModelCopy model("bert");
  make_exact_in_f16(model.source / "model.safetensors");
  const QuantizeResult result = model.run();
  CHECK(tensor_of(*result.selection, "layers.0.q.weight").find(CandidateKind::fp16)->weight_error == 0.0);
  CHECK(result.selection->tensor_bytes <= result.selection->int8_tensor_bytes);
}

TEST_CASE("the report has the error of every tensor that the selector chose") {
  const ModelCopy model("bert");
  QuantizeOptions options = model.options();
  options.measure_error = true;
  Quantizer quantizer(std::move(options));
  const QuantizeResult result = quantizer.run();
  REQUIRE(result.errors.size() == quantizer.tensors().jobs.size());
  for (const TensorCandidates& tensor : result.selection->tensors)
    for (size_t i = 0; i < result.errors.size(); ++i)
      if (quantizer.tensors().jobs[i].spec.name == tensor.spec.name)
        CHECK(result.errors[i].relative_rms == tensor.choice().weight_error.value());
}

TEST_CASE("a plan says that it is provisional until the selector has measured") {
  const ModelCopy model("bert");
  Quantizer quantizer(model.options());
  CHECK(contains(plan_text(quantizer), "provisional: auto chooses when it has measured; these are the types of int8"));
  CHECK(nlohmann::json::parse(report_json(quantizer, nullptr))["provisional"].is_string());
  const QuantizeResult result = quantizer.run();
  CHECK(nlohmann::json::parse(report_json(quantizer, &result))["provisional"].is_null());
}

TEST_CASE("a layer's measured error follows its precision") {
  const ModelCopy model("bert");
  const QuantizeResult result = model.run();
  const TensorCandidates& tensor = tensor_of(*result.selection, "layers.1.up.weight");
  const auto error = [&](CandidateKind kind) { return tensor.find(kind)->output_error.value(); };
  CHECK(error(CandidateKind::int4) > 3 * error(CandidateKind::int8));
  CHECK(error(CandidateKind::int8) > 3 * error(CandidateKind::fp16));
  CHECK(error(CandidateKind::fp32) == 0);
  CHECK(tensor.find(CandidateKind::int8)->decode_us.value() > 0);
}

TEST_CASE("the pack is the same on any number of threads and in every run") {
  for (const char* golden : {"bert", "llama"}) {
    const ModelCopy model(golden);
    std::string first;
    for (const int threads : {1, 2, 3}) {
      QuantizeOptions options = model.options();
      options.threads = threads;
      options.force = true;
      Quantizer(std::move(options)).run();
      const std::string bytes = read_file(model.output);
      if (first.empty()) first = bytes;
      INFO(golden, " on ", threads, " threads");
      CHECK(bytes == first);
    }
  }
}

TEST_CASE("a second run finds the pack up to date, and another target is another recipe") {
  const ModelCopy model("bert");
  model.run();
  Quantizer again(model.options());
  const QuantizeResult result = again.run();
  CHECK(result.up_to_date);
  const Pack pack(model.output);
  for (const TensorJob& job : again.tensors().jobs) CHECK(job.dtype == pack.require(job.spec.name).dtype);
  CHECK(model.run(AutoTarget::quality).reason == "the recipe changed");
  QuantizeOptions calibrated = model.options(AutoTarget::quality);
  calibrated.calibration_texts = {"The law of the court."};
  CHECK(Quantizer(std::move(calibrated)).run().reason == "the recipe changed");
}

TEST_CASE("the target quality takes no more bytes than int8, at no larger loss") {
  const ModelCopy model("bert");
  const QuantizeResult result = model.run(AutoTarget::quality);
  CHECK(result.selection->tensor_bytes <= result.selection->int8_tensor_bytes);
  CHECK(result.selection->chosen.loss <= result.selection->int8.loss);
}

TEST_CASE("the source's own 4-bit groups are kept, since no candidate is smaller or more accurate") {
  const ModelCopy model("llama-gguf");
  Quantizer quantizer(model.options());
  const QuantizeResult result = quantizer.run();
  for (const TensorCandidates& tensor : result.selection->tensors)
    if (tensor.source->type == SourceType::q4_1) CHECK(tensor.find(CandidateKind::int4)->weight_error == 0.0);
  CHECK(result.verification->passed());
}

TEST_CASE("the selector does not choose for tensors that a rule names") {
  const ModelCopy model("bert");
  QuantizeOptions options = model.options();
  options.rules.push_back(parse_rule("layers\\.0\\.q=fp16"));
  const QuantizeResult result = Quantizer(std::move(options)).run();
  CHECK(Pack(model.output).require("layers.0.q.weight").dtype == DType::linear_f16);
  CHECK(contains(tensor_of(*result.selection, "layers.0.q.weight").choice().verdict, "--tensor-type"));
}

TEST_CASE("a weight of low rank is stored as two factors, and the model gives nearly the same vectors") {
  const ModelCopy model("bert");
  write_thin_encoder(model.source, 4);
  const QuantizeResult result = model.run();
  const StorageOption& choice = tensor_of(*result.selection, "layers.0.up.weight").choice();
  CHECK(choice.kind == CandidateKind::low_rank);
  CHECK((choice.rank > 0 && choice.rank <= 4));
  CHECK(result.verification->passed());

  const Pack pack(model.output);
  CHECK(pack.require("layers.0.up.weight.v").shape == Shape{choice.rank, 128});
  CHECK(pack.require("layers.0.up.weight.u").shape == Shape{256, choice.rank});
  CHECK_FALSE(pack.find("layers.0.up.weight"));
  CHECK(pack.find("layers.0.q.weight.v"));  // one of a group that shares its input
  Quantizer again(model.options());
  CHECK(again.run().up_to_date);
  CHECK(again.tensor_bytes() == [&] {
    uint64_t bytes = 0;
    for (const PackTensor& tensor : pack.tensors()) bytes += tensor.data.size() + tensor.scales.size_bytes();
    return bytes;
  }());

  // Compares with the whole weights in full precision.
  QuantizeOptions full = model.options();
  full.precision = Precision::fp32;
  full.output = model.folder / "full.pack";
  Quantizer(std::move(full)).run();
  const Pack whole(model.folder / "full.pack");
  ThreadPool pool(1);
  const auto ops = make_cpu_ops(pool, Budget::unlimited());
  const auto thin_embedder = open_embedder(pack, *ops), whole_embedder = open_embedder(whole, *ops);
  std::vector<float> a(128), b(128);
  const std::string_view text = "the law of the court";
  thin_embedder->embed(std::span(&text, 1), TextRole::passage, a);
  whole_embedder->embed(std::span(&text, 1), TextRole::passage, b);
  double dot = 0;
  for (size_t i = 0; i < a.size(); ++i) dot += double(a[i]) * double(b[i]);
  CHECK(dot > 0.98);
}

TEST_CASE("if no choice stays near full precision, nothing is published and no file is left") {
  // Random weights of this size amplify the rounding to 4 bits beyond any bound, and the rule leaves no other choice.
  const ModelCopy model("llama");
  QuantizeOptions options = model.options();
  options.rules.push_back(parse_rule("layers=int4"));
  const auto error = error_of([&] { Quantizer(std::move(options)).run(); });
  REQUIRE(error);
  CHECK(error->code() == Code::verify_failed);
  for (const auto& entry : fs::directory_iterator(model.folder.path()))
    CHECK((entry.path() == model.source || entry.path().filename() == ".m.pack.lock"));
}

}  // namespace
}  // namespace frugal
