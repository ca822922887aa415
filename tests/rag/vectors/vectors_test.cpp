// Vectors that do not fit in the budget give the same hits, and their resident pages stay within it.
#include "rag/vectors/vectors.h"
#include "memory/budget.h"

#include <doctest/doctest.h>

#include <random>

#include "base/error.h"
#include "base/units.h"
#include "support/temp_folder.h"
#include "telemetry/process_memory.h"

using namespace frugal;
using frugal::testing::TempFolder;

namespace {

constexpr int64_t kRows = 40'000;  // 15 MiB

// A file of random unit vectors, and a question near one of them.
struct ManyVectors : TempFolder {
  ManyVectors() {
    VectorAppender appender(*this / "v", layout, 0);
    std::vector<float> vector(static_cast<size_t>(layout.dimension));
    std::mt19937 random(7);
    for (int64_t row = 0; row < kRows; ++row) {
      std::normal_distribution<float> normal(0, 0.05f);
      for (float& value : vector) value = normal(random);
      appender.append(vector);
      if (row == kRows - 9) question = vector;
    }
    appender.sync();
  }
  VectorLayout layout{384, 42};
  std::vector<float> question;
};

std::vector<std::pair<int64_t, float>> hits(const VectorFile& file, const std::vector<float>& question) {
  std::vector<std::pair<int64_t, float>> result;
  for (const ScoredRow& hit : file.search(question, 20)) result.emplace_back(hit.row, hit.score);
  return result;
}

}  // namespace

TEST_CASE_FIXTURE(ManyVectors, "vectors that do not fit are searched through a window, with the same hits") {
  const auto expected = hits(VectorFile(*this / "v", layout, kRows, Budget::unlimited()), question);
  CHECK(expected.at(0).first == kRows - 9);
  Budget budget(7 * kMiB);
  const VectorFile file(*this / "v", layout, kRows, budget);
  CHECK(budget.used_bytes(MemoryTag::index) == 7 * kMiB);
  CHECK(hits(file, question) == expected);
  // A fault may map up to 64 KiB of neighbouring pages.
  const auto resident = mapped_resident_bytes(*this / "v");
  REQUIRE(resident);
  CHECK(*resident <= 7 * kMiB);
  CHECK(*resident >= 2 * kMiB);  // the part that may stay resident
}

TEST_CASE_FIXTURE(ManyVectors, "vectors that fit are reserved as a whole and stay resident") {
  Budget budget(64 * kMiB);
  const VectorFile file(*this / "v", layout, kRows, budget);
  CHECK(budget.used_bytes(MemoryTag::index) == std::filesystem::file_size(*this / "v"));
  hits(file, question);
  CHECK(*mapped_resident_bytes(*this / "v") >= layout.file_bytes(kRows) - kMiB);
}

TEST_CASE_FIXTURE(ManyVectors, "other reservations reclaim the memory of vectors, down to a window") {
  Budget budget(32 * kMiB);
  const VectorFile file(*this / "v", layout, kRows, budget);
  const auto before = hits(file, question);
  const Reservation other = budget.reserve(MemoryTag::weights, 26 * kMiB, "a model");
  CHECK(budget.used_bytes(MemoryTag::index) <= 6 * kMiB);
  CHECK(*mapped_resident_bytes(*this / "v") <= 6 * kMiB);
  CHECK(hits(file, question) == before);
  CHECK(*mapped_resident_bytes(*this / "v") <= 6 * kMiB);
  CHECK_THROWS_AS(budget.reserve(MemoryTag::weights, 5 * kMiB, "another"), Error);
}

TEST_CASE_FIXTURE(ManyVectors, "a budget without room for a window is an error") {
  Budget budget(kMiB);
  try {
    VectorFile(*this / "v", layout, kRows, budget);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == Code::over_budget);
  }
  CHECK(budget.used_bytes() == 0);
}

TEST_CASE("a number of rows that no file can have is a damaged file, to a reader and to a writer") {
  TempFolder folder;
  const VectorLayout layout{384, 42};
  VectorAppender(folder / "v", layout, 0).append(std::vector<float>(384, 0.05f));
  for (const int64_t rows : {int64_t{1} << 61, int64_t{1} << 62, INT64_MAX, int64_t{-1}, int64_t{257}}) {
    CAPTURE(rows);
    CHECK_THROWS_AS(VectorFile(folder / "v", layout, rows, Budget::unlimited()), Error);
    CHECK_THROWS_AS(VectorAppender(folder / "v", layout, rows), Error);
  }
  CHECK(VectorFile(folder / "v", layout, 1, Budget::unlimited()).intact(0));
}
