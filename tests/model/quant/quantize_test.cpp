#include "model/quant/quantize.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <future>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"
#include "memory/budget.h"
#include "model/format/pack.h"
#include "model/quant/pack_check.h"
#include "model/quant/quantize_report.h"
#include "model/verify/made_images.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace frugal {
namespace {

using namespace testing;
namespace fs = std::filesystem;

// Tiny models with random weights (scripts/make_goldens.py), copied so that a test may change them.
struct ModelCopy {
  TempFolder folder;
  fs::path source, output = folder / "m.pack";

  explicit ModelCopy(const std::string& golden) : source(folder / "source") {
    fs::copy(fs::path(FRUGAL_SOURCE_DIR) / "tests/golden" / golden, source, fs::copy_options::recursive);
  }
  QuantizeOptions options(std::optional<Precision> precision = {}) const {
    QuantizeOptions options;
    options.input = fs::exists(source / "model.gguf") ? source / "model.gguf" : source;
    options.output = output;
    options.precision = precision;
    options.threads = 2;
    options.max_ram_bytes = uint64_t(8) << 30;  // sanitizers hold much memory of their own
    return options;
  }
  QuantizeResult run(std::optional<Precision> precision = {}) const { return Quantizer(options(precision)).run(); }
  std::vector<std::string> files_beside() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder.path()))
      if (entry.path() != source) names.push_back(entry.path().filename().native());
    std::sort(names.begin(), names.end());
    return names;
  }
};

TEST_CASE("a full-precision encoder becomes int8, with its tokenizer and provenance") {
  const ModelCopy model("bert");
  const QuantizeResult result = model.run();
  CHECK_FALSE(result.up_to_date);
  CHECK(result.reason == "new");
  const Pack pack(model.output);
  pack.verify();
  CHECK(pack.file_bytes() == result.pack_bytes);
  CHECK(pack.require("layers.0.q.weight").dtype == DType::linear_i8);
  CHECK(pack.require("layers.0.q.weight").role == TensorRole::linear);
  CHECK(pack.require("embeddings.word").dtype == DType::i8);
  CHECK(pack.require("layers.0.q.bias").dtype == DType::f32);
  CHECK_FALSE(pack.blob("tokenizer").empty());
  CHECK(pack.require_text("provenance.recipe") == "dtype=int8");
  CHECK(contains(pack.require_text("provenance.sources"), " model.safetensors\n"));
  CHECK(contains(pack.require_text("provenance.sources"), " 1_Pooling/config.json\n"));
  CHECK(pack.identity() == result.identity);
  CHECK(model.files_beside() == std::vector<std::string>{".m.pack.lock", "m.pack"});
}

TEST_CASE("a model from safetensors has the same weights as from GGUF, rotary rows included") {
  const ModelCopy folder("llama"), gguf("llama-gguf");
  folder.run(Precision::fp32);
  gguf.run(Precision::fp32);
  const Pack a(folder.output), b(gguf.output);
  for (const std::string name : {"layers.0.q.weight", "layers.1.k.weight", "layers.1.down.weight"}) {
    const PackTensor left = a.require(name), right = b.require(name);
    INFO(name);
    CHECK(left.shape == right.shape);
    CHECK(std::ranges::equal(left.data, right.data));
  }
}

TEST_CASE("the same source and recipe need no work") {
  const ModelCopy model("bert");
  model.run();
  const auto written = fs::last_write_time(model.output);
  const QuantizeResult again = model.run();
  CHECK(again.up_to_date);
  CHECK_FALSE(again.source_hashed);
  CHECK(fs::last_write_time(model.output) == written);
  CHECK(model.run(Precision::int8).up_to_date);  // the default, given explicitly
}

TEST_CASE("a source with a new modification time is hashed once, and its pack is still up to date") {
  const ModelCopy model("bert");
  model.run();
  fs::last_write_time(model.source / "model.safetensors", fs::file_time_type::clock::now());
  const QuantizeResult touched = model.run();
  CHECK(touched.up_to_date);
  CHECK(touched.source_hashed);
  CHECK_FALSE(model.run().source_hashed);  // the stamp has the new time
}

