// What is the same index on two machines (Store::content_identity), by which they share cached answers.
#include <doctest/doctest.h>

#include <filesystem>
#include <set>
#include <string>

#include "memory/budget.h"
#include "rag/index/store.h"
#include "rag/index/two_files.h"
#include "rag/index_fakes.h"
#include "support/temp_folder.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

std::string identity_of(const std::filesystem::path& index) {
  return open_store(index, Budget::unlimited())->content_identity();
}

}  // namespace

TEST_CASE_FIXTURE(TwoFiles, "a copy of an index is the same, and every change makes another") {
  CountingEmbedder embedder;
  add(*this, &embedder);
  const std::string first = identity_of(*this / "index");
  CHECK(first.size() == 64);
  CHECK(identity_of(*this / "index") == first);
  std::filesystem::copy(*this / "index", *this / "copy", std::filesystem::copy_options::recursive);
  CHECK(identity_of(*this / "copy") == first);

  std::set<std::string> seen = {first};
  const auto is_new = [&] { return seen.insert(identity_of(*this / "index")).second; };
  write_file(*this / "docs/penguins.txt", "Penguins swim in other seas.");
  add(*this, &embedder);
  CHECK(is_new());
  std::filesystem::rename(*this / "docs/penguins.txt", *this / "docs/birds.txt");
  add(*this, &embedder);
  CHECK(is_new());
  std::filesystem::remove(*this / "docs/birds.txt");
  add(*this, &embedder);
  CHECK(is_new());
  CountingEmbedder other("another");
  IndexOptions options = options_with(&other);
  options.re_embed = true;
  IndexWriter(*this / "index", std::move(options)).add({(*this / "docs").native()});
  CHECK(is_new());
  CHECK(identity_of(*this / "copy") == first);
}
