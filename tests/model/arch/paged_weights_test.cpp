// Weights that do not fit the budget give the same results as resident ones, bit for bit.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "base/error.h"
#include "base/thread_pool.h"
#include "base/units.h"
#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/format/pack.h"
#include "model/nn/blocks.h"
#include "model/nn/model_source.h"
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
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
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

TEST_CASE("an embedding table is paged as well, and its rows are the same") {
  constexpr int64_t kRows = 60'000, kWidth = 384;
  const testing::TempFolder folder;
  for (const DType dtype : {DType::i8, DType::f16, DType::f32}) {
    CAPTURE(to_string(dtype));
    const uint64_t row_bytes = kWidth * element_bytes(dtype);
    {
      PackWriter writer(folder / "t.pack", {{"words", dtype, Shape{kRows, kWidth}, TensorRole::embedding}},
                        {{"provenance.identity", "test"}}, {});
      std::vector<std::byte> row(row_bytes);
      for (int64_t r = 0; r < kRows; ++r) {
        for (int64_t i = 0; i < kWidth; ++i) {
          const auto value = static_cast<int8_t>((r * 31 + i * 7) % 127);
          const float wide = value;
          const uint16_t half = f32_to_f16(wide);
          if (dtype == DType::i8) row[static_cast<size_t>(i)] = static_cast<std::byte>(value);
          if (dtype == DType::f16) std::memcpy(&row[static_cast<size_t>(i) * 2], &half, 2);
          if (dtype == DType::f32) std::memcpy(&row[static_cast<size_t>(i) * 4], &wide, 4);
        }
        writer.write_data(0, static_cast<uint64_t>(r) * row_bytes, row);
        const float scale = 1.0f + static_cast<float>(r % 5);
        if (dtype == DType::i8) writer.write_scales(0, r, std::span(&scale, 1));
      }
      writer.finish();
    }
    std::vector<int32_t> ids{0, 1, kRows - 1};
    for (int32_t i = 0; i < 200; ++i) ids.push_back(i * 7919 % kRows);
    const auto look_up = [&](const Pack& pack) {
      ThreadPool threads(1);
      const auto ops = make_cpu_ops(threads, Budget::unlimited());
      const EmbeddingTable table = PackSource(pack).embedding("words", kRows, kWidth, *ops);
      const Ops::Scope scope(*ops);
      const View out = ops->allocate(Shape{static_cast<int64_t>(ids.size()), kWidth});
      embed(*ops, table, ids, out, false);
      embed(*ops, table, std::vector<int32_t>(ids.rbegin(), ids.rend()), out, true);
      std::vector<float> rows(static_cast<size_t>(out.shape.elements()));
      ops->download(out, rows);
      return rows;
    };
    const std::vector<float> expected = look_up(Pack(folder / "t.pack"));
    CHECK(expected[1] == (dtype == DType::i8 ? 7.0f + static_cast<float>(1 + ids.back() % 5) *
                                                          static_cast<float>((int64_t(ids.back()) * 31 + 7) % 127)
                                             : 7.0f + static_cast<float>((int64_t(ids.back()) * 31 + 7) % 127)));
    Budget budget(8 * kMiB);
    Pack pack(folder / "t.pack");
    pack.page(budget);
    REQUIRE(pack.pager()->stats().paging);
    CHECK(pack.pager()->stats().fixed_bytes < kMiB);
    CHECK(look_up(pack) == expected);
    CHECK(pack.pager()->stats().read_bytes > kMiB);
    CHECK(budget.peak_bytes() <= 8 * kMiB);
  }
}
