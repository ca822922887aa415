#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>

#include "base/error.h"
#include "base/thread_pool.h"
#include "base/units.h"
#include "memory/budget.h"
#include "model/nn/decoder.h"
#include "model/nn/kv_cache.h"
#include "support/backends.h"
#include "support/errors.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

constexpr KvShape kShape{2, 2, 2};

std::vector<std::byte> rows_of(const KvCache& cache, int64_t first, int64_t tokens) {
  std::vector<std::byte> rows(static_cast<size_t>(tokens) * cache.bytes_per_token());
  cache.save(first, tokens, rows);
  return rows;
}

// Appends `tokens` tokens whose values count up from `first`.
void write(KvCache& cache, const KvShape& shape, int64_t tokens, float first) {
  cache.extend(tokens);
  for (int64_t layer = 0; layer < shape.layers; ++layer) {
    const KvCache::Fresh fresh = cache.fresh_rows(layer, tokens);
    for (const View& view : {fresh.keys, fresh.values})
      for (int64_t t = 0; t < tokens; ++t)
        for (int64_t i = 0; i < shape.heads * shape.head_dim; ++i) view.row<float>(t)[i] = first++;
    cache.store(layer, fresh);
  }
  cache.advance(tokens);
}

}  // namespace

TEST_CASE("a key-value cache keeps what it holds when it grows, and refuses more than its capacity") {
  ThreadPool threads(1);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  for (const KvType type : {KvType::f32, KvType::f16, KvType::int8}) {
    CAPTURE(to_string(type));
    KvShape shape = kShape;
    shape.type = type;
    KvCache cache(*ops, shape, 1000, Budget::unlimited());
    write(cache, shape, 10, 42);
    const std::vector<std::byte> before = rows_of(cache, 0, 10);
    cache.extend(900);
    CHECK(cache.length() == 10);
    CHECK(rows_of(cache, 0, 10) == before);
    CHECK_THROWS_WITH_AS(cache.extend(991), "1001 tokens do not fit a context of 1000", Error);
    cache.truncate(3);
    CHECK(cache.length() == 3);
  }
}

TEST_CASE("the next position of a key-value cache is its length, unless rows share positions") {
  ThreadPool threads(1);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  KvCache cache(*ops, kShape, 100, Budget::unlimited());
  write(cache, kShape, 10, 1);
  CHECK(cache.next_position() == 10);
  cache.set_next_position(6);
  write(cache, kShape, 3, 2);
  CHECK(cache.next_position() == 9);
  cache.truncate(11);
  CHECK(cache.next_position() == 7);
  cache.truncate(0);
  CHECK(cache.next_position() == 0);
}

