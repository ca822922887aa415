// Search. For each block, the lists of the query's tokens are found by bisection and added to an array of scores, a
// float for each row, which stays in the caches; then the rows above 0 are offered to a heap. The sum of a row is added
// in the order of the query's tokens, so it does not depend on how rows are distributed over blocks.
//
// Trust. Opening checks headers and sizes of all blocks, so that every array lies inside the file. The ends of lists
// are checked at each use, and the array of scores has room for every row that 16 bits can name. A weight is finite by
// its form. Checksums are verified by rag-index check, and before a block is copied.
//
// Memory. Either the whole file is reserved and stays resident, or the largest block is, and pages of each block are
// released after its use. A block ends at a million postings, 4 MiB.
#include "rag/postings/postings.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>

#include "base/checked.h"
#include "base/error.h"
#include "base/hash.h"

namespace frugal {
namespace {

constexpr std::array<char, 8> kMagic = {'F', 'R', 'U', 'G', 'A', 'L', 'P', '1'};

struct Header {
  std::array<char, 8> magic = kMagic;
  uint64_t file_id = 0;
  std::array<uint64_t, 5> reserved{};
  uint64_t checksum = 0;

  uint64_t expected_checksum() const {
    return checksum64(std::as_bytes(std::span(this, 1)).first(offsetof(Header, checksum)));
  }
};
static_assert(sizeof(Header) == 64);

struct BlockHeader {
  uint32_t rows = 0, tokens = 0;
  uint64_t postings = 0;
  uint64_t content_checksum = 0;
  uint64_t checksum = 0;

  uint64_t expected_checksum(uint64_t seed) const {
    return checksum64(std::as_bytes(std::span(this, 1)).first(offsetof(BlockHeader, checksum)), seed);
  }
};
static_assert(sizeof(BlockHeader) == 32);

constexpr size_t kRowsOf16Bits = 1 << 16;
constexpr int64_t kMaxRows = int64_t(1) << 40;

// The exponent of a float whose packed exponent is 0, and the bits of its fraction that are dropped.
constexpr uint32_t kLeastBits = 112u << 23;
constexpr int kDroppedBits = 12;
constexpr float kLeast = 1.0f / (1 << 15);
constexpr float kGreatest = 131'040.0f;

Error corrupt(const std::filesystem::path& path, std::string_view reason) {
  Error error(Code::corrupt_file, fmt::format("postings file '{}': {}", path.native(), reason));
  error.hint("run rag-index add with --re-embed to write the vectors again");
  return error;
}

void check_header(const std::filesystem::path& path, std::span<const std::byte> bytes, uint64_t file_id) {
  if (bytes.size() < sizeof(Header))
    throw corrupt(path, fmt::format("{} bytes, shorter than its header", bytes.size()));
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kMagic) throw corrupt(path, "not a postings file (magic, offset 0)");
  if (header.checksum != header.expected_checksum()) throw corrupt(path, "its header fails its checksum (offset 56)");
  if (header.file_id != file_id) throw corrupt(path, "belongs to another index (file id, offset 8)");
}

// The numbers come from the database, and may be any.
void check_extent(const std::filesystem::path& path, const PostingsExtent& valid, uint64_t file_bytes) {
  if (valid.rows < 0 || valid.rows > kMaxRows) throw corrupt(path, fmt::format("cannot have {} rows", valid.rows));
  if (valid.bytes > file_bytes)
    throw corrupt(path, fmt::format("{} bytes, too short for the {} that the index counts", file_bytes, valid.bytes));
}

// Of what follows the header of a block. The counts of a header cannot make it wrap.
uint64_t content_bytes(uint32_t tokens, uint64_t postings) {
  return round_up(uint64_t(tokens) * 2 * sizeof(uint32_t) + postings * sizeof(Posting), 8);
}

}  // namespace

