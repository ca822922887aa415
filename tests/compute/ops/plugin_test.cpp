// Loading plugins: the errors, and that a plugin can be closed and opened again.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

#include "base/plugin_library.h"
#include "base/units.h"
#include "memory/budget.h"
#include "support/backends.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "telemetry/metrics.h"

using namespace frugal;
using namespace frugal::testing;
namespace fs = std::filesystem;

namespace {

const fs::path kStandIns = FRUGAL_TEST_PLUGINS;

Error refusal(const fs::path& file) {
  const std::optional<Error> error = error_of([&] { open_plugin_ops(file, Backend{"torch"}, 1, Budget::unlimited()); });
  REQUIRE(error);
  return *error;
}

}  // namespace

TEST_CASE("a backend is named by plugin, device and precision, and anything else is an error") {
  CHECK(parse_backend("cpu").native());
  CHECK(parse_backend("torch").device == "cpu");
  CHECK(parse_backend("torch:cuda").device == "cuda");
  CHECK(parse_backend("torch:cuda:1:bf16").device == "cuda:1");
  CHECK(parse_backend("torch:bf16").precision == Backend::Precision::bf16);
  CHECK(parse_backend("torch:cpu:fp32").precision == Backend::Precision::fp32);
  for (const char* bad : {"", "gpu", "torch:", "torch:tpu", "torch:1", "cpu:fp16", "torch:cuda:", "torch:cuda:9999",
                          "torch::fp16", "torch:cuda:-1"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parse_backend(bad), Error);
  }
}

TEST_CASE("a file that is not a plugin, or a plugin of another version, is refused by name") {
  const Error none = refusal(kStandIns / "not_a_plugin.so");
  CHECK(none.code() == Code::mismatch);
  CHECK(contains(none.message(), "not a plugin of frugal"));
  for (const char* name : {"other_abi.so", "refuses.so"}) {
    const Error other = refusal(kStandIns / name);
    CHECK(other.code() == Code::mismatch);
    CHECK(contains(other.message(), "another version"));
    CHECK(!other.hint().empty());
  }
}

TEST_CASE("a plugin that does not load is an error with the linker's words") {
  const TempFolder folder;
  const fs::path garbage = folder.path() / "frugal_torch.so";
  CHECK(refusal(garbage).code() == Code::missing);
  write_file(garbage, "not an object file");
  const Error error = refusal(garbage);
  CHECK(error.code() == Code::missing);
  CHECK(contains(error.message(), garbage.native()));
  CHECK(!error.hint().empty());
}

TEST_CASE("the error for a missing plugin names the folders that were searched") {
  const std::optional<Error> error = error_of([] { find_plugin("nowhere", "run scripts/setup --torch"); });
  REQUIRE(error);
  CHECK(error->code() == Code::missing);
  CHECK(contains(error->message(), "plugins"));
  CHECK(contains(error->hint(), "scripts/setup --torch"));
}

TEST_CASE("torch is opened, closed and opened again, also twice at once") {
  on_every_plugin([](Ops&) {});
  for (const std::string& name : plugin_backends())
    for (int i = 0; i < 3; ++i) {
      ThreadPool threads(2);
      const auto first = make_ops(parse_backend(name), threads, Budget::unlimited());
      const auto second = make_ops(parse_backend(name), threads, Budget::unlimited());
      const Ops::Scope scope(*second);
      const View x = second->allocate(Shape{1, 2});
      second->upload(std::vector<float>{3, 4}, x);
      second->normalize_rows(x);
      std::vector<float> got(2);
      second->download(x, got);
      CHECK(got[0] == doctest::Approx(0.6f));
    }
}

