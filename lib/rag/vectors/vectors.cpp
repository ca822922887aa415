// Search. The query is quantised to int8 like the rows. A kernel computes the 256 integer dot products of a block at
// once, and the two scales turn them into inner products. A heap keeps the best rows. A score that is not finite, from
// a damaged scale, is skipped.
//
// Memory. The mapping covers the whole file, but only the reserved number of bytes may be resident. If the whole file
// is reserved, it stays. Otherwise kWindowBytes of the reservation are a window; the others belong to the beginning of
// the file, which stays resident between searches. A search reads the rest in steps of half a window: it releases the
// step before and prefetches the next. reclaim() takes from the beginning of the file and never from the window.
//
// Append. A block of 256 rows is allocated at once, so a full disk is an error before the row is written, and a mapping
// never ends inside a block. The checksum of a row is seeded with its number and the id of the file, so that a row
// which was swapped or copied from elsewhere does not match. Searches do not verify checksums; rag-index check does.
#include "rag/vectors/vectors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/hash.h"
#include "compute/kernels/kernels.h"

namespace frugal {
namespace {

constexpr uint64_t kWindowBytes = 4 << 20;

constexpr std::array<char, 8> kMagic = {'F', 'R', 'U', 'G', 'A', 'L', 'V', '1'};

struct Header {
  std::array<char, 8> magic = kMagic;
  uint32_t dimension = 0;
  uint32_t stride = 0;
  uint32_t rows_per_block = 0;
  uint32_t zero = 0;
  uint64_t file_id = 0;
  std::array<uint64_t, 3> reserved{};
  uint64_t checksum = 0;

  uint64_t expected_checksum() const {
    return checksum64(std::as_bytes(std::span(this, 1)).first(offsetof(Header, checksum)));
  }
};
static_assert(sizeof(Header) == VectorLayout::kHeaderBytes);

Header header_of(const VectorLayout& layout) {
  Header header;
  header.dimension = static_cast<uint32_t>(layout.dimension);
  header.stride = static_cast<uint32_t>(layout.stride());
  header.rows_per_block = static_cast<uint32_t>(VectorLayout::kRowsPerBlock);
  header.file_id = layout.file_id;
  header.checksum = header.expected_checksum();
  return header;
}

Error corrupt(const std::filesystem::path& path, std::string_view reason) {
  Error error(Code::corrupt_file, fmt::format("vectors file '{}': {}", path.native(), reason));
  error.hint("run rag-index add with --re-embed to write the vectors again");
  return error;
}

void check_header(const std::filesystem::path& path, std::span<const std::byte> bytes, const VectorLayout& expected) {
  if (bytes.size() < sizeof(Header))
    throw corrupt(path, fmt::format("{} bytes, shorter than its header", bytes.size()));
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kMagic) throw corrupt(path, "not a vectors file (magic, offset 0)");
  if (header.checksum != header.expected_checksum()) throw corrupt(path, "its header fails its checksum (offset 56)");
  const Header wanted = header_of(expected);
  if (header.dimension != wanted.dimension)
    throw corrupt(path,
                  fmt::format("dimension {} where the index has {} (offset 8)", header.dimension, wanted.dimension));
  if (header.stride != wanted.stride || header.rows_per_block != wanted.rows_per_block)
    throw corrupt(path, "an unknown layout (offset 12)");
  if (header.file_id != wanted.file_id) throw corrupt(path, "belongs to another index (file id, offset 24)");
}

/// The number of rows comes from the database, and may be any.
void check_rows(const std::filesystem::path& path, int64_t rows) {
  if (rows < 0 || rows > VectorLayout::kMaxRows) throw corrupt(path, fmt::format("cannot have {} rows", rows));
}

/// The offsets of a row's parts in the file.
struct RowOffsets {
  uint64_t codes, scale, checksum;
};
RowOffsets row_offsets(const VectorLayout& layout, int64_t row) {
  constexpr auto kRows = static_cast<uint64_t>(VectorLayout::kRowsPerBlock);
  const uint64_t block = VectorLayout::kHeaderBytes + static_cast<uint64_t>(row) / kRows * layout.block_bytes();
  const uint64_t in_block = static_cast<uint64_t>(row) % kRows;
  const uint64_t scales = block + kRows * static_cast<uint64_t>(layout.stride());
  return {block + in_block * static_cast<uint64_t>(layout.stride()), scales + in_block * 4,
          scales + kRows * 4 + in_block * 4};
}

}  // namespace