TEST_CASE("a change of the source is noticed even if its size and modification time stay the same") {
  const ModelCopy model("bert");
  model.run();
  const fs::path file = model.source / "model.safetensors";
  const auto time = fs::last_write_time(file);
  std::string bytes = read_file(file);
  bytes[bytes.size() - 3] = static_cast<char>(bytes[bytes.size() - 3] ^ 1);
  write_file(file, bytes);
  fs::last_write_time(file, time);
  const QuantizeResult changed = model.run();
  CHECK_FALSE(changed.up_to_date);
  CHECK(changed.reason == "the source changed");
}

TEST_CASE("a source that changes while it is quantised gives no pack, whether it is replaced or rewritten") {
  for (const bool replaced : {false, true}) {
    const ModelCopy model("bert");
    const fs::path file = model.source / "model.safetensors";
    const std::string before = read_file(file);
    std::string after = before;
    after[after.size() - 3] = static_cast<char>(after[after.size() - 3] ^ 1);
    QuantizeOptions options = model.options();
    options.progress = [&](std::string_view, uint64_t, uint64_t) {
      write_file(replaced ? model.folder / "new" : file, after);
      if (replaced) fs::rename(model.folder / "new", file);
    };
    Quantizer quantizer(std::move(options));
    const auto error = error_of([&] { quantizer.run(); });
    REQUIRE(error.has_value());
    CHECK(error->code() == Code::bad_input);
    CHECK(contains(error->message(), "changed while it was read"));
    CHECK_FALSE(fs::exists(model.output));
    CHECK(model.run().reason == "new");
    write_file(file, before);
    CHECK(model.run().reason == "the source changed");
  }
}

TEST_CASE("a source that is replaced after it was opened gives no pack") {
  const ModelCopy model("bert");
  Quantizer quantizer(model.options());
  const std::string bytes = read_file(model.source / "model.safetensors");
  fs::remove(model.source / "model.safetensors");
  write_file(model.source / "model.safetensors", bytes);
  CHECK_THROWS_WITH_AS(quantizer.run(), doctest::Contains("changed while it was read"), Error);
  CHECK_FALSE(fs::exists(model.output));
}

TEST_CASE("another recipe, --force or a damaged pack make the pack again, with the reason") {
  const ModelCopy model("bert");
  model.run();
  CHECK(model.run(Precision::int4).reason == "the recipe changed");
  QuantizeOptions force = model.options(Precision::int4);
  force.force = true;
  CHECK(Quantizer(std::move(force)).run().reason == "--force");

  const std::string whole = read_file(model.output);
  for (const size_t at : {size_t(0), size_t(70), whole.size() / 2, whole.size() - 1}) {
    std::string damaged = whole;
    // Padding between tensors has no content: step back to a byte that is not zero.
    size_t flipped = at;
    while (flipped > 0 && damaged[flipped] == 0) --flipped;
    damaged[flipped] = static_cast<char>(damaged[flipped] ^ 0x40);
    write_file(model.output, damaged);
    INFO("offset ", flipped);
    const QuantizeResult result = model.run(Precision::int4);
    CHECK(contains(result.reason, "the old pack cannot be used"));
    CHECK(read_file(model.output) == whole);
  }
  write_file(model.output, whole.substr(0, whole.size() / 2));
  CHECK(contains(model.run(Precision::int4).reason, "the old pack cannot be used"));
}

TEST_CASE("temporary files of a killed run are removed, and no other file") {
  const ModelCopy model("bert");
  write_file(model.folder / "m.pack.tmp.Ab12Cd", "half");
  write_file(model.folder / "m.pack.full.tmp.Ab12Cd", "half");
  write_file(model.folder / "other.pack.tmp.Ab12Cd", "not ours");
  write_file(model.folder / "m.pack.tmp.backup-of-mine", "not ours");
  fs::create_directory(model.folder / "m.pack.tmp.folder");
  model.run();
  CHECK(model.files_beside() == std::vector<std::string>{".m.pack.lock", "m.pack", "m.pack.tmp.backup-of-mine",
                                                         "m.pack.tmp.folder", "other.pack.tmp.Ab12Cd"});
}

