// A postings file finds what a loop over all rows finds, however the rows came into it, and a damaged or hostile file
// is an error.
#include "rag/postings/postings.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <random>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/units.h"
#include "memory/budget.h"
#include "support/temp_folder.h"
#include "telemetry/process_memory.h"

using namespace frugal;
using frugal::testing::TempFolder;

namespace {

using Weights = std::vector<TokenWeight>;
constexpr uint64_t kId = 42;
constexpr TokenId kVocabulary = 5000;

// Rows with up to `longest` tokens, of which few are frequent, and some rows without any.
std::vector<Weights> random_rows(size_t count, size_t longest, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Weights> rows(count);
  for (Weights& row : rows) {
    std::map<TokenId, float> weights;
    for (size_t i = random() % (longest + 1); i > 0; --i) {
      const double share = double(random()) / double(std::mt19937::max());
      weights[static_cast<TokenId>(double(kVocabulary - 1) * share * share * share)] =
          0.01f + 0.5f * static_cast<float>(random() % 1000) / 1000;
    }
    for (const auto& [token, weight] : weights) row.push_back({token, weight});
  }
  return rows;
}

PostingsExtent write(const std::filesystem::path& path, const std::vector<Weights>& rows, size_t rows_per_sync) {
  PostingsAppender appender(path, kId, {});
  for (size_t i = 0; i < rows.size(); ++i) {
    appender.append(rows[i]);
    if (i % rows_per_sync == rows_per_sync - 1) appender.sync();
  }
  return appender.sync();
}

// The oracle: every row is compared, with the weights as they were given.
std::vector<std::pair<int64_t, double>> all_hits(const std::vector<Weights>& rows, const Weights& query,
                                                 const std::vector<bool>* only = nullptr) {
  std::vector<std::pair<int64_t, double>> hits;
  for (size_t row = 0; row < rows.size(); ++row) {
    double score = 0;
    for (const TokenWeight& a : query)
      for (const TokenWeight& b : rows[row])
        if (a.token == b.token) score += double(a.weight) * b.weight;
    if (score > 0 && (!only || (*only)[row])) hits.emplace_back(row, score);
  }
  return hits;
}

void check_search(const PostingsFile& file, const std::vector<Weights>& rows, const Weights& query,
                  const std::vector<bool>* only = nullptr) {
  std::map<int64_t, double> expected;
  for (const auto& [row, score] : all_hits(rows, query, only)) expected[row] = score;
  const std::vector<ScoredRow> found = file.search(query, file.rows(), only);
  REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].score == doctest::Approx(expected.at(found[i].row)).epsilon(1e-3));
    const bool in_order = i == 0 || found[i - 1].score > found[i].score ||
                          (found[i - 1].score == found[i].score && found[i - 1].row < found[i].row);
    CHECK(in_order);
  }
  const std::vector<ScoredRow> first = file.search(query, 7, only);
  REQUIRE(first.size() == std::min<size_t>(7, found.size()));
  for (size_t i = 0; i < first.size(); ++i) CHECK(first[i].row == found[i].row);
  CHECK(file.search(query, 0, only).empty());
  CHECK(file.search(query, -1, only).empty());
}

std::string error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    CHECK(error.code() == Code::corrupt_file);
    return error.message();
  }
  return "";
}

}  // namespace

