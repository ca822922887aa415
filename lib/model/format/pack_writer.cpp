// The plan is all that the layout depends on, so the constructor computes it: the string table first, since the tables
// and with them the first tensor's offset follow from its length; then each tensor's place. From then on any thread may
// write any part of a tensor at its final offset. WrittenRanges records the parts and refuses a byte written twice;
// seal() refuses a byte not written, then computes the checksums from the file and writes tables and footer.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <numeric>

#include "base/error.h"
#include "base/hash.h"
#include "model/format/pack.h"
#include "model/format/pack_layout.h"

namespace frugal {

using namespace pack_layout;

namespace {

// The disjoint byte ranges of a section written so far. Adjacent ranges are merged, so a section written in order is
// one range.
class WrittenRanges {
 public:
  void add(uint64_t begin, uint64_t end) {
    auto next = ranges_.lower_bound(begin);
    FRUGAL_CHECK(next == ranges_.end() || end <= next->first);  // each byte once
    if (next != ranges_.begin()) {
      const auto previous = std::prev(next);
      FRUGAL_CHECK(previous->second <= begin);
      if (previous->second == begin) {
        begin = previous->first;
        ranges_.erase(previous);
      }
    }
    if (next != ranges_.end() && next->first == end) {
      end = next->second;
      ranges_.erase(next);
    }
    ranges_[begin] = end;
  }
  bool covers(uint64_t bytes) const {
    return bytes == 0 || (ranges_.size() == 1 && ranges_.begin()->first == 0 && ranges_.begin()->second == bytes);
  }