TEST_CASE("a second writer of the same pack fails") {
  const ModelCopy model("bert");
  const FileLock other(lock_path(model.output));
  CHECK(contains(message_of([&] { model.run(); }), "in use by another process"));
  CHECK_FALSE(fs::exists(model.output));
}

TEST_CASE("a file that is not a pack is replaced only with --force") {
  ModelCopy model("bert");
  for (const char* name : {"notes.txt", "notes.pack"}) {
    model.output = model.folder / name;
    write_file(model.output, "years of work, and more of it");
    CHECK(contains(message_of([&] { model.run(); }), "exists and is not a pack"));
    CHECK(read_file(model.output) == "years of work, and more of it");
  }
  QuantizeOptions options = model.options();
  options.force = true;
  CHECK_FALSE(Quantizer(std::move(options)).run().up_to_date);
}

TEST_CASE("a link to a pack stays one, and a link at the place of the lock is not followed") {
  ModelCopy model("bert");
  fs::create_directory(model.folder / "packs");
  fs::create_symlink("packs/real.pack", model.output);
  model.run();
  CHECK(fs::is_symlink(model.output));
  CHECK(model.run().up_to_date);
  CHECK_NOTHROW(Pack(model.folder / "packs/real.pack"));
  model.output = model.folder / "other.pack";
  write_file(model.folder / "victim", "precious");
  fs::create_symlink("victim", lock_path(model.output));
  CHECK(contains(message_of([&] { model.run(); }), "cannot lock"));
  CHECK(read_file(model.folder / "victim") == "precious");
}

TEST_CASE("into a device or a FIFO a pack is copied whole, and nothing is left beside it") {
  ModelCopy model("bert");
  model.run();
  const std::string pack = read_file(model.output);
  const fs::path fifo = model.folder / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  auto reader = std::async(std::launch::async, [&] {
    const FileDescriptor fd(::open(fifo.c_str(), O_RDONLY));
    return read_to_end(fd);
  });
  fs::remove(model.output);
  fs::remove(lock_path(model.output));
  model.output = fifo;
  CHECK_FALSE(model.run().up_to_date);
  CHECK(reader.get() == pack);
  CHECK(fs::is_fifo(fifo));
  CHECK(model.files_beside() == std::vector<std::string>{"fifo"});
  model.output = "/dev/full";
  CHECK(contains(message_of([&] { model.run(); }), "cannot write '/dev/full'"));
}

TEST_CASE("an output that cannot be written is refused before any work") {
  ModelCopy model("bert");
  model.output = model.folder / "absent/m.pack";
  CHECK(contains(message_of([&] { model.run(); }), "there is no folder"));
  model.output = model.folder.path();
  CHECK(contains(message_of([&] { model.run(); }), "it is a folder"));
}

TEST_CASE("a memory limit below the present use is refused, and no file is left") {
  const ModelCopy model("bert");
  QuantizeOptions options = model.options();
  options.max_ram_bytes = 1;
  const auto error = error_of([&] { Quantizer(std::move(options)).run(); });
  REQUIRE(error);
  CHECK(error->code() == Code::over_budget);
  CHECK(model.files_beside() == std::vector<std::string>{".m.pack.lock"});
}

TEST_CASE("a pack near full precision passes verification and is published, with the figures") {
  const ModelCopy model("bert");
  QuantizeOptions options = model.options(Precision::fp16);
  options.verify = true;
  const QuantizeResult result = Quantizer(std::move(options)).run();
  REQUIRE(result.verification);
  CHECK(result.verification->passed());
  CHECK(result.verification->value("mean_cosine") > 0.9999);
  CHECK(result.verification->unit == "texts");
  CHECK(result.verification->compared == 16);
  CHECK(model.files_beside() == std::vector<std::string>{".m.pack.lock", "m.pack"});
}