TEST_CASE("a stored weight differs from the given one by less than a thousandth") {
  for (double weight = 1.0 / (1 << 15) * 1.01; weight < 131'000; weight *= 1.0037) {
    const auto given = static_cast<float>(weight);
    CHECK(std::abs(unpack_weight(pack_weight(given)) - given) <= given / 4096);
  }
  CHECK(pack_weight(0) == 0);
  CHECK(pack_weight(-1) == 0);
  CHECK(pack_weight(1e-6f) == 0);
  CHECK(pack_weight(std::nanf("")) == 0);
  CHECK(unpack_weight(pack_weight(2e-5f)) == doctest::Approx(1.0 / (1 << 15)).epsilon(1e-3));
  CHECK(unpack_weight(pack_weight(std::numeric_limits<float>::infinity())) == 131'040.0f);
  for (uint32_t packed = 1; packed < 65'536; ++packed)
    REQUIRE(pack_weight(unpack_weight(static_cast<uint16_t>(packed))) == packed);
}

TEST_CASE("a search finds the rows of a loop over all, in any number of blocks, alone and within a set") {
  const std::vector<Weights> rows = random_rows(3000, 40, 7), queries = random_rows(20, 12, 8);
  std::vector<bool> some(rows.size()), none(rows.size());
  for (size_t i = 0; i < some.size(); i += 3) some[i] = i < 1000 || i > 2000;
  for (const size_t rows_per_sync : {size_t(11), size_t(128), rows.size()}) {
    CAPTURE(rows_per_sync);
    TempFolder folder;
    const PostingsExtent valid = write(folder / "p", rows, rows_per_sync);
    const PostingsFile file(folder / "p", kId, valid, Budget::unlimited());
    CHECK(file.rows() == 3000);
    CHECK(file.blocks() == (rows.size() + rows_per_sync - 1) / rows_per_sync);
    for (const Weights& query : queries) {
      check_search(file, rows, query);
      check_search(file, rows, query, &some);
      CHECK(file.search(query, 10, &none).empty());
    }
    for (size_t block = 0; block < file.blocks(); ++block) CHECK(file.intact(block));
    CHECK(file.search(Weights{{kVocabulary + 1, 1}, {-1, 1}}, 10).empty());
    CHECK(file.search({}, 10).empty());
  }
}

TEST_CASE("the scores do not depend on how the rows are distributed over blocks") {
  const std::vector<Weights> rows = random_rows(2000, 30, 9), queries = random_rows(5, 9, 10);
  TempFolder folder;
  const PostingsFile one(folder / "a", kId, write(folder / "a", rows, 2000), Budget::unlimited());
  const PostingsFile many(folder / "b", kId, write(folder / "b", rows, 11), Budget::unlimited());
  for (const Weights& query : queries) {
    const auto a = one.search(query, 2000), b = many.search(query, 2000);
    REQUIRE(a.size() == b.size());
    for (size_t i = 0; i < a.size(); ++i) CHECK((a[i].row == b[i].row && a[i].score == b[i].score));
  }
}

TEST_CASE("full blocks are written before a sync, and their rows can be read back and appended to another file") {
  std::vector<Weights> rows = random_rows(PostingsAppender::kRowsPerBlock + 10, 3, 11);
  TempFolder folder;
  const PostingsFile file(folder / "p", kId, write(folder / "p", rows, rows.size() + 1), Budget::unlimited());
  REQUIRE(file.blocks() == 2);
  PostingsAppender copy(folder / "q", kId + 1, {});
  size_t row = 0;
  for (size_t block = 0; block < file.blocks(); ++block) {
    for (const Weights& read : file.rows_of(block)) {
      REQUIRE(read.size() == rows[row].size());
      for (size_t i = 0; i < read.size(); ++i) {
        CHECK(read[i].token == rows[row][i].token);
        CHECK(read[i].weight == doctest::Approx(rows[row][i].weight).epsilon(1e-3));
      }
      copy.append(read);
      ++row;
    }
  }
  CHECK(row == rows.size());
  const PostingsFile copied(folder / "q", kId + 1, copy.sync(), Budget::unlimited());
  CHECK(copied.postings() == file.postings());
  check_search(copied, rows, random_rows(1, 9, 12).front());
}

TEST_CASE("many postings end a block, so that a reader needs little memory at once") {
  TempFolder folder;
  Weights wide;
  for (TokenId token = 0; token < 100'000; ++token) wide.push_back({token, 0.5f});
  PostingsAppender appender(folder / "p", kId, {});
  for (int row = 0; row < 25; ++row) appender.append(wide);
  const PostingsExtent valid = appender.sync();
  CHECK(PostingsFile(folder / "p", kId, valid, Budget::unlimited()).blocks() == 3);
  Budget budget(6 * kMiB);
  const PostingsFile file(folder / "p", kId, valid, budget);
  CHECK(budget.used_bytes(MemoryTag::index) < 6 * kMiB);
  CHECK(file.search(wide, 100).size() == 25);
  CHECK(*mapped_resident_bytes(folder / "p") <= 6 * kMiB);
  Budget none(kMiB);
  CHECK_THROWS_AS(PostingsFile(folder / "p", kId, valid, none), Error);
  CHECK(none.used_bytes() == 0);
}

TEST_CASE("other reservations reclaim the memory of the postings, with the same hits") {
  TempFolder folder;
  const std::vector<Weights> rows = random_rows(40'000, 60, 13);
  const PostingsExtent valid = write(folder / "p", rows, 4000);
  Budget budget(16 * kMiB);
  const PostingsFile file(folder / "p", kId, valid, budget);
  CHECK(budget.used_bytes(MemoryTag::index) == std::filesystem::file_size(folder / "p"));
  const Weights query = random_rows(1, 20, 14).front();
  const auto before = file.search(query, 50);
  const Reservation other = budget.reserve(MemoryTag::weights, 14 * kMiB, "a model");
  const auto after = file.search(query, 50);
  CHECK(*mapped_resident_bytes(folder / "p") <= 2 * kMiB);
  REQUIRE(after.size() == before.size());
  for (size_t i = 0; i < after.size(); ++i) CHECK(after[i].row == before[i].row);
}

TEST_CASE("rows that a killed writer left are overwritten") {
  const std::vector<Weights> rows = random_rows(300, 20, 15), other = random_rows(100, 20, 16);
  TempFolder folder;
  PostingsExtent counted;
  {
    PostingsAppender appender(folder / "p", kId, {});
    for (const Weights& row : rows) appender.append(row);
    counted = appender.sync();
    for (const Weights& row : other) appender.append(row);
    appender.sync();  // not counted
  }
  check_search(PostingsFile(folder / "p", kId, counted, Budget::unlimited()), rows, other[3]);
  std::vector<Weights> all = rows;
  PostingsAppender appender(folder / "p", kId, counted);
  for (size_t i = 50; i < 100; ++i) {
    appender.append(other[i]);
    all.push_back(other[i]);
  }
  check_search(PostingsFile(folder / "p", kId, appender.sync(), Budget::unlimited()), all, other[3]);
}

TEST_CASE("counts and bytes that do not match are a damaged file, to a reader and to a writer") {
  TempFolder folder;
  const PostingsExtent valid = write(folder / "p", random_rows(300, 20, 17), 100);
  const auto open = [&](uint64_t id, PostingsExtent extent) {
    return error_of([&] { PostingsFile(folder / "p", id, extent, Budget::unlimited()); });
  };
  CHECK(open(kId, valid).empty());
  CHECK(open(kId + 1, valid).find("another index") != std::string::npos);
  for (const int64_t rows : {int64_t{-1}, int64_t{99}, int64_t{301}, INT64_MAX})
    CHECK(!open(kId, {rows, valid.bytes}).empty());
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{64}, valid.bytes - 8, valid.bytes + 8, UINT64_MAX})
    CHECK(!open(kId, {300, bytes}).empty());
  for (const PostingsExtent& extent : {PostingsExtent{300, valid.bytes + 8}, PostingsExtent{-1, valid.bytes}})
    CHECK(!error_of([&] { PostingsAppender(folder / "p", kId, extent); }).empty());
  CHECK(!error_of([&] { PostingsAppender(folder / "p", kId + 1, valid); }).empty());
}

TEST_CASE("a file with any byte changed never reads outside, and its check or its opening finds it") {
  TempFolder folder;
  const std::vector<Weights> rows = random_rows(20, 8, 18);
  const PostingsExtent valid = write(folder / "p", rows, 10);
  const std::string bytes = read_file(folder / "p");
  const Weights query = random_rows(1, 300, 19).front();
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const char mask : {'\x01', '\x80', '\xff'}) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ mask);
      std::ofstream(folder / "q", std::ios::binary).write(damaged.data(), std::streamsize(damaged.size()));
      bool found = false;
      try {
        const PostingsFile file(folder / "q", kId, valid, Budget::unlimited());
        for (size_t block = 0; block < file.blocks(); ++block) found |= !file.intact(block);
        file.search(query, 100);
      } catch (const Error& error) {
        CHECK(error.code() == Code::corrupt_file);
        found = true;
      }
      CAPTURE(at);
      CHECK(found);
    }
  }
}

