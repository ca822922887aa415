// A damaged pack is an error that names the pack, when it is opened and when its tables are used.
#include <doctest/doctest.h>

#include <array>

#include "base/naming.h"
#include "base/thread_pool.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "model/nn/model_source.h"
#include "model/quant/quantize.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace frugal {
namespace {

using namespace testing;

// A pack with another tokenizer, and with one key of its configuration changed.
class DamagedSource final : public ModelSource {
 public:
  DamagedSource(const Pack& pack, std::string tokenizer, std::string key, std::string value)
      : pack_(pack), whole_(pack), tokenizer_(std::move(tokenizer)), config_{pack, std::move(key), std::move(value)} {}
  const std::filesystem::path& path() const override { return pack_.path(); }
  const ModelConfig& config() const override { return config_; }
  std::span<const std::byte> tokenizer() const override { return std::as_bytes(std::span(tokenizer_)); }
  std::string_view identity() const override { return pack_.identity(); }
  bool has(std::string_view tensor) const override { return whole_.has(tensor); }
  Weight linear(std::string_view tensor, int64_t outputs, int64_t inputs, Ops& ops) const override {
    return whole_.linear(tensor, outputs, inputs, ops);
  }
  std::span<const float> vector(std::string_view tensor, int64_t count) const override {
    return whole_.vector(tensor, count);
  }
  EmbeddingTable embedding(std::string_view tensor, int64_t rows, int64_t features, Ops& ops) const override {
    return whole_.embedding(tensor, rows, features, ops);
  }

 private:
  struct Config final : ModelConfig {
    Config(const Pack& whole, std::string changed, std::string now)
        : pack(whole), key(std::move(changed)), value(std::move(now)) {}
    std::optional<std::string_view> text(std::string_view name) const override {
      return name == key ? std::optional<std::string_view>(value) : pack.text(name);
    }
    [[noreturn]] void fail(std::string_view what) const override { pack.Pack::fail(what); }
    const Pack& pack;
    std::string key, value;
  };

  const Pack& pack_;
  PackSource whole_;
  std::string tokenizer_;
  Config config_;
};

struct TinyPack {
  TempFolder folder;
  explicit TinyPack(const std::string& golden) {
    QuantizeOptions options;
    options.input = std::filesystem::path(FRUGAL_SOURCE_DIR) / "tests/golden" / golden;
    options.output = folder / "m.pack";
    options.max_ram_bytes = uint64_t(8) << 30;
    Quantizer(std::move(options)).run();
  }
  Pack open() const { return Pack(folder / "m.pack"); }
};

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_CASE("a damaged tokenizer is an error that names the file, whether it is found on opening or in use") {
  const TinyPack tiny("bert");
  const Pack pack = tiny.open();
  const std::string blob = text_of(pack.blob("tokenizer"));
  ThreadPool pool(1);
  const auto ops = make_cpu_ops(pool, Budget::unlimited());
  int on_opening = 0, in_use = 0;
  for (size_t at = 0; at < blob.size(); ++at) {
    std::string damaged = blob;
    damaged[at] = static_cast<char>(~damaged[at]);
    const DamagedSource source(pack, damaged, "", "");
    std::unique_ptr<Embedder> embedder;
    const auto opening = error_of([&] { embedder = open_embedder(source, *ops); });
    const auto use = embedder ? error_of([&] {
      std::vector<float> vector(static_cast<size_t>(embedder->dimension()));
      const std::string_view text = "the law of the courts and a question";
      embedder->embed(std::span(&text, 1), TextRole::passage, vector);
    })
                              : std::nullopt;
    for (const auto& error : {opening, use})
      if (error) CHECK_MESSAGE(names_file(*error, pack.path()), error->message());
    on_opening += opening ? 1 : 0;
    in_use += use ? 1 : 0;
  }
  CHECK(on_opening > 0);
  CHECK(in_use > 0);
}

TEST_CASE("an unknown word in a pack's configuration is an error that names the file") {
  for (const char* golden : {"bert", "blip2-t5", "clip", "qwen3-vl"}) {
    const TinyPack tiny(golden);
    const Pack pack = tiny.open();
    ThreadPool pool(1);
    const auto ops = make_cpu_ops(pool, Budget::unlimited());
    int errors = 0;
    for (const auto& [key, value] : pack.entries()) {
      const DamagedSource source(pack, text_of(pack.blob("tokenizer")), std::string(key), "odd");
      const auto error = error_of([&] { open_model(source, *ops); });
      if (error) CHECK_MESSAGE(names_file(*error, pack.path()), error->message());
      errors += error ? 1 : 0;
    }
    CHECK(errors > 5);
  }
}

TEST_CASE("sizes in a pack of CLIP that do not fit each other or its tensors are errors that say which") {
  const TinyPack tiny("clip");
  const Pack pack = tiny.open();
  ThreadPool pool(1);
  const auto ops = make_cpu_ops(pool, Budget::unlimited());
  const std::array<std::array<const char*, 3>, 7> cases{{
      {"clip.image.patch", "0", "clip.image.patch"},
      {"clip.image.patch", "33", "patches of 33 pixels in images of 32"},
      {"clip.image.patch", "7", "image.patches.weight"},
      {"clip.image.size", "24", "image.positions"},
      {"clip.image.size", "33", "image.processor does not give images of 33 × 33 pixels"},
      {"clip.text.heads", "5", "not a multiple of 5 heads"},
      {"clip.text.dimension", "23", "vectors of texts have 23 values, those of images 24"},
  }};
  for (const auto& damage : cases) {
    const auto& part = std::get<2>(damage);
    const DamagedSource source(pack, text_of(pack.blob("tokenizer")), std::get<0>(damage), std::get<1>(damage));
    const auto error = error_of([&] { open_model(source, *ops); });
    REQUIRE_MESSAGE(error, part);
    CHECK_MESSAGE(names_file(*error, pack.path()), error->message());
    CHECK_MESSAGE(contains(error->message(), part), error->message());
  }
}

TEST_CASE("a message names a file in quotes or at its beginning, and nothing that only begins like it") {
  const auto names = [](const char* message, const char* file) {
    return names_file(Error(Code::bad_input, message), file);
  };
  CHECK(names("'a/m.pack': damaged", "a/m.pack"));
  CHECK(names("pack 'a/m.pack': damaged", "a/m.pack"));
  CHECK(names("a/m.pack: a 'llama' model is no embedder", "a/m.pack"));
  CHECK(names("'m/config.json' is not JSON", "m"));
  CHECK(names("'m/config.json' is not JSON", "m/"));
  CHECK_FALSE(names("the configuration lacks 'model_type'", "m"));
  CHECK_FALSE(names("m is odd", "m"));
}

}  // namespace
}  // namespace frugal