uint16_t pack_weight(float weight) {
  if (!(weight > kLeast / 2)) return 0;
  const auto bits = std::bit_cast<uint32_t>(std::clamp(weight, kLeast, kGreatest)) - kLeastBits;
  return static_cast<uint16_t>(std::max(1u, (bits + (1u << (kDroppedBits - 1))) >> kDroppedBits));
}

float unpack_weight(uint16_t packed) {
  return std::bit_cast<float>((uint32_t(packed) << kDroppedBits) + kLeastBits);
}

PostingsFile::PostingsFile(const std::filesystem::path& path, uint64_t file_id, const PostingsExtent& valid,
                           Budget& budget)
    : path_(path), file_id_(file_id), valid_(valid), file_(path), budget_(budget) {
  check_header(path_, file_.bytes(), file_id_);
  check_extent(path_, valid_, file_.bytes().size());
  read_blocks();
  if (budget_.limited()) reserve_pages();
}

PostingsFile::~PostingsFile() {
  if (budget_.limited()) budget_.remove(*this);
}

void PostingsFile::read_blocks() {
  int64_t rows = 0;
  uint64_t offset = sizeof(Header);
  while (rows < valid_.rows) {
    blocks_.push_back(block_at(offset, rows));
    rows += blocks_.back().rows;
    offset = blocks_.back().offset + blocks_.back().bytes;
    window_bytes_ = std::max(window_bytes_, blocks_.back().bytes);
  }
  if (rows != valid_.rows || offset != std::max<uint64_t>(valid_.bytes, sizeof(Header)))
    throw corrupt(path_, fmt::format("its blocks have {} rows in {} bytes, the index counts {} in {}", rows, offset,
                                     valid_.rows, valid_.bytes));
}

PostingsFile::Block PostingsFile::block_at(uint64_t offset, int64_t first_row) const {
  const auto damaged = [&](std::string_view what) {
    return corrupt(path_, fmt::format("the block at offset {} {}", offset, what));
  };
  if (!fits(offset, sizeof(BlockHeader), valid_.bytes)) throw damaged("is beyond the end");
  BlockHeader header;
  std::memcpy(&header, file_.bytes().data() + offset, sizeof header);
  if (header.checksum != header.expected_checksum(file_id_ ^ offset)) throw damaged("fails the checksum of its header");
  if (header.rows == 0 || header.rows > kRowsOf16Bits) throw damaged(fmt::format("has {} rows", header.rows));
  const uint64_t begin = offset + sizeof(BlockHeader);
  if (header.postings > valid_.bytes / sizeof(Posting) ||
      !fits(begin, content_bytes(header.tokens, header.postings), valid_.bytes))
    throw damaged("is beyond the end");
  return {begin,
          content_bytes(header.tokens, header.postings),
          first_row,
          header.rows,
          header.tokens,
          header.postings,
          header.content_checksum};
}

void PostingsFile::reserve_pages() {
  reservation_ = budget_.reserve_up_to(MemoryTag::index, file_.bytes().size(), Budget::Reclaim::yes);
  if (reservation_.bytes() < file_.bytes().size()) {
    reservation_.shrink_to(window_bytes_);
    if (reservation_.bytes() < window_bytes_)
      reservation_.absorb(budget_.reserve(MemoryTag::index, window_bytes_ - reservation_.bytes(),
                                          "a block of the token weights of the index"));
  }
  budget_.add(*this);
}

bool PostingsFile::stays_resident() const {
  const std::lock_guard lock(mutex_);
  return !budget_.limited() || reservation_.bytes() >= file_.bytes().size();
}

uint64_t PostingsFile::reclaim(uint64_t) {
  const std::lock_guard lock(mutex_);
  const uint64_t held = reservation_.bytes();
  if (held <= window_bytes_) return 0;
  reservation_.shrink_to(window_bytes_);
  file_.release(0, file_.bytes().size());
  return held - window_bytes_;
}

int64_t PostingsFile::postings() const {
  uint64_t sum = 0;
  for (const Block& block : blocks_) sum += block.postings;
  return static_cast<int64_t>(sum);
}