TEST_CASE("verification compares every output of a model, also those that its vectors do not depend on") {
  const auto loss = [](const std::string& rule) {
    const ModelCopy model("bge-m3");
    QuantizeOptions options = model.options(Precision::fp32);
    if (!rule.empty()) options.rules.push_back(parse_rule(rule));
    options.verify = true;
    return Quantizer(std::move(options)).run().verification->loss;
  };
  CHECK(loss("") < 1e-6);
  CHECK(loss("heads.vector=int4") > 1e-3);
}

TEST_CASE("verification of a decoder compares distributions, in windows if the text exceeds its context") {
  const ModelCopy model("llama");
  QuantizeOptions options = model.options(Precision::fp32);
  options.verify = true;
  const QuantizeResult result = Quantizer(std::move(options)).run();
  REQUIRE(result.verification);
  CHECK(result.verification->kind == ModelKind::decoder);
  CHECK(result.verification->unit == "tokens");
  CHECK(result.verification->compared > 256);  // this tiny model's context
  CHECK(result.verification->value("mean_kl_nats") == doctest::Approx(0).epsilon(1e-6));
  CHECK(result.verification->value("top1_agreement") == 1.0);
}

TEST_CASE("verification of an encoder-decoder compares what it writes") {
  for (const char* golden : {"t5", "bart"}) {
    CAPTURE(golden);
    const ModelCopy model(golden);
    QuantizeOptions options = model.options(Precision::fp32);
    options.verify = true;
    const QuantizeResult result = Quantizer(std::move(options)).run();
    REQUIRE(result.verification);
    CHECK(result.verification->kind == ModelKind::encoder_decoder);
    CHECK(result.verification->passed());
    CHECK(result.verification->compared > 16);  // tokens of 16 texts
    CHECK(result.verification->value("mean_kl_nats") == doctest::Approx(0).epsilon(1e-6));
    CHECK(result.verification->value("top1_agreement") == 1.0);
    CHECK(result.verification->value("identical_texts") == 1.0);
  }
}

TEST_CASE("images to measure with are the same on every machine, and those of the two sets differ") {
  const auto hash_of = [](ImageSet set, int64_t index) {
    const RgbImage image = made_image(set, index, Budget::unlimited());
    Sha256 hash;
    hash.update(std::as_bytes(image.pixels()));
    return hash.hex();
  };
  CHECK(hash_of(ImageSet::verification, 0) == "b47b96290d98d6d858acd2e8d91c2bf3060418b04b1d60a12b58ef2805a31e2b");
  CHECK(hash_of(ImageSet::calibration, 1) == "fad8e713225956b4c964e1eb0ddd7631ed99f8e1b3f9d18067476ec96e0ed57c");
  CHECK(hash_of(ImageSet::verification, 1) != hash_of(ImageSet::verification, 0));
}

TEST_CASE("verification of a model of texts and images compares both") {
  for (const char* golden : {"clip", "clip-legacy"}) {
    CAPTURE(golden);
    const ModelCopy model(golden);
    QuantizeOptions options = model.options(Precision::int8);
    options.verify = true;
    const QuantizeResult result = Quantizer(std::move(options)).run();
    REQUIRE(result.verification);
    CHECK(result.verification->kind == ModelKind::image_embedder);
    CHECK(result.verification->passed());
    CHECK(result.verification->compared == 32);  // 16 texts and 16 images
    CHECK(result.verification->value("min_text_cosine") < 1);
    CHECK(result.verification->value("min_image_cosine") < 1);
    CHECK(result.verification->loss < 0.01);
  }
}

