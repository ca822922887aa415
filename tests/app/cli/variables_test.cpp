#include "app/cli/variables.h"

#include <doctest/doctest.h>

using namespace frugal::cli;

TEST_CASE("a variable is named like its long flag") {
  CHECK(environment_name("top-k") == "FRUGAL_TOP_K");
}

TEST_CASE("variables that no tool has are named with the nearest one; others are left alone") {
  const char* const environment[] = {"PATH=/bin",     "FRUGAL_THREADS=3", "FRUGAL_TOPK=3",   "FRUGAL_MODELS=m",
                                     "FRUGAL_QUUX=1", "FRUGALITY=1",      "FRUGAL_NO_EMBED", nullptr};
  const auto lines = unknown_variables(environment);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].find("'FRUGAL_TOPK'") != std::string::npos);
  CHECK(lines[0].find("did you mean 'FRUGAL_TOP_K'?") != std::string::npos);
  CHECK(lines[1].find("'FRUGAL_QUUX'") != std::string::npos);
  CHECK(lines[1].find("did you mean") == std::string::npos);
}
