// A ForwardingOps observes every operation of another backend and changes none.
#include <doctest/doctest.h>

#include <set>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "compute/ops/ops.h"
#include "memory/budget.h"

using namespace frugal;

namespace {

class Watching final : public ForwardingOps {
 public:
  using ForwardingOps::ForwardingOps;
  std::vector<std::set<const void*>> read, written;

 protected:
  void on_operation(std::span<const View> reads, std::span<const View> writes) override {
    const auto addresses = [](std::span<const View> views) {
      std::set<const void*> result;
      for (const View& view : views) result.insert(view.data);
      return result;
    };
    read.push_back(addresses(reads));
    written.push_back(addresses(writes));
  }
};

}  // namespace

TEST_CASE("operations are forwarded to the inner backend, after a report of their reads and writes") {
  ThreadPool threads(1);
  const auto native = make_cpu_ops(threads, Budget::unlimited());
  Watching ops(native.get());
  CHECK(ops.name() == native->name());
  const void* first = nullptr;
  for (int i = 0; i < 2; ++i) {
    const Ops::Scope scope(ops);
    const View a = ops.allocate(Shape{1, 2}), b = ops.allocate(Shape{1, 2}), out = ops.allocate(Shape{1, 2});
    if (!first) first = a.data;
    CHECK(a.data == first);  // scopes belong to the inner backend
    ops.upload(std::vector<float>{1, 2}, a);
    ops.upload(std::vector<float>{3, 4}, b);
    ops.add(a, b, out);
    ops.normalize_rows(a);
    CHECK(ops.read[2 + 4 * size_t(i)] == std::set<const void*>{a.data, b.data});
    CHECK(ops.written[2 + 4 * size_t(i)] == std::set<const void*>{out.data});
    CHECK(ops.written[3 + 4 * size_t(i)] == std::set<const void*>{a.data});
    CHECK(out.row<float>(0)[0] == 4);
    CHECK(out.row<float>(0)[1] == 6);
  }
}

TEST_CASE("without an inner backend operations are observed and compute nothing, and memory is an error") {
  Watching ops(nullptr);
  float values[2] = {1, 2};
  const View x(values, DType::f32, Shape{1, 2});
  ops.add(x, x, x);
  CHECK(ops.written == std::vector<std::set<const void*>>{{x.data}});
  CHECK(values[0] == 1);
  CHECK_THROWS_AS(ops.allocate(Shape{1, 2}), Error);
}
