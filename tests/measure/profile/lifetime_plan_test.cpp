#include "measure/profile/lifetime_plan.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace frugal;

namespace {

bool alive_together(const TensorLifetime& a, const TensorLifetime& b) {
  return a.first <= b.last && b.first <= a.last;
}

uint64_t rounded(const TensorLifetime& tensor) {
  return (tensor.bytes + 63) / 64 * 64;
}

}  // namespace

TEST_CASE("a chain of tensors, each read once by the next operation, takes the largest pair") {
  const TensorLifetime chain[] = {{640, 0, 1}, {1280, 1, 2}, {64, 2, 3}, {640, 3, 4}};
  const LifetimePlan plan = plan_lifetimes(chain);
  CHECK(plan.peak_live_bytes == 640 + 1280);
  CHECK(plan.planned_bytes == 640 + 1280);
}

TEST_CASE("nothing takes nothing") {
  CHECK(plan_lifetimes({}).planned_bytes == 0);
  CHECK(plan_lifetimes({}).peak_live_bytes == 0);
}

TEST_CASE("tensors that live at once never overlap, and no plan is below what lives at once") {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<TensorLifetime> tensors(random() % 40);
    for (TensorLifetime& tensor : tensors) {
      tensor.first = random() % 30;
      tensor.last = tensor.first + random() % 10;
      tensor.bytes = 1 + random() % 5000;
    }
    const LifetimePlan plan = plan_lifetimes(tensors);
    uint64_t most = 0, end = 0;
    for (int64_t operation = 0; operation < 40; ++operation) {
      uint64_t live = 0;
      for (const TensorLifetime& tensor : tensors)
        if (tensor.first <= operation && operation <= tensor.last) live += rounded(tensor);
      most = std::max(most, live);
    }
    for (size_t i = 0; i < tensors.size(); ++i) {
      end = std::max(end, plan.offsets[i] + rounded(tensors[i]));
      CHECK(plan.offsets[i] % 64 == 0);
      for (size_t j = 0; j < i; ++j)
        if (alive_together(tensors[i], tensors[j]))
          CHECK((plan.offsets[i] + rounded(tensors[i]) <= plan.offsets[j] ||
                 plan.offsets[j] + rounded(tensors[j]) <= plan.offsets[i]));
    }
    CHECK(plan.peak_live_bytes == most);
    CHECK(plan.planned_bytes == end);
    CHECK(plan.planned_bytes >= plan.peak_live_bytes);
  }
}