TEST_CASE("torch holds a bf16 weight in half the bytes, rounded") {
  if (plugin_backends().empty()) return;
  ThreadPool threads(1);
  const auto ops = make_ops(parse_backend("torch:bf16"), threads, Budget::unlimited());
  std::vector<std::byte> data(packed_bytes(DType::linear_f32, 1, 32));
  std::vector<float> row(32, 0.0f), scales(16);
  row[0] = 1.0f + 1.0f / 1024;  // bf16 keeps 8 bits: 1
  pack_block(DType::linear_f32, row, 32, data.data(), scales.data());
  const Ops::Scope scope(*ops);
  const View x = ops->allocate(Shape{1, 32}), out = ops->allocate(Shape{1, 1});
  ops->upload(std::vector<float>(32, 1.0f), x);
  ops->linear({ops->prepare({DType::linear_f32, 1, 32, data.data(), nullptr}), {}}, x, out);
  CHECK(*out.row<float>(0) == 1.0f);
}

TEST_CASE("a device reports its memory; the processor, which has none of its own, does not") {
  for (const std::string& name : plugin_backends()) {
    const auto ops = open_plugin_ops(find_torch(), parse_backend(name), 1, Budget::unlimited());
    const DeviceMemory before = ops->memory();
    if (ops->device() == "cpu") {
      CHECK(!before.used_bytes);
      CHECK(!before.total_bytes);
      continue;
    }
    REQUIRE(before.used_bytes.has_value());
    const uint64_t row_bytes = 1 << 20;
    const auto held = ops->allocate_kv_rows(std::span(&row_bytes, 1), 64, Budget::unlimited());
    held->grow_to(64);
    CHECK(*ops->memory().used_bytes >= *before.used_bytes + (64 << 20));
    CHECK(*ops->memory().peak_bytes >= *before.used_bytes + (64 << 20));
  }
}

TEST_CASE("a singular value decomposition multiplies back to the matrix, with descending values") {
  if (plugin_backends().empty()) return;
  const auto ops = open_plugin_ops(find_torch(), parse_backend("torch"), 1, Budget::unlimited());
  const std::vector<float> a = {3, 1, 1, -1, 3, 1};
  const Svd svd = ops->svd(a, 2, 3);
  REQUIRE(svd.s.size() == 2);
  CHECK(svd.s[0] == doctest::Approx(std::sqrt(12.0)));
  CHECK(svd.s[1] == doctest::Approx(std::sqrt(10.0)));
  for (size_t r = 0; r < 2; ++r)
    for (size_t c = 0; c < 3; ++c)
      CHECK(svd.u[r * 2] * svd.s[0] * svd.vt[c] + svd.u[r * 2 + 1] * svd.s[1] * svd.vt[3 + c] ==
            doctest::Approx(a[r * 3 + c]).epsilon(1e-5));
}

#ifdef FRUGAL_PRETEND_DEVICE

namespace {

// A weight of random numbers, packed.
struct RandomWeight {
  std::vector<std::byte> data;
  PackedWeight packed;

  RandomWeight(int64_t outputs, int64_t inputs, uint32_t seed)
      : data(packed_bytes(DType::linear_f32, outputs, inputs)),
        packed{DType::linear_f32, outputs, inputs, data.data(), nullptr} {
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> number(-1, 1);
    std::vector<float> block(static_cast<size_t>(kOutputBlock * inputs)), scales(kOutputBlock);
    const uint64_t block_bytes = data.size() / static_cast<uint64_t>(packed.out_blocks());
    for (uint64_t b = 0; b < static_cast<uint64_t>(packed.out_blocks()); ++b) {
      std::generate(block.begin(), block.end(), [&] { return number(random); });
      pack_block(DType::linear_f32, block, inputs, data.data() + b * block_bytes, scales.data());
    }
  }
};

// Looks up rows of the first weight and multiplies them with it, then with each of the others, while key-value rows are
// allocated. All weights have 512 inputs, and all but the first 512 outputs.
std::vector<float> pass_through(Ops& ops, std::span<const RandomWeight> weights) {
  std::vector<Weight> prepared;
  for (const RandomWeight& weight : weights) prepared.push_back(ops.prepare(weight.packed));
  const uint64_t row_bytes = 512 * sizeof(float);
  const auto held = ops.allocate_kv_rows(std::span(&row_bytes, 1), 1024, Budget::unlimited());
  held->grow_to(512);
  const Ops::Scope scope(ops);
  const std::vector<int32_t> ids = {0, 17, 8000};
  const View x = ops.allocate(Shape{3, 512}), wide = ops.allocate(Shape{3, weights[0].packed.outputs});
  ops.embed(prepared[0], ids, x);
  std::vector<float> bias(static_cast<size_t>(weights[0].packed.outputs));
  for (size_t i = 0; i < bias.size(); ++i) bias[i] = static_cast<float>(i % 7);
  ops.linear({prepared[0], bias, Activation::gelu}, x, wide);
  ops.linear({prepared[0], {}}, x, wide, wide);
  for (size_t i = 1; i < prepared.size(); ++i) {
    const View next = ops.allocate(Shape{3, 512});
    ops.linear({prepared[i], {}}, x, next);
    ops.copy(next, x);
  }
  std::vector<float> result(static_cast<size_t>(wide.shape.elements() + x.shape.elements()));
  ops.download(wide, std::span(result).first(static_cast<size_t>(wide.shape.elements())));
  ops.download(x, std::span(result).last(static_cast<size_t>(x.shape.elements())));
  return result;
}

double figure_of(const std::string& name) {
  for (const Metric& metric : metric_registry().collect())
    if (metric.name == name) return metric.value();
  return 0;
}

}  // namespace