uint64_t VectorLayout::block_bytes() const {
  return static_cast<uint64_t>(kRowsPerBlock) * (static_cast<uint64_t>(stride()) + sizeof(float) + sizeof(uint32_t));
}

uint64_t VectorLayout::file_bytes(int64_t rows) const {
  return kHeaderBytes + static_cast<uint64_t>((rows + kRowsPerBlock - 1) / kRowsPerBlock) * block_bytes();
}

VectorFile::VectorFile(const std::filesystem::path& path, const VectorLayout& expected, int64_t rows, Budget& budget)
    : layout_(expected), rows_(rows), file_(path), budget_(budget) {
  check_header(path, file_.bytes(), layout_);
  check_rows(path, rows);
  if (file_.bytes().size() < layout_.file_bytes(rows))
    throw corrupt(path, fmt::format("{} bytes, too short for its {} rows", file_.bytes().size(), rows));
  if (!budget_.limited()) return;
  reservation_ = budget_.reserve_up_to(MemoryTag::index, file_.bytes().size(), Budget::Reclaim::yes);
  const uint64_t least = std::min<uint64_t>(file_.bytes().size(), kWindowBytes);
  if (reservation_.bytes() < least)
    reservation_.absorb(
        budget_.reserve(MemoryTag::index, least - reservation_.bytes(), "a window on the vectors of the index"));
  budget_.add(*this);
}

VectorFile::~VectorFile() {
  if (budget_.limited()) budget_.remove(*this);
}

// The length of the beginning that stays resident; pages after it are released after use.
uint64_t VectorFile::resident_bytes() const {
  if (!budget_.limited()) return file_.bytes().size();
  const std::lock_guard lock(mutex_);
  const uint64_t held = reservation_.bytes();
  return held >= file_.bytes().size() ? held : held - std::min(held, kWindowBytes);
}

void VectorFile::release_above(uint64_t resident) const {
  if (resident < file_.bytes().size()) file_.release(resident, file_.bytes().size() - resident);
}

uint64_t VectorFile::reclaim(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const uint64_t held = reservation_.bytes();
  const uint64_t give = std::min(bytes, held - std::min(held, kWindowBytes));
  if (give == 0) return 0;
  reservation_.shrink_to(held - give);
  release_above(held - give - std::min(held - give, kWindowBytes));
  return give;
}

std::span<const int8_t> VectorFile::codes(int64_t row) const {
  const std::byte* codes = file_.bytes().data() + row_offsets(layout_, row).codes;
  return {reinterpret_cast<const int8_t*>(codes), static_cast<size_t>(layout_.dimension)};
}

float VectorFile::scale(int64_t row) const {
  float scale;
  std::memcpy(&scale, file_.bytes().data() + row_offsets(layout_, row).scale, sizeof scale);
  return scale;
}

std::vector<VectorRow> VectorFile::read(std::span<const int64_t> rows) const {
  std::vector<VectorRow> found;
  found.reserve(rows.size());
  for (const int64_t row : rows) {
    const std::span<const int8_t> held = codes(row);
    found.push_back({{held.begin(), held.end()}, scale(row), intact(row)});
  }
  return found;
}

bool VectorFile::intact(int64_t row) const {
  uint32_t stored;
  std::memcpy(&stored, file_.bytes().data() + row_offsets(layout_, row).checksum, sizeof stored);
  return stored == row_checksum(layout_, row, codes(row), scale(row));
}