TEST_CASE("a block whose checksums match and whose lists are wrong is not intact, and is searched within its bounds") {
  // One block of a row and two tokens, written by hand: ends and rows as given.
  struct Block {
    uint32_t rows = 1, tokens = 2;
    uint64_t postings = 2, content_checksum = 0, checksum = 0;
    uint32_t ids[2] = {3, 5}, ends[2] = {1, 2};
    Posting list[2] = {{0, 30'000}, {0, 30'000}};
  };
  static_assert(sizeof(Block) == 56);
  TempFolder folder;
  write(folder / "p", {}, 1);
  const std::string header = read_file(folder / "p");
  const auto open = [&](Block block, const std::function<void(const PostingsFile&)>& use) {
    const auto bytes = std::as_bytes(std::span(&block, 1));
    block.content_checksum = checksum64(bytes.subspan(32), kId ^ 64);
    block.checksum = checksum64(bytes.first(24), kId ^ 64);
    std::ofstream(folder / "q", std::ios::binary)
        << header << std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    use(PostingsFile(folder / "q", kId, {block.rows, 64 + sizeof block}, Budget::unlimited()));
  };
  const Weights query = {{3, 1}, {5, 1}};
  open({}, [&](const PostingsFile& file) {
    CHECK(file.intact(0));
    CHECK(file.search(query, 5).size() == 1);
  });
  const auto is_refused = [&](const Block& block) {
    open(block, [&](const PostingsFile& file) {
      CHECK_FALSE(file.intact(0));
      error_of([&] { file.search(query, 5); });
      CHECK(!error_of([&] { file.rows_of(0); }).empty());
    });
  };
  is_refused({.ids = {5, 3}});
  is_refused({.ends = {2, 1}});
  is_refused({.ends = {1, 4'000'000'000}});
  is_refused({.ends = {1, 1}});
  is_refused({.list = {{0, 1}, {65'535, 1}}});
  is_refused({.rows = 2, .ends = {2, 2}, .list = {{1, 1}, {0, 1}}});
  for (const Block& block : {Block{.rows = 0}, Block{.rows = 70'000}, Block{.tokens = 4'000'000'000},
                             Block{.postings = UINT64_MAX / 4}, Block{.postings = 100}})
    CHECK(!error_of([&] { open(block, [](const PostingsFile&) {}); }).empty());
}
