#include "memory/pager.h"
#include "memory/budget.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <sys/wait.h>

#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/units.h"

using namespace frugal;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kBytes = 16 * kMiB;
constexpr uint64_t kPiece = 96 * 1024;  // no multiple of a block

// A file of 16 MiB whose 64-bit words are a function of their place.
class WeightsFile {
 public:
  WeightsFile() : path_(fs::temp_directory_path() / fmt::format("frugal-pager-{}", ::getpid())) {
    std::vector<uint64_t> words(kBytes / 8);
    for (size_t i = 0; i < words.size(); ++i) words[i] = word_at(i);
    std::ofstream(path_, std::ios::binary).write(reinterpret_cast<const char*>(words.data()), kBytes);
  }
  ~WeightsFile() { fs::remove(path_); }
  const fs::path& path() const { return path_; }
  static uint64_t word_at(uint64_t i) { return i * 0x9e3779b97f4a7c15u ^ (i >> 7); }

 private:
  fs::path path_;
};

bool holds_its_words(const MappedFile& file, uint64_t offset, uint64_t bytes) {
  for (uint64_t at = offset; at < offset + bytes; at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, file.bytes().data() + at, 8);
    if (word != WeightsFile::word_at(at / 8)) return false;
  }
  return true;
}

// Reads the file from the first piece to the last under pins; false if a byte was not what the file has.
bool read_through(const MappedFile& file, Pager& pager) {
  bool right = true;
  for (uint64_t at = 0; at + kPiece <= kBytes; at += kPiece) {
    const Pager::Pin pin = pager.pin(file.bytes().subspan(at, kPiece));
    right &= holds_its_words(file, at, kPiece);
  }
  return right;
}

// Nothing is read but what is asked for.
PagerOptions without_readers(BlockSource source) {
  PagerOptions options;
  options.source = source;
  options.readers = 0;
  return options;
}

const std::array kSources = {BlockSource::mapped, BlockSource::direct};
const std::array kPolicies = {PagePolicyKind::predictive, PagePolicyKind::lru, PagePolicyKind::clock};

}  // namespace

TEST_CASE("weights that fit are reserved whole and left alone") {
  const WeightsFile weights;
  const MappedFile file(weights.path());
  Budget budget(20 * kMiB);
  const std::array runs = {file.bytes()};
  Pager pager(file, runs, budget);
  CHECK_FALSE(pager.stats().paging);
  CHECK(budget.used_bytes(MemoryTag::weights) == kBytes);
  CHECK(read_through(file, pager));
  CHECK(pager.stats().read_bytes == 0);
}

TEST_CASE(
    "every byte is right under a pin, however read and whatever the policy, and no more is resident than may be") {
  const WeightsFile weights;
  for (const BlockSource source : kSources)
    for (const PagePolicyKind policy : kPolicies) {
      CAPTURE(to_string(source));
      CAPTURE(to_string(policy));
      const MappedFile file(weights.path());
      Budget budget(8 * kMiB);
      const std::array runs = {file.bytes()};
      PagerOptions options;
      options.source = source;
      options.policy = policy;
      Pager pager(file, runs, budget, options);
      REQUIRE(pager.stats().paging);
      for (int pass = 0; pass < 4; ++pass) {
        CHECK(read_through(file, pager));
        CHECK(pager.stats().resident_bytes <= pager.stats().capacity_bytes);
      }
      CHECK(budget.used_bytes() <= 8 * kMiB);
      CHECK(pager.stats().read_bytes > kBytes);
    }
}

TEST_CASE("the predictive policy reads less than LRU") {
  const WeightsFile weights;
  std::array<uint64_t, 2> read{};
  for (const size_t i : {0u, 1u}) {
    const MappedFile file(weights.path());
    Budget budget(12 * kMiB);
    const std::array runs = {file.bytes()};
    PagerOptions options;
    options.policy = kPolicies[i];
    options.source = BlockSource::mapped;
    Pager pager(file, runs, budget, options);
    for (int pass = 0; pass < 10; ++pass) CHECK(read_through(file, pager));
    read[i] = pager.stats().read_bytes;
  }
  CHECK(read[0] * 10 < read[1] * 7);
}