int64_t PostingsFile::partial_blocks() const {
  return std::count_if(blocks_.begin(), blocks_.end(), [](const Block& block) {
    return block.rows < PostingsAppender::kRowsPerBlock && block.postings < PostingsAppender::kPostingsPerBlock;
  });
}

std::span<const uint32_t> PostingsFile::ids(const Block& block) const {
  return {reinterpret_cast<const uint32_t*>(file_.bytes().data() + block.offset), block.tokens};
}

std::span<const uint32_t> PostingsFile::ends(const Block& block) const {
  return {ids(block).data() + block.tokens, block.tokens};
}

std::span<const Posting> PostingsFile::list(const Block& block, size_t token) const {
  const uint64_t begin = token > 0 ? ends(block)[token - 1] : 0, end = ends(block)[token];
  if (begin > end || end > block.postings)
    throw corrupt(path_, fmt::format("a list of the block at offset {} is beyond its end", block.offset));
  const auto* all = reinterpret_cast<const Posting*>(ends(block).data() + block.tokens);
  return {all + begin, static_cast<size_t>(end - begin)};
}

void PostingsFile::add_scores(const Block& block, std::span<const TokenWeight> query, std::span<float> scores) const {
  const std::span<const uint32_t> tokens = ids(block);
  for (const TokenWeight& asked : query) {
    const auto id = static_cast<uint32_t>(asked.token);
    const auto found = std::lower_bound(tokens.begin(), tokens.end(), id);
    if (found == tokens.end() || *found != id) continue;
    for (const Posting& posting : list(block, static_cast<size_t>(found - tokens.begin())))
      scores[posting.row] += asked.weight * unpack_weight(posting.weight);
  }
}

std::vector<ScoredRow> PostingsFile::search(std::span<const TokenWeight> query, int64_t limit,
                                            const std::vector<bool>* only) const {
  FRUGAL_CHECK(!only || static_cast<int64_t>(only->size()) == rows());
  BestRows best(limit);
  std::vector<float> scores(kRowsOf16Bits);
  for (const Block& block : blocks_) {
    if (limit <= 0 || query.empty()) break;
    if (only) {
      const auto first = only->begin() + block.first_row;
      if (std::find(first, first + block.rows, true) == first + block.rows) continue;
    }
    std::fill_n(scores.begin(), block.rows, 0.0f);
    add_scores(block, query, scores);
    for (uint32_t row = 0; row < block.rows; ++row)
      if (scores[row] > 0 && (!only || (*only)[static_cast<size_t>(block.first_row + row)]))
        best.offer({block.first_row + row, scores[row]});
    if (!stays_resident()) file_.release(block.offset, block.bytes);
  }
  return best.take();
}

bool PostingsFile::intact(size_t number) const {
  const Block& block = blocks_.at(number);
  const uint64_t seed = file_id_ ^ (block.offset - sizeof(BlockHeader));
  if (checksum64(file_.bytes().subspan(block.offset, block.bytes), seed) != block.checksum) return false;
  const std::span<const uint32_t> tokens = ids(block), ends_of = ends(block);
  for (size_t i = 1; i < tokens.size(); ++i)
    if (tokens[i] <= tokens[i - 1] || ends_of[i] < ends_of[i - 1]) return false;
  if ((tokens.empty() ? 0 : ends_of.back()) != block.postings) return false;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::span<const Posting> postings = list(block, i);
    for (size_t j = 0; j < postings.size(); ++j)
      if (postings[j].row >= block.rows || (j > 0 && postings[j].row <= postings[j - 1].row)) return false;
  }
  return true;
}

std::vector<std::vector<TokenWeight>> PostingsFile::rows_of(size_t number) const {
  const Block& block = blocks_.at(number);
  if (!intact(number))
    throw corrupt(path_, fmt::format("the block at offset {} fails its checksum", block.offset - sizeof(BlockHeader)));
  std::vector<std::vector<TokenWeight>> rows(block.rows);
  for (size_t i = 0; i < block.tokens; ++i)
    for (const Posting& posting : list(block, i))
      rows[posting.row].push_back({static_cast<TokenId>(ids(block)[i]), unpack_weight(posting.weight)});
  return rows;
}

