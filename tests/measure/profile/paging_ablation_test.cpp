#include "measure/profile/paging_ablation.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "base/units.h"
#include "measure/bench/disk_rate.h"
#include "support/temp_folder.h"

using namespace frugal;

namespace {

// 100 MiB of weights with room for 60, on a disk of 1 MiB a millisecond.
PagingRun some_run() {
  PagingRun run;
  run.pager.total_bytes = 100 * kMiB;
  run.pager.capacity_bytes = 60 * kMiB;
  run.pager.paging = true;
  run.pager.read_blocks = 110;
  run.simulated.belady = 100;
  run.disk_bytes_per_second = 1000.0 * kMiB;
  run.same_tokens = true;
  return run;
}

}  // namespace

TEST_CASE("a token takes at best what the disk needs for what cannot be resident, or what computing takes") {
  PagingRun run = some_run();
  CHECK(run.bytes_not_resident() == 40 * kMiB);
  CHECK(*run.least_ms_per_token(10) == doctest::Approx(40));
  CHECK(*run.least_ms_per_token(55) == doctest::Approx(55));
  CHECK(run.reads_to_optimum() == doctest::Approx(1.1));
  run.disk_bytes_per_second.reset();
  CHECK_FALSE(run.least_ms_per_token(10).has_value());
  run.simulated.belady = 0;
  CHECK(run.reads_to_optimum() == 1);
}

TEST_CASE("other tokens or too much memory fail, and one such run is enough") {
  PagingAblation ablation;
  ablation.plan.budget_bytes = 50 * kMiB;
  CHECK(ablation.rss_limit_bytes() == 67 * kMiB);
  ablation.runs = {some_run(), some_run()};
  ablation.runs[0].peak_rss_bytes = 67 * kMiB;
  CHECK(ablation.passed());
  ablation.runs[1].peak_rss_bytes = 67 * kMiB + 1;
  CHECK_FALSE(ablation.passed());
  ablation.runs[1].peak_rss_bytes = 0;
  ablation.runs[1].same_tokens = false;
  CHECK_FALSE(ablation.passed());
}

TEST_CASE("without a budget there is nothing to measure") {
  CHECK_THROWS_AS(measure_paging({}, [](const auto& body) { return body(); }), Error);
}

TEST_CASE("a disk has a rate, if the file is long enough and the file system lets it be read past the cache") {
  const testing::TempFolder folder;
  testing::write_file(folder / "long", std::string(9 * kMiB, 'x'));
  testing::write_file(folder / "short", "x");
  if (const auto rate = sequential_read_rate(folder / "long")) CHECK(*rate > 0);
  CHECK_FALSE(sequential_read_rate(folder / "short").has_value());
  CHECK_FALSE(sequential_read_rate(folder / "absent").has_value());
}