TEST_CASE("weights that do not fit on a device are streamed for each use, and the results are the same") {
  if (plugin_backends().empty()) return;
  std::vector<RandomWeight> weights;
  weights.emplace_back(8000 + 11, 512, 1);  // 16 MiB on the device: two slices at least
  for (uint32_t i = 2; i < 6; ++i) weights.emplace_back(512, 512, i);
  ThreadPool threads(1);
  const auto host = make_ops(parse_backend("torch"), threads, Budget::unlimited());
  const std::vector<float> expected = pass_through(*host, weights);
  for (const uint64_t mib : {1024, 20, 12}) {
    CAPTURE(mib);
    const double before = figure_of("frugal_device_streamed_bytes_total");
    const auto ops = pretended_device(1, mib * kMiB);
    const std::vector<float> got = pass_through(*ops, weights);
    REQUIRE(got.size() == expected.size());
    double most = 0;
    for (size_t i = 0; i < got.size(); ++i) most = std::max(most, std::abs(double(got[i]) - double(expected[i])));
    CHECK(most < 1e-3);  // slices may round differently
    CHECK((figure_of("frugal_device_streamed_bytes_total") > before) == (mib < 20 + 1));
  }
}

TEST_CASE("a device stays within its budget, and refuses a weight of which not even a slice fits") {
  if (plugin_backends().empty()) return;
  std::vector<RandomWeight> weights;
  weights.emplace_back(8000 + 11, 512, 1);
  const auto small = pretended_device(1, 4 * kMiB);
  const std::optional<Error> error = error_of([&] { pass_through(*small, weights); });
  REQUIRE(error);
  CHECK(error->code() == Code::over_budget);
  CHECK(contains(error->hint(), "--gpu-memory-budget"));
  // Rows cannot be read again, so they have to fit whole.
  const auto ops = pretended_device(1, kMiB);
  CHECK_THROWS_AS(ops->prepare(WeightRows{1024, 512, [](int64_t, std::span<float>) {}}), Error);
}

#endif

TEST_CASE("the budget counts a plugin's weights and working memory before they are allocated") {
  if (plugin_backends().empty()) return;
  Budget budget(1 << 20);
  const auto ops = open_plugin_ops(find_torch(), parse_backend("torch"), 1, budget);
  std::vector<std::byte> data(packed_bytes(DType::linear_f32, 1024, 512));
  CHECK_THROWS_AS(ops->prepare(WeightRows{1024, 512, [](int64_t, std::span<float>) {}}), Error);
  CHECK(budget.used_bytes(MemoryTag::weights) == 0);
  CHECK_NOTHROW(ops->prepare({DType::linear_f32, 1024, 512, data.data(), nullptr}));  // streamed for each use
  CHECK_THROWS_AS(ops->allocate(Shape{1024, 1024}), Error);
  CHECK(budget.used_bytes(MemoryTag::weights) == 0);
}