PostingsAppender::PostingsAppender(const std::filesystem::path& path, uint64_t file_id, const PostingsExtent& valid)
    : path_(path),
      file_id_(file_id),
      written_(valid),
      fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600)) {
  struct stat info {};
  if (!fd_ || ::fstat(fd_.get(), &info) != 0) throw io_error("open", path.native());
  if (!S_ISREG(info.st_mode)) throw corrupt(path, "not a regular file");
  if (valid.rows == 0) {
    // No row is valid yet, so the header of a killed writer is overwritten.
    Header header;
    header.file_id = file_id;
    header.checksum = header.expected_checksum();
    write_at(0, std::as_bytes(std::span(&header, 1)));
    written_.bytes = sizeof header;
  } else {
    std::array<std::byte, sizeof(Header)> bytes{};
    const ssize_t got = ::pread(fd_.get(), bytes.data(), bytes.size(), 0);
    check_header(path, std::span(bytes).first(static_cast<size_t>(std::max<ssize_t>(got, 0))), file_id);
    check_extent(path, valid, static_cast<uint64_t>(info.st_size));
  }
}

void PostingsAppender::append(std::span<const TokenWeight> weights) {
  for (const TokenWeight& each : weights)
    if (const uint16_t packed = pack_weight(each.weight))
      buffered_.push_back(uint64_t(static_cast<uint32_t>(each.token)) << 32 | buffered_rows_ << 16 | packed);
  ++buffered_rows_;
  if (buffered_rows_ == kRowsPerBlock || buffered_.size() >= kPostingsPerBlock) write_block();
}

PostingsExtent PostingsAppender::sync() {
  if (buffered_rows_ > 0) write_block();
  if (::fdatasync(fd_.get()) != 0) throw io_error("sync", path_.native());
  return written_;
}

void PostingsAppender::write_block() {
  std::sort(buffered_.begin(), buffered_.end());
  std::vector<uint32_t> tokens, ends;
  std::vector<Posting> postings;
  postings.reserve(buffered_.size());
  for (const uint64_t entry : buffered_) {
    const auto token = static_cast<uint32_t>(entry >> 32);
    if (tokens.empty() || tokens.back() != token) {
      tokens.push_back(token);
      ends.push_back(0);
    }
    postings.push_back({static_cast<uint16_t>(entry >> 16), static_cast<uint16_t>(entry)});
    ends.back() = static_cast<uint32_t>(postings.size());
  }
  BlockHeader header;
  header.rows = static_cast<uint32_t>(buffered_rows_);
  header.tokens = static_cast<uint32_t>(tokens.size());
  header.postings = postings.size();
  std::vector<std::byte> content;
  content.reserve(content_bytes(header.tokens, header.postings));
  for (const auto part :
       {std::as_bytes(std::span(tokens)), std::as_bytes(std::span(ends)), std::as_bytes(std::span(postings))})
    content.insert(content.end(), part.begin(), part.end());
  content.resize(content_bytes(header.tokens, header.postings));
  const uint64_t seed = file_id_ ^ written_.bytes;
  header.content_checksum = checksum64(content, seed);
  header.checksum = header.expected_checksum(seed);
  write_at(written_.bytes, std::as_bytes(std::span(&header, 1)));
  write_at(written_.bytes + sizeof header, content);
  written_ = {written_.rows + static_cast<int64_t>(buffered_rows_), written_.bytes + sizeof header + content.size()};
  buffered_.clear();
  buffered_rows_ = 0;
}

void PostingsAppender::write_at(uint64_t offset, std::span<const std::byte> bytes) {
  write_all(fd_.get(), bytes, offset, path_);
}

}  // namespace frugal