 private:
  std::map<uint64_t, uint64_t> ranges_;  // begin → end
};

// Strings of the tables, one after the other.
class StringTable {
 public:
  StringRef add(std::string_view text) {
    FRUGAL_CHECK(text_.size() + text.size() <= kMaxMetadataBytes);
    const StringRef ref{static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(text.size())};
    text_ += text;
    return ref;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

template <typename T>
void append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

struct PackWriter::State {
  struct Section {
    TensorEntry entry{};
    WrittenRanges data, scales;
  };

  std::vector<Plan> plan;  // in the order of the data
  std::map<std::string, std::string> config, blobs;
  AtomicFile file;
  std::mutex mutex;
  std::vector<Section> sections;  // as the plan
  std::vector<size_t> by_name;    // indices into sections
  StringTable strings;
  std::vector<ConfigEntry> config_entries;
  std::vector<BlobEntry> blob_entries;
  uint64_t metadata_bytes = 0;
  uint64_t file_bytes = 0;
  bool sealed = false;

  State(const std::filesystem::path& path, std::vector<Plan> tensors, std::map<std::string, std::string> config_,
        std::map<std::string, std::string> blobs_)
      : plan(std::move(tensors)), config(std::move(config_)), blobs(std::move(blobs_)), file(path) {
    name_everything();
    place_everything();
    file.reserve(file_bytes);
    write_blobs();
  }

  void name_everything() {
    by_name.resize(plan.size());
    std::iota(by_name.begin(), by_name.end(), size_t(0));
    std::sort(by_name.begin(), by_name.end(), [&](size_t a, size_t b) { return plan[a].name < plan[b].name; });
    sections.resize(plan.size());
    for (size_t i = 0; i < by_name.size(); ++i) {
      FRUGAL_CHECK(i == 0 || plan[by_name[i - 1]].name != plan[by_name[i]].name);
      sections[by_name[i]].entry.name = strings.add(plan[by_name[i]].name);
    }
    for (const auto& [key, value] : config) {
      const StringRef key_ref = strings.add(key);
      config_entries.push_back({key_ref, strings.add(value)});
    }
    for (const auto& [name, content] : blobs) blob_entries.push_back({strings.add(name), 0, content.size(), 0});
    metadata_bytes = sizeof(PackHeader) + plan.size() * sizeof(TensorEntry) + config.size() * sizeof(ConfigEntry) +
                     blobs.size() * sizeof(BlobEntry) + strings.text().size();
    FRUGAL_CHECK(metadata_bytes <= kMaxMetadataBytes);
  }

  // Everything that each run touches comes first: vectors, scales, tables, blobs. The weights of linear layers follow
  // in the plan's order without gaps, so that they can be paged in long runs (memory/pager.h).
  void place_everything() {
    uint64_t offset = metadata_bytes;
    for (size_t i = 0; i < plan.size(); ++i) {
      TensorEntry& entry = sections[i].entry;
      const auto bytes = tensor_bytes(plan[i].dtype, plan[i].shape);
      FRUGAL_CHECK(bytes.has_value());
      entry.dtype = static_cast<uint8_t>(plan[i].dtype);
      entry.role = static_cast<uint8_t>(plan[i].role);
      entry.rank = static_cast<uint8_t>(plan[i].shape.rank());
      for (int d = 0; d < plan[i].shape.rank(); ++d) entry.dims[d] = plan[i].shape[d];
      entry.data_bytes = bytes->data;
      entry.scales_bytes = bytes->scales;
      if (!is_linear(plan[i].dtype)) place(entry.data_offset, bytes->data, offset);
      if (bytes->scales == 0) continue;
      entry.scales_offset = round_up(offset, kAlignment);
      offset = entry.scales_offset + bytes->scales;
    }
    for (BlobEntry& blob : blob_entries) place(blob.offset, blob.bytes, offset);
    for (size_t i = 0; i < plan.size(); ++i)
      if (is_linear(plan[i].dtype)) place(sections[i].entry.data_offset, sections[i].entry.data_bytes, offset);
    file_bytes = round_up(offset, kAlignment) + sizeof(PackFooter);
  }

  static void place(uint64_t& at, uint64_t bytes, uint64_t& offset) {
    at = align_tensor(offset, bytes);
    offset = at + bytes;
  }

  void write_blobs() {
    size_t i = 0;
    for (const auto& [name, content] : blobs) {
      const auto bytes = std::as_bytes(std::span(content.data(), content.size()));
      blob_entries[i].checksum = checksum64(bytes);
      file.write_at(blob_entries[i].offset, bytes);
      ++i;
    }
  }

  // Data may arrive in any order, so checksums are computed from the file: they cover the bytes that were written, not
  // the bytes that were meant.
  void add_checksums() {
    const MappedFile written(file.temporary());
    const auto checksum = [&](uint64_t offset, uint64_t bytes) {
      const uint64_t result = checksum64(written.bytes().subspan(offset, bytes));
      written.release(offset, bytes);
      return result;
    };
    for (Section& section : sections) {
      TensorEntry& entry = section.entry;
      FRUGAL_CHECK(section.data.covers(entry.data_bytes) && section.scales.covers(entry.scales_bytes));
      entry.data_checksum = checksum(entry.data_offset, entry.data_bytes);
      if (entry.scales_bytes > 0) entry.scales_checksum = checksum(entry.scales_offset, entry.scales_bytes);
    }
  }

  std::string metadata() const {
    PackHeader header{};
    std::memcpy(header.magic, kMagic, sizeof kMagic);
    header.version = kVersion;
    header.tensor_count = static_cast<uint32_t>(plan.size());
    header.config_count = static_cast<uint32_t>(config_entries.size());
    header.blob_count = static_cast<uint32_t>(blob_entries.size());
    header.string_bytes = strings.text().size();
    header.metadata_bytes = metadata_bytes;
    header.file_bytes = file_bytes;
    std::string out;
    append(out, header);
    for (const size_t index : by_name) append(out, sections[index].entry);
    for (const ConfigEntry& entry : config_entries) append(out, entry);
    for (const BlobEntry& entry : blob_entries) append(out, entry);
    return out + strings.text();
  }

  void seal() {
    file.resize(file_bytes);
    add_checksums();
    const std::string head = metadata();
    FRUGAL_CHECK(head.size() == metadata_bytes);
    const auto head_bytes = std::as_bytes(std::span(head.data(), head.size()));
    PackFooter footer{file_bytes, metadata_bytes, checksum64(head_bytes), {}};
    std::memcpy(footer.magic, kFooterMagic, sizeof kFooterMagic);
    file.write_at(0, head_bytes);
    file.write_at(file_bytes - sizeof footer, std::as_bytes(std::span(&footer, 1)));
    sealed = true;
  }
};

PackWriter::PackWriter(const std::filesystem::path& path, std::vector<Plan> tensors,
                       std::map<std::string, std::string> config, std::map<std::string, std::string> blobs)
    : state_(std::make_unique<State>(path, std::move(tensors), std::move(config), std::move(blobs))) {}

PackWriter::PackWriter(PackWriter&&) noexcept = default;
PackWriter::~PackWriter() = default;

uint64_t PackWriter::file_bytes() const {
  return state_->file_bytes;
}

void PackWriter::write_data(size_t index, uint64_t offset, std::span<const std::byte> data) {
  FRUGAL_CHECK(index < state_->sections.size() && !state_->sealed);
  if (data.empty()) return;
  State::Section& section = state_->sections[index];
  FRUGAL_CHECK(fits(offset, data.size(), section.entry.data_bytes));
  {
    std::lock_guard lock(state_->mutex);
    section.data.add(offset, offset + data.size());
  }
  state_->file.write_at(section.entry.data_offset + offset, data);
}

void PackWriter::write_scales(size_t index, uint64_t first, std::span<const float> scales) {
  FRUGAL_CHECK(index < state_->sections.size() && !state_->sealed);
  if (scales.empty()) return;
  State::Section& section = state_->sections[index];
  const uint64_t offset = first * sizeof(float);
  FRUGAL_CHECK(fits(offset, scales.size_bytes(), section.entry.scales_bytes));
  {
    std::lock_guard lock(state_->mutex);
    section.scales.add(offset, offset + scales.size_bytes());
  }
  state_->file.write_at(section.entry.scales_offset + offset, std::as_bytes(scales));
}

const std::filesystem::path& PackWriter::seal() {
  if (!state_->sealed) state_->seal();
  return state_->file.temporary();
}

void PackWriter::finish() {
  seal();
  state_->file.publish();
}

}  // namespace frugal