TEST_CASE("two threads that read at once both read right") {
  const WeightsFile weights;
  for (const BlockSource source : kSources) {
    const MappedFile file(weights.path());
    Budget budget(8 * kMiB);
    const std::array runs = {file.bytes()};
    PagerOptions options;
    options.source = source;
    Pager pager(file, runs, budget, options);
    bool right[2] = {true, true};
    std::thread other([&] {
      for (int pass = 0; pass < 3; ++pass) right[1] &= read_through(file, pager);
    });
    for (int pass = 0; pass < 3; ++pass) right[0] &= read_through(file, pager);
    other.join();
    CHECK(right[0]);
    CHECK(right[1]);
  }
}

TEST_CASE("others get their memory before they are refused, and the weights are still right") {
  const WeightsFile weights;
  const MappedFile file(weights.path());
  Budget budget(20 * kMiB);
  const std::array runs = {file.bytes()};
  Pager pager(file, runs, budget);
  CHECK(read_through(file, pager));
  {
    const Reservation cache = budget.reserve(MemoryTag::kv_cache, 10 * kMiB, "the KV cache");
    CHECK(pager.stats().paging);
    CHECK(pager.stats().capacity_bytes <= 10 * kMiB);
    CHECK(read_through(file, pager));
    CHECK_THROWS_AS(budget.reserve(MemoryTag::kv_cache, 10 * kMiB, "more of it"), Error);
  }
  CHECK(read_through(file, pager));
  CHECK(pager.stats().capacity_bytes > 10 * kMiB);  // grown back into what is free again
}

TEST_CASE("a budget that is too small for a window is refused with what would do, and keeps nothing") {
  const WeightsFile weights;
  const MappedFile file(weights.path());
  const std::array runs = {file.bytes()};
  Budget budget(kKiB);
  uint64_t could_run_with = 0;
  try {
    const Pager pager(file, runs, budget);
    FAIL("had no room");
  } catch (const Error& error) {
    CHECK(error.code() == Code::over_budget);
    REQUIRE(error.hint().starts_with("it could run with --memory-budget "));
    could_run_with = parse_bytes(error.hint().substr(error.hint().rfind(' ') + 1));
  }
  CHECK(budget.used_bytes() == 0);
  Budget enough(could_run_with);
  Pager pager(file, runs, enough);
  CHECK(read_through(file, pager));
}

TEST_CASE("a file that is cut short while it is paged is an error, not the end of the process") {
  for (const BlockSource source : kSources) {
    const WeightsFile weights;
    const MappedFile file(weights.path());
    Budget budget(8 * kMiB);
    const std::array runs = {file.bytes()};
    Pager pager(file, runs, budget, without_readers(source));
    fs::resize_file(weights.path(), kBytes / 2);
    try {
      const Pager::Pin pin = pager.pin(file.bytes().subspan(kBytes - kMiB, 4096));
      FAIL("read what is not there");
    } catch (const Error& error) {
      CHECK(error.code() == Code::corrupt_file);
      CHECK(error.message().find("cut short") != std::string::npos);
    }
  }
}

TEST_CASE("a file that somebody writes to while it is paged is an error at the next block that is read") {
  for (const BlockSource source : kSources) {
    const WeightsFile weights;
    const MappedFile file(weights.path());
    Budget budget(8 * kMiB);
    const std::array runs = {file.bytes()};
    Pager pager(file, runs, budget, without_readers(source));
    { const Pager::Pin before = pager.pin(file.bytes().subspan(0, 4096)); }
    std::fstream(weights.path(), std::ios::in | std::ios::out | std::ios::binary).write("other", 5);
    fs::last_write_time(weights.path(), fs::file_time_type::clock::now() + std::chrono::seconds(1));
    try {
      const Pager::Pin pin = pager.pin(file.bytes().subspan(kMiB, 4096));
      FAIL("took what somebody wrote");
    } catch (const Error& error) {
      CHECK(error.code() == Code::corrupt_file);
      CHECK(error.message().find("written to") != std::string::npos);
    }
  }
}