TEST_CASE("biases by position and of logits stay exact in 4 bits, and the settings of generation are provenance") {
  const ModelCopy t5("t5"), bart("bart");
  t5.run(Precision::int4);
  bart.run(Precision::int4);
  const Pack a(t5.output), b(bart.output);
  for (const PackTensor& exact : {a.require("encoder.bias"), a.require("decoder.bias"), b.require("head.bias")}) {
    CHECK(exact.dtype == DType::f32);
    CHECK(exact.role == TensorRole::vector);
  }
  CHECK(a.require("decoder.1.cross_k.weight").dtype == DType::linear_i4);
  CHECK(a.require("head.weight").role == TensorRole::linear);
  CHECK(a.require("embeddings.weight").role == TensorRole::embedding);
  CHECK(b.require("embeddings.weight").role == TensorRole::tied);
  CHECK(contains(b.require_text("provenance.sources"), " generation_config.json\n"));
  CHECK(b.require_text("seq2seq.num_beams") == "4");
}

TEST_CASE("a pack is verified over the user's texts if there are any") {
  const ModelCopy model("bert");
  QuantizeOptions options = model.options(Precision::fp16);
  options.verify = true;
  options.verify_texts = {"the law of the court", "an answer"};
  const QuantizeResult result = Quantizer(std::move(options)).run();
  REQUIRE(result.verification);
  CHECK(result.verification->compared == 2);
}

TEST_CASE("a pack outside the bounds is not published") {
  // Random weights of this size amplify the rounding to 4 bits beyond any bound.
  const ModelCopy model("llama");
  QuantizeOptions options = model.options(Precision::int4);
  options.verify = true;
  const auto error = error_of([&] { Quantizer(std::move(options)).run(); });
  REQUIRE(error);
  CHECK(error->code() == Code::verify_failed);
  CHECK(contains(error->message(), "KL divergence"));
  CHECK(model.files_beside() == std::vector<std::string>{".m.pack.lock"});
}

TEST_CASE("a verification with a figure that is NaN, or without figures, fails") {
  using enum QualityFigure::Bound;
  for (const auto side : {at_least, at_most}) {
    QualityFigure figure{"KL divergence", "mean_kl_nats", "mean_kl_ceiling_nats", side, 0.01, 0.01};
    Verification v{ModelKind::decoder, "tokens", 1, {figure}, 0};
    CHECK(v.passed());
    v.figures.front().value = std::nan("");
    CHECK_FALSE(v.passed());
    v.figures.clear();
    CHECK_FALSE(v.passed());
  }
}

TEST_CASE("the report has every tensor with its error, and null for unknown figures") {
  const ModelCopy model("bert");
  QuantizeOptions options = model.options();
  options.measure_error = true;
  Quantizer quantizer(std::move(options));
  const auto planned = nlohmann::json::parse(report_json(quantizer, nullptr));
  CHECK(planned["status"] == "planned");
  CHECK(planned["pack_bytes"].is_null());
  CHECK(planned["tensors"][0]["max_abs_error"].is_null());

  const QuantizeResult result = quantizer.run();
  const auto report = nlohmann::json::parse(report_json(quantizer, &result));
  CHECK(report["status"] == "written");
  CHECK(report["verification"].is_null());
  uint64_t bytes = 0;
  for (const auto& tensor : report["tensors"]) {
    bytes += tensor["bytes"].get<uint64_t>();
    const double relative = tensor["relative_rms_error"];
    if (tensor["dtype"] == "f32")
      CHECK(relative == 0);
    else
      CHECK((relative > 0 && relative < 0.02));
  }
  CHECK(bytes == report["tensor_bytes"].get<uint64_t>());
  CHECK(Pack(model.output).tensors().size() == report["tensors"].size());
  const std::string html = report_html(quantizer, &result);
  CHECK(contains(html, "embeddings.word"));
  CHECK_FALSE(contains(html, "http"));  // needs no other file
}

