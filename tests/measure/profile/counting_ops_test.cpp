#include "measure/profile/counting_ops.h"

#include <doctest/doctest.h>

#include <array>
#include <vector>

#include "base/units.h"
#include "compute/kernels/kernels.h"
#include "memory/budget.h"
#include "model/nn/decoder.h"
#include "model/nn/kv_cache.h"

using namespace frugal;

namespace {

constexpr uint64_t kPage = 4096;

uint64_t pages_of(uint64_t bytes) {
  return (bytes + kPage - 1) / kPage * kPage;
}

}  // namespace

TEST_CASE("activations are counted while their scope lasts, the most of them as the peak") {
  CountingOps ops(1);
  {
    const Ops::Scope scope(ops);
    ops.allocate(Shape{512, 1024});
    CHECK(ops.now().activation_bytes >= 2 * kMiB);
    CHECK(ops.now().activation_bytes <= 2 * kMiB + 2 * kPage);
    ops.allocate(Shape{256, 1024});
  }
  const uint64_t peak = ops.peak().activation_bytes;
  CHECK(peak >= 3 * kMiB);
  CHECK(peak <= 3 * kMiB + 4 * kPage);
  CHECK(ops.now().activation_bytes == peak);  // pages stay for the next pass
}

TEST_CASE("of held rows only what is written counts, until they are given up") {
  CountingOps ops(1);
  const uint64_t row_bytes[] = {64 * 4, 64 * 4};
  std::unique_ptr<KvRows> rows = ops.allocate_kv_rows(row_bytes, 1 << 20, Budget::unlimited());
  CHECK(ops.now().kv_cache_bytes == 0);
  rows->grow_to(1024);
  const View cache(rows->row(1, 0), DType::f32, Shape{1024, 64});
  ops.copy({}, cache.slice_rows(0, 100));
  CHECK(ops.now().kv_cache_bytes == pages_of(100 * 64 * 4));
  ops.copy({}, cache.slice_rows(0, 100));
  CHECK(ops.now().kv_cache_bytes == pages_of(100 * 64 * 4));
  rows.reset();
  CHECK(ops.now().kv_cache_bytes == 0);
  CHECK(ops.peak().kv_cache_bytes == pages_of(100 * 64 * 4));
}

TEST_CASE("a weight's pages count once, however often it is multiplied, and never as anonymous memory") {
  std::vector<std::byte> file(kMiB);
  CountingOps ops(1);
  ops.watch(file);
  CHECK(ops.mapped_bytes() == 0);
  const PackedWeight packed{DType::linear_f32, 64, 512, file.data(), nullptr};  // 128 KiB
  LinearSpec spec;
  spec.weight = ops.prepare(packed);
  const Ops::Scope scope(ops);
  const View x = ops.allocate(Shape{4, 512}), out = ops.allocate(Shape{4, 64});
  const uint64_t before = ops.peak().total_bytes();
  ops.linear(spec, x, out, {});
  const uint64_t once = ops.mapped_bytes();
  CHECK(once >= 128 * kKiB);
  CHECK(once <= 128 * kKiB + 2 * 64 * kKiB);  // whole windows at both ends
  ops.linear(spec, x, out, {});
  CHECK(ops.mapped_bytes() == once);
  CHECK(ops.peak().total_bytes() == before);
}

TEST_CASE("an integer weight asks for quantised rows, a float one does not") {
  for (const DType dtype : {DType::linear_f32, DType::linear_i8}) {
    CountingOps ops(1);
    const std::vector<float> scales(128);
    LinearSpec spec;
    spec.weight = ops.prepare({dtype, 128, 4096, nullptr, scales.data()});
    const Ops::Scope scope(ops);
    const View x = ops.allocate(Shape{256, 4096}), out = ops.allocate(Shape{256, 128});  // whole steps of the arena
    const uint64_t before = ops.peak().total_bytes();
    ops.linear(spec, x, out, {});
    const uint64_t quantized = kernels::active().quantized_rows_bytes(256, 4096, false);
    if (dtype == DType::linear_f32) CHECK(ops.peak().total_bytes() == before);
    if (dtype == DType::linear_i8) CHECK(ops.peak().total_bytes() >= before + quantized);
  }
}

TEST_CASE("attention's scratch is one for each thread") {
  AttentionSpec spec;
  spec.num_heads = spec.num_kv_heads = 4;
  spec.head_dim = 64;
  const std::array spans = {AttentionSpan{0, 8, 0, 300}};
  CountingOps one(1), four(4);
  one.attention(spec, spans, {}, {}, {}, {});
  four.attention(spec, spans, {}, {}, {}, {});
  const uint64_t bytes = 4u * static_cast<uint64_t>(kernels::active().attention_scratch_floats(64));
  CHECK(one.widest_pass().arena_bytes == bytes);
  CHECK(four.widest_pass().arena_bytes == 4 * bytes);
}

TEST_CASE("of a key-value cache the rows that were stored are counted, in the type that holds them") {
  for (const KvType type : {KvType::f16, KvType::int8}) {
    CAPTURE(to_string(type));
    CountingOps ops(1);
    KvCache cache(ops, {1, 2, 512, type}, 100, Budget::unlimited());
    cache.extend(64);
    CHECK(ops.now().kv_cache_bytes == 0);
    const Ops::Scope scope(ops);
    cache.store(0, cache.fresh_rows(0, 16));
    // Keys and values; in int8 16 · 2 scales of each as well.
    CHECK(ops.now().kv_cache_bytes ==
          (type == KvType::f16 ? 2 * pages_of(16 * 1024 * 2) : 2 * (pages_of(16 * 1024) + pages_of(16 * 2 * 4))));
  }
}
