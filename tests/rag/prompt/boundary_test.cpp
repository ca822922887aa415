#include "rag/prompt/boundary.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "support/temp_folder.h"

using namespace frugal;
using testing::TempFolder;

namespace {

constexpr auto kOwnerOnly = std::filesystem::perms::owner_read | std::filesystem::perms::owner_write;

}  // namespace

TEST_CASE("a boundary is 32 hexadecimal digits and depends on the source and the secret") {
  const BoundaryKey key, other;
  const std::string boundary = key.boundary("a source");
  CHECK(boundary.size() == 32);
  CHECK(boundary.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(boundary == key.boundary("a source"));
  CHECK(boundary != key.boundary("a source " + boundary));
  CHECK(boundary != other.boundary("a source"));
}

TEST_CASE("a secret in a file is the same for the next process, and readable by its owner only") {
  const TempFolder folder;
  const auto file = folder.path() / "new folder" / "key";
  const std::string boundary = BoundaryKey(file).boundary("x");
  CHECK(BoundaryKey(file).boundary("x") == boundary);
  CHECK(std::filesystem::status(file).permissions() == kOwnerOnly);
  CHECK(std::distance(std::filesystem::directory_iterator(file.parent_path()), {}) == 1);
}

TEST_CASE("a secret that is truncated or readable by others is replaced") {
  const TempFolder folder;
  const auto file = folder.path() / "key";
  const std::string boundary = BoundaryKey(file).boundary("x");
  std::filesystem::permissions(file, std::filesystem::perms::group_read, std::filesystem::perm_options::add);
  const std::string second = BoundaryKey(file).boundary("x");
  CHECK(second != boundary);
  CHECK(std::filesystem::status(file).permissions() == kOwnerOnly);
  std::filesystem::resize_file(file, 5);
  const std::string third = BoundaryKey(file).boundary("x");
  CHECK(third != second);
  CHECK(BoundaryKey(file).boundary("x") == third);
}

TEST_CASE("if no secret can be kept, the process uses one of its own") {
  const TempFolder folder;
  std::ofstream(folder.path() / "file") << "not a folder";
  const auto file = folder.path() / "file" / "key";
  CHECK(BoundaryKey(file).boundary("x") != BoundaryKey(file).boundary("x"));
}