namespace {

// Reads as the mapped one does, but for one address while the disk is broken.
class BrokenDisk final : public BlockReader {
 public:
  BrokenDisk(std::unique_ptr<BlockReader> disk, const std::byte* bad, const std::atomic<bool>& broken)
      : disk_(std::move(disk)), bad_(bad), broken_(broken) {}
  BlockSource source() const override { return disk_->source(); }
  void read(std::span<const std::byte> block) override {
    if (broken_ && block.data() <= bad_ && bad_ < block.data() + block.size())
      throw Error(Code::io, "cannot read 'weights': Input/output error");
    disk_->read(block);
  }
  void drop(std::span<const std::byte> block) noexcept override { disk_->drop(block); }

 private:
  std::unique_ptr<BlockReader> disk_;
  const std::byte* bad_;
  const std::atomic<bool>& broken_;
};

}  // namespace

TEST_CASE("a disk that fails fails who needs the block and nobody else, until it works again") {
  const WeightsFile weights;
  for (const int readers : {0, 2}) {
    CAPTURE(readers);
    const MappedFile file(weights.path());
    std::atomic<bool> broken{true};
    Budget budget(8 * kMiB);
    const std::array runs = {file.bytes()};
    PagerOptions options;
    options.readers = readers;
    options.open_reader = [&](const MappedFile& mapped, std::span<const std::span<const std::byte>> whole,
                              BlockSource source) -> std::unique_ptr<BlockReader> {
      return std::make_unique<BrokenDisk>(make_block_reader(mapped, whole, source), file.bytes().data() + 7 * kMiB,
                                          broken);
    };
    Pager pager(file, runs, budget, options);
    int failures = 0;
    for (int pass = 0; pass < 3; ++pass)
      for (uint64_t at = 0; at < kBytes; at += kMiB) {
        CAPTURE(at);
        try {
          const Pager::Pin pin = pager.pin(file.bytes().subspan(at, kMiB));
          CHECK(holds_its_words(file, at, kMiB));
          CHECK(at != 7 * kMiB);
        } catch (const Error& error) {
          CHECK(error.code() == Code::io);
          CHECK(at == 7 * kMiB);
          ++failures;
        }
      }
    CHECK(failures == 3);
    broken = false;
    CHECK(read_through(file, pager));
    CHECK(pager.stats().resident_bytes <= pager.stats().capacity_bytes);
  }
}

TEST_CASE("eight processes page one file at once, each right and each within its budget") {
  const WeightsFile weights;
  for (const BlockSource source : kSources) {
    CAPTURE(to_string(source));
    std::vector<pid_t> children;
    for (int i = 0; i < 8; ++i) {
      const pid_t child = ::fork();
      REQUIRE(child >= 0);
      if (child > 0) {
        children.push_back(child);
        continue;
      }
      const MappedFile file(weights.path());
      Budget budget(7 * kMiB);
      const std::array runs = {file.bytes()};
      PagerOptions options;
      options.source = source;
      bool right = true;
      {
        Pager pager(file, runs, budget, options);
        for (int pass = 0; pass < 3; ++pass) right &= read_through(file, pager);
        right &= pager.stats().paging && pager.stats().resident_bytes <= pager.stats().capacity_bytes;
        right &= budget.peak_bytes() <= 7 * kMiB;
      }
      ::_exit(right ? 0 : 1);
    }
    for (const pid_t child : children) {
      int status = 0;
      REQUIRE(::waitpid(child, &status, 0) == child);
      CHECK(WIFEXITED(status));
      CHECK(WEXITSTATUS(status) == 0);
    }
  }
}

TEST_CASE("what is recorded is the order of use") {
  const WeightsFile weights;
  const MappedFile file(weights.path());
  Budget budget(8 * kMiB);
  const std::array runs = {file.bytes()};
  PagerOptions options;
  options.record_trace = true;
  Pager pager(file, runs, budget, options);
  for (const uint64_t at : {kMiB, 5 * kMiB, 2 * kMiB}) pager.pin(file.bytes().subspan(at, 8));
  const std::vector<int32_t> trace = pager.trace();
  REQUIRE(trace.size() == 3);
  CHECK(trace[1] - trace[0] == 16);
  CHECK(trace[2] - trace[0] == 4);
}
