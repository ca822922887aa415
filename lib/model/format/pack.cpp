#include "model/format/pack.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "base/error.h"
#include "base/hash.h"
#include "memory/budget.h"
#include "model/format/pack_layout.h"

namespace frugal {
namespace {

using namespace pack_layout;

// Table entries are copied out: in a hostile file they may be misaligned.
template <typename Entry>
Entry entry_at(std::span<const std::byte> bytes, uint64_t offset) {
  Entry entry;
  std::memcpy(&entry, bytes.data() + offset, sizeof entry);
  return entry;
}

MappedFile map_pack(const std::filesystem::path& path) {
  std::error_code status;
  if (!std::filesystem::exists(path, status))
    throw Error(Code::missing, fmt::format("no pack at '{}'", path.native()))
        .hint("make it with quantize-model, or run scripts/quickstart");
  return MappedFile(path);
}

}  // namespace

// Checks the file from the outside in: sizes, footer, checksum of the metadata, then every entry.
struct Pack::Reader {
  Pack& pack;
  std::span<const std::byte> bytes = pack.file_.bytes();
  PackHeader header{};

  void read() {
    read_header();
    check_footer();
    slice_tables();
    read_tensors();
    check_config();
    check_blobs();
  }

  void read_header() {
    if (bytes.size() < sizeof(PackHeader) || std::memcmp(bytes.data(), kMagic, sizeof kMagic) != 0)
      throw Error(Code::bad_input, fmt::format("'{}' is not a pack (no '{}' at offset 0)", pack.path().native(),
                                               std::string_view(kMagic, sizeof kMagic)))
          .hint("quantize-model makes a pack from a checkpoint");
    header = entry_at<PackHeader>(bytes, 0);
    if (header.version != kVersion)
      throw Error(Code::mismatch, fmt::format("'{}' has pack version {}, this program reads {} (offset 8)",
                                              pack.path().native(), header.version, kVersion))
          .hint(header.version > kVersion ? "update frugal, or make the pack again with this quantize-model"
                                          : "make the pack again with quantize-model");
    if (header.file_bytes != bytes.size())
      pack.fail(fmt::format("header says {} bytes (offset 40), the file has {}", header.file_bytes, bytes.size()));
  }

  void check_footer() {
    if (bytes.size() < sizeof(PackHeader) + sizeof(PackFooter)) pack.fail("too short for a footer");
    const uint64_t limit = bytes.size() - sizeof(PackFooter);
    const auto footer = entry_at<PackFooter>(bytes, limit);
    if (std::memcmp(footer.magic, kFooterMagic, sizeof kFooterMagic) != 0)
      pack.fail(fmt::format("no footer at offset {}: the write did not finish", limit));
    if (footer.file_bytes != bytes.size() || footer.metadata_bytes != header.metadata_bytes)
      pack.fail(fmt::format("footer at offset {} contradicts the header", limit));
    if (header.metadata_bytes < sizeof(PackHeader) || header.metadata_bytes > std::min(limit, kMaxMetadataBytes))
      pack.fail(fmt::format("metadata of {} bytes (offset 32) does not fit", header.metadata_bytes));
    if (checksum64(bytes.first(header.metadata_bytes)) != footer.metadata_checksum)
      pack.fail("the header fails its checksum");
  }

  // The counts are 32 bits and the entries small, so these sums cannot wrap.
  void slice_tables() {
    const uint64_t tensors = uint64_t(header.tensor_count) * sizeof(TensorEntry);
    const uint64_t config = uint64_t(header.config_count) * sizeof(ConfigEntry);
    const uint64_t blobs = uint64_t(header.blob_count) * sizeof(BlobEntry);
    const uint64_t strings_begin = sizeof(PackHeader) + tensors + config + blobs;
    if (strings_begin > header.metadata_bytes || header.string_bytes != header.metadata_bytes - strings_begin)
      pack.fail("the counts at offsets 12 to 31 contradict the size of the metadata");
    pack.tensor_table_ = bytes.subspan(sizeof(PackHeader), tensors);
    pack.config_table_ = bytes.subspan(sizeof(PackHeader) + tensors, config);
    pack.blob_table_ = bytes.subspan(sizeof(PackHeader) + tensors + config, blobs);
    pack.strings_ = bytes.subspan(strings_begin, header.string_bytes);
  }

  std::string_view checked_string(StringRef ref, std::string_view field, uint64_t index) const {
    if (!fits(ref.offset, ref.length, pack.strings_.size()))
      pack.fail(fmt::format("{} of entry {} lies outside the string table", field, index));
    return pack.string_at(ref.offset, ref.length);
  }

  std::span<const std::byte> checked_range(uint64_t offset, uint64_t length, std::string_view name) const {
    const uint64_t limit = bytes.size() - sizeof(PackFooter);
    if (offset % kAlignment != 0 || offset < header.metadata_bytes || !fits(offset, length, limit))
      pack.fail(fmt::format("'{}': {} bytes at offset {} are misaligned or outside the file", name, length, offset));
    return bytes.subspan(offset, length);
  }