std::vector<ScoredRow> VectorFile::search(std::span<const float> query, int64_t limit,
                                          const std::vector<bool>* only) const {
  const QuantisedQuery quantised = quantise_query(query, layout_);
  BestRows best(limit);
  std::array<int32_t, VectorLayout::kRowsPerBlock> dots;
  const uint64_t resident = resident_bytes();
  uint64_t read_ahead_to = resident, released_to = resident;
  FRUGAL_CHECK(!only || static_cast<int64_t>(only->size()) == rows_);
  const auto may_be_found = [&](int64_t row) { return !only || (*only)[static_cast<size_t>(row)]; };
  for (int64_t begin = 0; begin < rows_ && limit > 0; begin += VectorLayout::kRowsPerBlock) {
    const int64_t count = std::min(VectorLayout::kRowsPerBlock, rows_ - begin);
    if (only && std::find(only->begin() + begin, only->begin() + begin + count, true) == only->begin() + begin + count)
      continue;
    const uint64_t at = row_offsets(layout_, begin).codes;
    if (at >= read_ahead_to) {
      file_.release(released_to, std::max(at, released_to) - released_to);
      released_to = at;
      file_.prefetch(at, kWindowBytes / 2);
      read_ahead_to = at + kWindowBytes / 2;
    }
    kernels::active().dot_i8_rows(quantised.codes.data(), codes(begin).data(), layout_.stride(), count,
                                  layout_.dimension, dots.data());
    for (int64_t i = 0; i < count; ++i) {
      const float score = static_cast<float>(dots[static_cast<size_t>(i)]) * quantised.scale * scale(begin + i);
      if (std::isfinite(score) && may_be_found(begin + i)) best.offer({begin + i, score});
    }
  }
  release_above(resident);
  return best.take();
}

VectorAppender::VectorAppender(const std::filesystem::path& path, const VectorLayout& layout, int64_t rows)
    : path_(path),
      layout_(layout),
      rows_(rows),
      fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600)) {
  struct stat info {};
  if (!fd_ || ::fstat(fd_.get(), &info) != 0) throw io_error("open", path.native());
  if (!S_ISREG(info.st_mode)) throw corrupt(path, "not a regular file");
  check_rows(path, rows);
  if (rows == 0) {
    // No row is valid yet, so the header of a killed writer is overwritten.
    const Header header = header_of(layout);
    write_at(0, std::as_bytes(std::span(&header, 1)));
  } else {
    std::array<std::byte, sizeof(Header)> bytes{};
    const ssize_t got = ::pread(fd_.get(), bytes.data(), bytes.size(), 0);
    check_header(path, std::span(bytes).first(static_cast<size_t>(std::max<ssize_t>(got, 0))), layout);
    if (static_cast<uint64_t>(info.st_size) < layout.file_bytes(rows))
      throw corrupt(path, fmt::format("{} bytes, too short for its {} rows", info.st_size, rows));
  }
}

int64_t VectorAppender::append_codes(std::span<const int8_t> codes, float scale) {
  FRUGAL_CHECK(static_cast<int64_t>(codes.size()) == layout_.dimension);
  const int64_t row = rows_;
  if (row % VectorLayout::kRowsPerBlock == 0) {
    const int status = ::posix_fallocate(fd_.get(), 0, static_cast<off_t>(layout_.file_bytes(row + 1)));
    if (status != 0 && status != EOPNOTSUPP && status != EINVAL) {
      errno = status;
      throw io_error("extend", path_.native());
    }
    if (status != 0 && ::ftruncate(fd_.get(), static_cast<off_t>(layout_.file_bytes(row + 1))) != 0)
      throw io_error("extend", path_.native());
  }
  const RowOffsets offsets = row_offsets(layout_, row);
  const uint32_t checksum = row_checksum(layout_, row, codes, scale);
  write_at(offsets.codes, std::as_bytes(codes));
  write_at(offsets.scale, std::as_bytes(std::span(&scale, 1)));
  write_at(offsets.checksum, std::as_bytes(std::span(&checksum, 1)));
  return rows_++;
}

void VectorAppender::sync() {
  if (::fdatasync(fd_.get()) != 0) throw io_error("sync", path_.native());
}

void VectorAppender::write_at(uint64_t offset, std::span<const std::byte> bytes) {
  write_all(fd_.get(), bytes, offset, path_);
}

}  // namespace frugal