TEST_CASE("every error about a checkpoint names it") {
  struct Damage {
    const char *file, *from, *to, *message;
  };
  for (const Damage& damage :
       {Damage{"config.json", "\"model_type\": \"bert\"", "\"model_type\": \"tree\"", "unknown architecture 'tree'"},
        {"config.json", "\"hidden_act\": \"gelu\"", "\"hidden_act\": \"odd\"", "unknown activation 'odd'"},
        {"config.json", "\"num_attention_heads\"", "\"heads\"", "the configuration lacks 'num_attention_heads'"},
        {"config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", "the checkpoint has no tensor"},
        {"vocab.txt", "[UNK]", "[NUK]", "tokenizer: "}}) {
    const ModelCopy model("bert");
    std::string text = read_file(model.source / damage.file);
    const size_t at = text.find(damage.from);
    REQUIRE_MESSAGE(at != text.npos, damage.from);
    text.replace(at, std::string_view(damage.from).size(), damage.to);
    write_file(model.source / damage.file, text);
    const auto error = error_of([&] { model.run(); });
    REQUIRE_MESSAGE(error, damage.message);
    CHECK(contains(error->message(), fmt::format("'{}'", model.source.native())));
    CHECK(contains(error->message(), damage.message));
  }
  for (const std::optional<Precision> precision : {std::optional<Precision>(), {Precision::automatic}}) {
    const ModelCopy model("bert");
    std::string weights = read_file(model.source / "model.safetensors");
    weights.replace(weights.size() - 4, 4, "\x00\x00\xc0\x7f", 4);  // NaN
    write_file(model.source / "model.safetensors", weights);
    const auto error = error_of([&] { model.run(precision); });
    REQUIRE(error);
    CHECK(error->message().starts_with(fmt::format("'{}': tensor '", model.source.native())));
    CHECK(contains(error->message(), "not a finite number"));
  }
}

TEST_CASE("a report has errors of a pack that is up to date, and they are those of the run that wrote it") {
  const ModelCopy model("bert");
  const auto run = [&] {
    QuantizeOptions options = model.options();
    options.measure_error = true;
    return Quantizer(std::move(options)).run();
  };
  const QuantizeResult written = run(), found = run();
  CHECK(found.up_to_date);
  REQUIRE(found.errors.size() == written.errors.size());
  for (size_t i = 0; i < found.errors.size(); ++i) {
    CHECK(found.errors[i].max_abs == written.errors[i].max_abs);
    CHECK(found.errors[i].relative_rms == written.errors[i].relative_rms);
  }
}

TEST_CASE("a check tells a sound pack from one that is cut, has a damaged header or is another file") {
  const ModelCopy model("bert");
  model.run();
  const PackCheck sound = check_pack(model.output);
  CHECK(sound.problem.empty());
  CHECK(sound.tensors == 37);
  CHECK(nlohmann::json::parse(check_json(sound))["sound"] == true);
  const std::string bytes = read_file(model.output);
  const auto problem_of = [&](const std::string& content) {
    write_file(model.output, content);
    const PackCheck check = check_pack(model.output);
    const auto json = nlohmann::json::parse(check_json(check));
    CHECK(json["sound"] == false);
    CHECK(json["problem"] == check.problem);
    return check.problem;
  };
  CHECK(contains(problem_of(bytes.substr(0, 3000)), "the file has 3000"));
  CHECK(contains(problem_of("X" + bytes.substr(1)), "is not a pack"));
  CHECK(contains(problem_of("A text."), "is not a pack"));
  CHECK(error_of([&] { check_pack(model.source); })->code() == Code::bad_input);
  CHECK(error_of([&] { check_pack(model.folder / "absent"); })->code() == Code::missing);
}

TEST_CASE("an unknown architecture is an error that lists the known ones") {
  const ModelCopy model("bert");
  std::string config = read_file(model.source / "config.json");
  config.replace(config.find("\"bert\""), 6, "\"mamba\"");
  write_file(model.source / "config.json", config);
  const auto error = error_of([&] { model.run(); });
  REQUIRE(error);
  CHECK(contains(error->hint(), ", bert, "));
}

}  // namespace
}  // namespace frugal