  PackTensor read_tensor(uint64_t index) const {
    const auto entry = entry_at<TensorEntry>(pack.tensor_table_, index * sizeof(TensorEntry));
    PackTensor tensor;
    tensor.name = checked_string(entry.name, "name of tensor", index);
    const std::optional<DType> dtype = dtype_from_byte(entry.dtype);
    if (!dtype) pack.fail(fmt::format("tensor '{}' has the unknown type {}", tensor.name, entry.dtype));
    if (entry.rank < 1 || entry.rank > Shape::kMaxRank)
      pack.fail(fmt::format("tensor '{}' has {} dimensions", tensor.name, entry.rank));
    if (entry.role > static_cast<uint8_t>(TensorRole::vector))
      pack.fail(fmt::format("tensor '{}' has the unknown role {}", tensor.name, entry.role));
    tensor.dtype = *dtype;
    tensor.role = static_cast<TensorRole>(entry.role);
    tensor.shape = Shape(std::span(entry.dims, entry.rank));
    const auto expected = tensor_bytes(tensor.dtype, tensor.shape);
    if (!expected || expected->data != entry.data_bytes || expected->scales != entry.scales_bytes)
      pack.fail(fmt::format("tensor '{}': {} bytes and {} of scales do not fit type and shape", tensor.name,
                            entry.data_bytes, entry.scales_bytes));
    tensor.data = checked_range(entry.data_offset, entry.data_bytes, tensor.name);
    if (entry.scales_bytes > 0) {
      const auto scales = checked_range(entry.scales_offset, entry.scales_bytes, tensor.name);
      tensor.scales = {reinterpret_cast<const float*>(scales.data()), scales.size() / sizeof(float)};
    }
    return tensor;
  }

  void read_tensors() {
    pack.tensors_.reserve(header.tensor_count);  // bounded by the metadata, which is in the file
    for (uint64_t i = 0; i < header.tensor_count; ++i) {
      pack.tensors_.push_back(read_tensor(i));
      if (i > 0 && pack.tensors_[i - 1].name >= pack.tensors_[i].name)
        pack.fail(fmt::format("tensor {} is out of order or repeated in the table", i));
    }
  }

  void check_config() const {
    std::string_view previous;
    for (uint64_t i = 0; i < header.config_count; ++i) {
      const auto entry = entry_at<ConfigEntry>(pack.config_table_, i * sizeof(ConfigEntry));
      const std::string_view key = checked_string(entry.key, "key of config", i);
      checked_string(entry.value, "value of config", i);
      if (i > 0 && previous >= key) pack.fail(fmt::format("config entry {} is out of order or repeated", i));
      previous = key;
    }
  }

  void check_blobs() const {
    for (uint64_t i = 0; i < header.blob_count; ++i) {
      const auto entry = entry_at<BlobEntry>(pack.blob_table_, i * sizeof(BlobEntry));
      checked_range(entry.offset, entry.bytes, checked_string(entry.name, "name of blob", i));
    }
  }
};

Pack::Pack(const std::filesystem::path& path) : file_(map_pack(path)) {
  Reader{*this}.read();
}

void Pack::fail(std::string_view what) const {
  throw Error(Code::corrupt_file, fmt::format("pack '{}': {}", path().native(), what))
      .hint("make it again with quantize-model, or copy the file again");
}

std::string_view Pack::string_at(uint32_t offset, uint32_t length) const {
  return {reinterpret_cast<const char*>(strings_.data()) + offset, length};
}

std::optional<PackTensor> Pack::find(std::string_view name) const {
  const auto at = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                   [](const PackTensor& tensor, std::string_view key) { return tensor.name < key; });
  if (at == tensors_.end() || at->name != name) return std::nullopt;
  return *at;
}

PackTensor Pack::require(std::string_view name) const {
  const std::optional<PackTensor> tensor = find(name);
  if (!tensor) fail(fmt::format("tensor '{}' is missing", name));
  return *tensor;
}

PackedWeight Pack::require_linear(std::string_view name, int64_t outputs, int64_t inputs) const {
  const PackTensor tensor = require(name);
  const Shape expected{outputs, inputs};
  if (!is_linear(tensor.dtype) || tensor.shape != expected)
    fail(fmt::format("tensor '{}' is {} {}, expected a linear weight {}", name, to_string(tensor.dtype),
                     tensor.shape.to_string(), expected.to_string()));
  PackedWeight weight;
  weight.dtype = tensor.dtype;
  weight.outputs = outputs;
  weight.inputs = inputs;
  weight.data = tensor.data.data();
  weight.scales = tensor.scales.empty() ? nullptr : tensor.scales.data();
  weight.pager = pager_.get();
  return weight;
}