TEST_CASE(
    "a key-value cache is reserved in the budget as it grows, by the page: half in f16, just over a quarter in int8") {
  ThreadPool threads(1);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const auto pages = [page](uint64_t bytes) { return (bytes + page - 1) / page * page; };
  Budget budget;
  {
    KvCache cache(*ops, {30, 3, 64}, 100'000, budget);
    CHECK(budget.used_bytes() == 0);
    cache.extend(1);
    CHECK(budget.used_bytes(MemoryTag::kv_cache) == 30 * 2 * pages(16 * 3 * 64 * 4));
    cache.extend(200);
    CHECK(budget.used_bytes(MemoryTag::kv_cache) == 30 * 2 * pages(208 * 3 * 64 * 4));
    CHECK(budget.used_bytes() == cache.bytes_per_token() * 208);
  }
  CHECK(budget.used_bytes() == 0);
  {
    KvCache half(*ops, {30, 3, 64, KvType::f16}, 100'000, budget);
    half.extend(200);
    CHECK(budget.used_bytes(MemoryTag::kv_cache) == 30 * 2 * pages(208 * 3 * 64 * 2));
  }
  KvCache small(*ops, {30, 3, 64, KvType::int8}, 100'000, budget);
  small.extend(200);
  CHECK(budget.used_bytes(MemoryTag::kv_cache) == 30 * 2 * (pages(208 * 3 * 64) + pages(208 * 3 * 4)));
}

TEST_CASE("a refused extend() leaves a key-value cache unchanged and can be repeated") {
  ThreadPool threads(1);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  for (const KvType type : {KvType::f32, KvType::f16, KvType::int8}) {
    CAPTURE(to_string(type));
    const KvShape shape{2, 2, 64, type};
    Budget budget(1 << 20);
    KvCache cache(*ops, shape, 100'000, budget);
    write(cache, shape, 50, 1);
    const std::vector<std::byte> before = rows_of(cache, 0, 50);
    Reservation other = budget.reserve(MemoryTag::weights, budget.limit_bytes() - budget.used_bytes(), "weights");
    const uint64_t used = budget.used_bytes(MemoryTag::kv_cache);
    const auto refusal = error_of([&] { cache.extend(100); });
    REQUIRE(refusal.has_value());
    CHECK(refusal->code() == Code::over_budget);
    CHECK(contains(refusal->message(), "key-value cache"));
    CHECK(budget.used_bytes(MemoryTag::kv_cache) == used);
    CHECK(rows_of(cache, 0, 50) == before);
    other.release();
    write(cache, shape, 100, 1000);
    CHECK(cache.length() == 150);
    CHECK(rows_of(cache, 0, 50) == before);
  }
}

TEST_CASE("a check for room throws where growth would, and reserves nothing") {
  ThreadPool threads(1);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  Budget budget(kMiB);
  KvCache cache(*ops, {2, 4, 64}, 4096, budget);  // 4 KiB a token
  CHECK_NOTHROW(cache.check_room(250));
  CHECK(budget.used_bytes() == 0);
  CHECK_THROWS_AS(cache.check_room(270), Error);
  CHECK_THROWS_AS(cache.check_room(5000), Error);
  cache.extend(200);
  const uint64_t before = budget.used_bytes();
  CHECK_NOTHROW(cache.check_room(250));
  CHECK(budget.used_bytes() == before);
}

TEST_CASE("saved rows are the same after another cache appended them") {
  ThreadPool threads(1);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  for (const KvType type : {KvType::f32, KvType::f16, KvType::int8}) {
    CAPTURE(to_string(type));
    KvShape shape = kShape;
    shape.type = type;
    KvCache cache(*ops, shape, 1000, Budget::unlimited()), copy(*ops, shape, 1000, Budget::unlimited());
    write(cache, shape, 300, 1);
    write(copy, shape, 7, 1000);
    const std::vector<std::byte> saved = rows_of(cache, 5, 280);
    copy.append(280, saved);
    CHECK(copy.length() == 287);
    CHECK(rows_of(copy, 7, 280) == saved);
  }
}

// The largest difference between the attention of `type` and that of f32, for few queries and for many.
double narrowing_error(Ops& ops, KvType type) {
  KvCache exact(ops, {1, 2, 40}, 500, Budget::unlimited()), rounded(ops, {1, 2, 40, type}, 500, Budget::unlimited());
  constexpr int64_t kTokens = 230;
  const Ops::Scope scope(ops);
  for (KvCache* cache : {&exact, &rounded}) {
    cache->extend(kTokens);
    const KvCache::Fresh fresh = cache->fresh_rows(0, kTokens);
    for (int64_t t = 0; t < kTokens; ++t)
      for (int64_t i = 0; i < 80; ++i) {
        fresh.keys.row<float>(t)[i] = std::sin(static_cast<float>(t * 80 + i));
        fresh.values.row<float>(t)[i] = std::cos(static_cast<float>(t * 31 + i * 7));
      }
    cache->store(0, fresh);
  }
  const AttentionSpec spec{4, 2, 40, 0.16f, true};
  double worst = 0;
  for (const int64_t queries : {int64_t(1), int64_t(3), int64_t(70)}) {
    const View q = ops.allocate(Shape{queries, 160}), a = ops.allocate(q.shape), b = ops.allocate(q.shape);
    for (int64_t t = 0; t < queries; ++t)
      for (int64_t i = 0; i < 160; ++i) q.row<float>(t)[i] = std::sin(static_cast<float>(t * 13 + i * 3));
    const AttentionSpan span{0, queries, 0, kTokens};
    exact.attend(0, spec, std::span(&span, 1), q, a);
    rounded.attend(0, spec, std::span(&span, 1), q, b);
    for (int64_t t = 0; t < queries; ++t)
      for (int64_t i = 0; i < 160; ++i)
        worst = std::max(worst, std::fabs(double(a.row<float>(t)[i]) - double(b.row<float>(t)[i])));
  }
  return worst;
}

TEST_CASE("attention over quantised keys and values agrees with f32, within rounding") {
  on_every_backend([](Ops& ops) {
    if (!ops.has_quantized_kv()) {
      for (const KvType type : {KvType::f16, KvType::int8})
        CHECK(contains(message_of([&] {
                         KvCache(ops, {2, 2, 2, type}, 10, Budget::unlimited());
                       }),
                       "has no key-value cache in"));
      CHECK(KvCache(ops, {2, 2, 2, KvType::automatic}, 10, Budget::unlimited()).bytes_per_token() == 2 * 2 * 4 * 4);
      return;
    }
    CHECK(KvCache(ops, {2, 2, 2, KvType::automatic}, 10, Budget::unlimited()).bytes_per_token() == 2 * 2 * 4 * 2);
    const double f16 = narrowing_error(ops, KvType::f16), int8 = narrowing_error(ops, KvType::int8);
    CHECK(int8 < 0.012);  // 1/254 of a value, and of a score times .16 · √40 · |q|
    CHECK(int8 > 0);
    CHECK(f16 < 0.0015);  // 2⁻¹¹ of the same
    CHECK(f16 > 0);
  });
}

TEST_CASE("the names of the types are read back, and others refused") {
  for (const KvType type : {KvType::automatic, KvType::f32, KvType::f16, KvType::int8})
    CHECK(find_named<KvType>(to_string(type)) == type);
  CHECK_FALSE(find_named<KvType>("q8_0"));
}
