#include "telemetry/page_cache.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "support/temp_folder.h"

using namespace frugal;
namespace fs = std::filesystem;

namespace {

fs::path write(const testing::TempFolder& folder, const fs::path& name, const std::string& text) {
  testing::write_file(folder.path() / name, text);
  return folder.path() / name;
}

}  // namespace

TEST_CASE("residency is the page cache's, whole after reading and gone after dropping") {
  const testing::TempFolder folder;
  const fs::path file = write(folder, "data", std::string(8 * kMiB, 'x'));
  CHECK(read_file(file).size() == 8 * kMiB);
  const std::optional<Residency> read = page_cache_residency(file);
  REQUIRE(read.has_value());
  CHECK(read->file_bytes == 8 * kMiB);
  CHECK(read->resident_bytes == 8 * kMiB);
  drop_from_page_cache(file);
  const std::optional<Residency> dropped = page_cache_residency(file);
  // A file system in memory (tmpfs) has nothing below it to drop to.
  if (dropped->resident_bytes == 8 * kMiB)
    MESSAGE("SKIP: the temporary folder lives in memory");
  else
    CHECK(dropped->resident_bytes < 8 * kMiB / 100);
}

TEST_CASE("residency of an empty file is nothing, of a missing one an error that names it") {
  const testing::TempFolder folder;
  CHECK(page_cache_residency(write(folder, "empty", ""))->file_bytes == 0);
  CHECK_THROWS_AS(page_cache_residency(folder.path() / "nope"), Error);
  CHECK_THROWS_AS(drop_from_page_cache(folder.path() / "nope"), Error);
}
