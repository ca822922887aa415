#include "base/folder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "support/temp_folder.h"

using namespace frugal;
namespace fs = std::filesystem;

TEST_CASE("the entries of a folder are its files and folders; what cannot be listed has none") {
  const testing::TempFolder temp;
  const fs::path folder = temp / "folder";
  fs::create_directory(folder);
  fs::create_directory(folder / "sub");
  std::ofstream(folder / "a.txt") << "a";
  std::vector<fs::path> entries = folder_entries(folder);
  std::sort(entries.begin(), entries.end());
  CHECK(entries == std::vector<fs::path>{folder / "a.txt", folder / "sub"});
  CHECK(folder_entries(folder / "nowhere").empty());
  CHECK(folder_entries(folder / "a.txt").empty());
}
