#include "model/format/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/checked.h"
#include "base/error.h"
#include "model/format/json_reader.h"
#include "model/format/source_tensor.h"

namespace frugal {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's limit

struct NamedType {
  std::string_view name;
  SourceType type;
};
constexpr std::array kTypes{
    NamedType{"F32", SourceType::f32}, NamedType{"F16", SourceType::f16}, NamedType{"BF16", SourceType::bf16},
    NamedType{"F64", SourceType::f64}, NamedType{"I8", SourceType::i8},   NamedType{"U8", SourceType::u8},
    NamedType{"BOOL", SourceType::u8}, NamedType{"I32", SourceType::i32}, NamedType{"I64", SourceType::i64},
};

class SafetensorsReader {
 public:
  explicit SafetensorsReader(const MappedFile& file) : file_(file), bytes_(file.bytes()) {}

  std::vector<SourceTensor> read() {
    const std::string_view header = find_header();
    simdjson::dom::parser parser;
    for (const auto [name, value] : parse_json_object(parser, header, file_.path().native()))
      if (name != "__metadata__") tensors_.push_back(read_tensor(name, value));
    check_contiguous();
    return std::move(tensors_);
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw Error(Code::corrupt_file, fmt::format("safetensors '{}': {}", file_.path().native(), what))
        .hint("download the file again");
  }

  std::string_view find_header() {
    uint64_t length = 0;
    if (bytes_.size() < sizeof length) fail(fmt::format("{} bytes are too few for a header", bytes_.size()));
    std::memcpy(&length, bytes_.data(), sizeof length);
    if (length > kMaxHeaderBytes || !fits(sizeof length, length, bytes_.size()))
      fail(fmt::format("header of {} bytes (offset 0) in a file of {}", length, bytes_.size()));
    data_ = bytes_.subspan(sizeof length + length);
    const std::string_view header(reinterpret_cast<const char*>(bytes_.data()) + sizeof length, length);
    if (!header.starts_with('{')) fail("the header (offset 8) does not begin with '{'");
    return header;
  }

  SourceTensor read_tensor(std::string_view name, simdjson::dom::element value) const {
    check_source_name(name, file_.path());
    SourceTensor tensor;
    tensor.name = name;
    tensor.type = read_type(name, value);
    tensor.shape = read_shape(name, value);
    tensor.data = read_range(name, value);
    const std::optional<uint64_t> expected = source_bytes(tensor.type, tensor.shape);
    if (expected != tensor.data.size())
      fail(fmt::format("tensor '{}' {} {} has {} bytes", name, to_string(tensor.type), tensor.shape.to_string(),
                       tensor.data.size()));
    return tensor;
  }

  SourceType read_type(std::string_view name, simdjson::dom::element value) const {
    std::string_view type;
    if (value["dtype"].get_string().get(type)) fail(fmt::format("tensor '{}': no 'dtype'", name));
    const auto* known = std::find_if(kTypes.begin(), kTypes.end(), [&](const NamedType& t) { return t.name == type; });
    if (known != kTypes.end()) return known->type;
    throw Error(Code::bad_input, fmt::format("safetensors '{}': tensor '{}' has the unsupported type '{}'",
                                             file_.path().native(), name, printable(type)))
        .hint("convert the checkpoint to F32, F16 or BF16");
  }

  Shape read_shape(std::string_view name, simdjson::dom::element value) const {
    simdjson::dom::array list;
    if (value["shape"].get_array().get(list)) fail(fmt::format("tensor '{}': no 'shape'", name));
    std::array<int64_t, kMaxSourceRank> dims{};
    size_t rank = 0;
    for (const simdjson::dom::element element : list) {
      if (rank == dims.size()) fail(fmt::format("tensor '{}' has more than {} dimensions", name, dims.size()));
      if (element.get_int64().get(dims[rank]) || dims[rank] <= 0)
        fail(fmt::format("tensor '{}': dimension {} is not a positive integer", name, rank));
      ++rank;
    }
    const std::optional<Shape> shape = source_shape(std::span(dims).first(rank));
    if (!shape) fail(fmt::format("tensor '{}' has too many elements", name));
    return *shape;
  }

  std::span<const std::byte> read_range(std::string_view name, simdjson::dom::element value) const {
    uint64_t begin = 0;
    uint64_t end = 0;
    simdjson::dom::array range;
    if (value["data_offsets"].get_array().get(range) || range.size() != 2 || range.at(0).get_uint64().get(begin) ||
        range.at(1).get_uint64().get(end))
      fail(fmt::format("tensor '{}': 'data_offsets' is not two offsets", name));
    if (begin > end || end > data_.size())
      fail(fmt::format("tensor '{}': data_offsets [{}, {}] lie outside the {} bytes of data", name, begin, end,
                       data_.size()));
    return data_.subspan(begin, end - begin);
  }

  void check_contiguous() {
    std::sort(tensors_.begin(), tensors_.end(),
              [](const SourceTensor& a, const SourceTensor& b) { return a.data.data() < b.data.data(); });
    const std::byte* expected = data_.data();
    for (const SourceTensor& tensor : tensors_) {
      if (tensor.data.data() != expected)
        fail(fmt::format("tensor '{}' overlaps its neighbour or leaves a gap at offset {}", tensor.name,
                         tensor.data.data() - bytes_.data()));
      expected += tensor.data.size();
    }
    const auto rest = data_.data() + data_.size() - expected;
    if (rest != 0) fail(fmt::format("{} bytes at the end belong to no tensor", rest));
  }

  const MappedFile& file_;
  std::span<const std::byte> bytes_, data_;
  std::vector<SourceTensor> tensors_;
};

}  // namespace

std::vector<SourceTensor> read_safetensors(const MappedFile& file) {
  return SafetensorsReader(file).read();
}

}  // namespace frugal
