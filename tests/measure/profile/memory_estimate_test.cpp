#include "measure/profile/memory_estimate.h"

#include <doctest/doctest.h>

#include <string>

#include "support/golden.h"

using namespace frugal;
using namespace frugal::testing;

TEST_CASE("an encoder-decoder is estimated at the longest text that it may write, by greedy and by beam search") {
  for (const char* name : {"t5", "bart"}) {
    CAPTURE(name);
    const TemporaryPack made(kRoot / "tests/golden" / name, Precision::int8);
    MemoryEstimator estimator(1);
    estimator.load("model", made.path, LoadMode::mmap);
    const MemoryEstimate brief = estimator.run("model", "the ships at dusk", 2);
    const MemoryEstimate longer = estimator.run("model", "the ships at dusk, " + std::string(200, 'x'), 60);
    CHECK(brief.working.kv_cache_bytes > 0);
    // BART's longest source takes one page of each array, as its shortest.
    if (name == std::string("t5")) CHECK(longer.working.kv_cache_bytes > brief.working.kv_cache_bytes);
    CHECK(longer.working.activation_bytes >= brief.working.activation_bytes);
  }
}