void Pack::page(Budget& budget, const PagerOptions& options) {
  struct Piece {
    std::span<const std::byte> bytes;
    bool paged = false;
  };
  std::vector<Piece> pieces;
  for (const PackTensor& tensor : tensors_) {
    pieces.push_back({tensor.data, tensor.shape.rank() == 2});
    pieces.push_back({std::as_bytes(tensor.scales), false});
  }
  for (uint64_t i = 0; i < blob_table_.size() / sizeof(BlobEntry); ++i) {
    const auto entry = entry_at<BlobEntry>(blob_table_, i * sizeof(BlobEntry));
    pieces.push_back({file_.bytes().subspan(entry.offset, entry.bytes), false});
  }
  std::erase_if(pieces, [](const Piece& piece) { return piece.bytes.empty(); });
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.bytes.data() < b.bytes.data(); });
  // Adjacent matrices with only padding between them form one run.
  std::vector<std::span<const std::byte>> runs;
  bool joins = false;
  for (const Piece& piece : pieces) {
    const std::byte* end = piece.bytes.data() + piece.bytes.size();
    if (piece.paged && joins)
      runs.back() = {runs.back().data(), std::max(runs.back().data() + runs.back().size(), end)};
    else if (piece.paged)
      runs.push_back(piece.bytes);
    joins = piece.paged;
  }
  pager_ = std::make_unique<Pager>(file_, runs, budget, options);
}

std::span<const float> Pack::require_f32(std::string_view name, const Shape& shape) const {
  const PackTensor tensor = require(name);
  if (tensor.dtype != DType::f32 || tensor.shape != shape)
    fail(fmt::format("tensor '{}' is {} {}, expected f32 {}", name, to_string(tensor.dtype), tensor.shape.to_string(),
                     shape.to_string()));
  return {reinterpret_cast<const float*>(tensor.data.data()), tensor.data.size() / sizeof(float)};
}

std::optional<std::string_view> Pack::text(std::string_view key) const {
  uint64_t low = 0;
  uint64_t high = config_table_.size() / sizeof(ConfigEntry);
  while (low < high) {
    const uint64_t middle = (low + high) / 2;
    const auto entry = entry_at<ConfigEntry>(config_table_, middle * sizeof(ConfigEntry));
    const std::string_view candidate = string_at(entry.key.offset, entry.key.length);
    if (candidate == key) return string_at(entry.value.offset, entry.value.length);
    if (candidate < key)
      low = middle + 1;
    else
      high = middle;
  }
  return std::nullopt;
}

std::vector<std::pair<std::string_view, std::string_view>> Pack::entries() const {
  std::vector<std::pair<std::string_view, std::string_view>> result;
  for (uint64_t at = 0; at < config_table_.size(); at += sizeof(ConfigEntry)) {
    const auto entry = entry_at<ConfigEntry>(config_table_, at);
    result.emplace_back(string_at(entry.key.offset, entry.key.length),
                        string_at(entry.value.offset, entry.value.length));
  }
  return result;
}

std::span<const std::byte> Pack::blob(std::string_view name) const {
  for (uint64_t at = 0; at < blob_table_.size(); at += sizeof(BlobEntry)) {
    const auto entry = entry_at<BlobEntry>(blob_table_, at);
    if (string_at(entry.name.offset, entry.name.length) == name)
      return file_.bytes().subspan(entry.offset, entry.bytes);
  }
  return {};
}

void Pack::verify() const {
  const std::byte* base = file_.bytes().data();
  const auto check = [&](std::span<const std::byte> bytes, uint64_t checksum, std::string_view kind,
                         std::string_view name) {
    const bool matches = checksum64(bytes) == checksum;
    const uint64_t offset = static_cast<uint64_t>(bytes.data() - base);
    file_.release(offset, bytes.size());  // checking a pack does not make it resident
    if (matches) return;
    throw Error(Code::verify_failed,
                fmt::format("pack '{}': {} '{}' at offset {} fails its checksum", path().native(), kind, name, offset))
        .hint("make it again with quantize-model, or copy the file again");
  };
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const auto entry = entry_at<TensorEntry>(tensor_table_, i * sizeof(TensorEntry));
    check(tensors_[i].data, entry.data_checksum, "tensor", tensors_[i].name);
    if (!tensors_[i].scales.empty())
      check(std::as_bytes(tensors_[i].scales), entry.scales_checksum, "scales of tensor", tensors_[i].name);
  }
  for (uint64_t at = 0; at < blob_table_.size(); at += sizeof(BlobEntry)) {
    const auto entry = entry_at<BlobEntry>(blob_table_, at);
    check(file_.bytes().subspan(entry.offset, entry.bytes), entry.checksum, "blob",
          string_at(entry.name.offset, entry.name.length));
  }
}

uint64_t pack_tensor_bytes(DType dtype, const Shape& shape) {
  const auto bytes = tensor_bytes(dtype, shape);
  FRUGAL_CHECK(bytes.has_value());
  return bytes->data + bytes->scales;
}

}  // namespace frugal
