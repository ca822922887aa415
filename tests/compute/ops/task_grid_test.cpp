#include "compute/ops/task_grid.h"

#include <doctest/doctest.h>

#include <set>
#include <tuple>

using namespace frugal;

TEST_CASE("each task of each part has one number, the inner index varies fastest, and empty parts have none") {
  TaskGrid grid(5);
  const int64_t shapes[][2] = {{0, 3}, {2, 3}, {4, 0}, {1, 1}, {3, 2}};
  int64_t total = 0;
  for (const auto& [outer, inner] : shapes) {
    grid.add(outer, inner);
    total += outer * inner;
  }
  REQUIRE(grid.tasks() == total);
  std::set<std::tuple<size_t, int64_t, int64_t>> seen;
  std::tuple<size_t, int64_t, int64_t> last{0, -1, -1};
  for (int64_t number = 0; number < total; ++number) {
    const TaskGrid::Task task = grid.at(number);
    const std::tuple place{task.part, task.outer, task.inner};
    CHECK(place > last);
    last = place;
    CHECK(task.outer < shapes[task.part][0]);
    CHECK(task.inner < shapes[task.part][1]);
    seen.insert(place);
  }
  CHECK(static_cast<int64_t>(seen.size()) == total);
}
