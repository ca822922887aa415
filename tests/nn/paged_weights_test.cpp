// Weights that do not fit the budget: the same results, bit for bit, as with all of them resident.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "base/error.h"
#include "base/thread_pool.h"
#include "base/units.h"
#include "format/pack.h"
#include "memory/budget.h"
#include "ops/ops.h"
#include "support/temp_folder.h"

using namespace frugal;

namespace {

constexpr int64_t kLayers = 6, kFeatures = 2048;  // 4 MiB a layer in int8

void write_pack(const std::filesystem::path& path, DType dtype) {
  std::vector<PackWriter::Plan> plan;
  const Shape shape{kFeatures, kFeatures};
  for (int64_t i = 0; i < kLayers; ++i) plan.push_back({std::to_string(i), dtype, shape, TensorRole::linear});
  PackWriter writer(path, plan, {{"provenance.identity", "test"}}, {});
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(-1, 1);
  const uint64_t block_bytes = packed_block_bytes(dtype, kFeatures);
  std::vector<float> rows(kOutputBlock * kFeatures);
  std::vector<std::byte> block(block_bytes);
  std::vector<float> scales(kOutputBlock);
  for (size_t i = 0; i < plan.size(); ++i)
    for (uint64_t b = 0; b < kFeatures / kOutputBlock; ++b) {
      for (float& x : rows) x = uniform(random);
      pack_block(dtype, rows, kFeatures, block.data(), scales.data());
      writer.write_data(i, b * block_bytes, block);
      if (dtype == DType::linear_i8) writer.write_scales(i, b * kOutputBlock, scales);
    }
  writer.finish();
}

// Three passes through all layers, as a decoder makes them, on `rows` tokens whose first values are rows of the last
// layer.
std::vector<float> run(const Pack& pack, int64_t rows) {
  ThreadPool threads(2);
  const auto ops = make_cpu_ops(threads);
  std::vector<LinearSpec> layers(kLayers);
  for (int64_t i = 0; i < kLayers; ++i) {
    layers[static_cast<size_t>(i)].weight = ops->prepare(pack.require_linear(std::to_string(i), kFeatures, kFeatures));
    layers[static_cast<size_t>(i)].activation = Activation::gelu;
  }
  const Ops::Scope scope(*ops);
  View x = ops->allocate(Shape{rows, kFeatures}), y = ops->allocate(x.shape);
  std::vector<int32_t> ids;
  for (int64_t t = 0; t < rows; ++t) ids.push_back(static_cast<int32_t>(t * 677 % kFeatures));
  for (int pass = 0; pass < 3; ++pass) {
    ops->embed(layers.back().weight, ids, y);
    pass == 0 ? ops->copy(y, x) : ops->add(x, y, x);
    for (const LinearSpec& layer : layers) {
      ops->linear(layer, x, y);
      ops->normalize_rows(y);
      std::swap(x, y);
    }
  }
  std::vector<float> out(static_cast<size_t>(rows * kFeatures));
  ops->download(x, out);
  return out;
}

}  // namespace

TEST_CASE("paged weights give the same results as resident ones, to the bit, for one token and for many") {
  const testing::TempFolder folder;
  for (const DType dtype : {DType::linear_i8, DType::linear_i8g, DType::linear_i4}) {
    CAPTURE(to_string(dtype));
    write_pack(folder / "m.pack", dtype);
    for (const int64_t rows : {1, 40}) {
      const std::vector<float> expected = run(Pack(folder / "m.pack"), rows);
      CHECK(std::any_of(expected.begin(), expected.end(), [](float x) { return x != 0; }));
      for (const BlockSource source : {BlockSource::mapped, BlockSource::direct})
        for (const PagePolicyKind policy : {PagePolicyKind::predictive, PagePolicyKind::lru, PagePolicyKind::clock}) {
          Budget budget(9 * kMiB);
          Pack pack(folder / "m.pack");
          PagerOptions options;
          options.source = source;
          options.policy = policy;
          pack.page(budget, options);
          REQUIRE(pack.pager()->stats().paging);
          CHECK(run(pack, rows) == expected);
          CHECK(pack.pager()->stats().read_bytes > pack.file_bytes());
        }
    }
  }
}
