#include "model/format/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <map>

#include "base/checked.h"
#include "base/error.h"
#include "base/file.h"
#include "model/format/byte_cursor.h"
#include "model/format/source_tensor.h"

namespace frugal {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // metadata and tensor infos together
constexpr uint64_t kMaxEntries = 65'536;           // metadata keys; tensors
constexpr uint64_t kMaxKeyBytes = 65'535;          // the specification's
constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kMaxAlignment = 65'536;

// Numbers as in the file.
enum class ValueType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };
constexpr uint32_t kValueTypes = 13;

// Bytes of a fixed-width value; 0 for strings and arrays.
uint64_t fixed_bytes(ValueType type) {
  switch (type) {
    case ValueType::u8:
    case ValueType::i8:
    case ValueType::boolean:
      return 1;
    case ValueType::u16:
    case ValueType::i16:
      return 2;
    case ValueType::u32:
    case ValueType::i32:
    case ValueType::f32:
      return 4;
    case ValueType::u64:
    case ValueType::i64:
    case ValueType::f64:
      return 8;
    case ValueType::string:
    case ValueType::array:
      return 0;
  }
  return 0;
}

// ggml's type numbers.
std::optional<SourceType> source_type_of(uint32_t ggml_type) {
  switch (ggml_type) {
    case 0:
      return SourceType::f32;
    case 1:
      return SourceType::f16;
    case 2:
      return SourceType::q4_0;
    case 3:
      return SourceType::q4_1;
    case 6:
      return SourceType::q5_0;
    case 7:
      return SourceType::q5_1;
    case 8:
      return SourceType::q8_0;
    case 12:
      return SourceType::q4_k;
    case 13:
      return SourceType::q5_k;
    case 14:
      return SourceType::q6_k;
    case 24:
      return SourceType::i8;
    case 26:
      return SourceType::i32;
    case 27:
      return SourceType::i64;
    case 28:
      return SourceType::f64;
    case 30:
      return SourceType::bf16;
    default:
      return std::nullopt;
  }
}

class Cursor : public ByteCursor {
 public:
  Cursor(std::span<const std::byte> bytes, uint64_t offset, const std::filesystem::path& file)
      : ByteCursor(bytes, offset, fmt::format("GGUF '{}'", file.native())) {}

  std::string_view read_string(std::string_view what, uint64_t limit = kMaxHeaderBytes) {
    const auto length = read<uint64_t>(what);
    if (length > limit) fail(fmt::format("{} of {} bytes is longer than {}", what, length, limit));
    return take_text(length, what);
  }

  ValueType read_type(std::string_view what) {
    const auto type = read<uint32_t>(what);
    if (type >= kValueTypes) fail(fmt::format("{} is of the unknown type {}", what, type));
    return static_cast<ValueType>(type);
  }
};

// A value in the mapped file. Arrays are decoded on demand: a vocabulary stays in the file until it is needed.
struct Value {
  ValueType type = ValueType::u8;  // element type, if is_array
  bool is_array = false;
  uint64_t count = 1;
  std::span<const std::byte> bytes;  // a string's with its length
};

template <typename T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::optional<int64_t> integer_at(ValueType type, const std::byte* at) {
  switch (type) {
    case ValueType::u8:
      return load<uint8_t>(at);
    case ValueType::i8:
      return load<int8_t>(at);
    case ValueType::u16:
      return load<uint16_t>(at);
    case ValueType::i16:
      return load<int16_t>(at);
    case ValueType::u32:
      return load<uint32_t>(at);
    case ValueType::i32:
      return load<int32_t>(at);
    case ValueType::i64:
      return load<int64_t>(at);
    case ValueType::boolean:
      return load<uint8_t>(at) != 0;
    case ValueType::u64: {
      const auto value = load<uint64_t>(at);
      if (value > uint64_t(INT64_MAX)) return std::nullopt;
      return static_cast<int64_t>(value);
    }
    default:
      return std::nullopt;
  }
}

std::optional<double> number_at(ValueType type, const std::byte* at) {
  if (type == ValueType::f32) return load<float>(at);
  if (type == ValueType::f64) return load<double>(at);
  const std::optional<int64_t> whole = integer_at(type, at);
  return whole ? std::optional(static_cast<double>(*whole)) : std::nullopt;
}

class GgufFile final : public Checkpoint {
 public:
  explicit GgufFile(const std::filesystem::path& path)
      : file_(path),
        cursor_(file_.bytes().first(std::min<size_t>(file_.bytes().size(), kMaxHeaderBytes)), 0, file_.path()) {
    read_counts();
    for (uint64_t i = 0; i < metadata_count_; ++i) read_metadata();
    read_alignment();
    std::vector<uint64_t> offsets;
    for (uint64_t i = 0; i < tensor_count_; ++i) offsets.push_back(read_tensor_info());
    place_tensors(offsets);
    sort_by_name(tensors_, file_.path());
  }

  std::string_view format() const override { return "gguf"; }
  std::string architecture() const override { return text("general.architecture").value_or(""); }
  std::span<const SourceTensor> tensors() const override { return tensors_; }
  void release(std::span<const std::byte> data) const override {
    file_.release(static_cast<uint64_t>(data.data() - file_.bytes().data()), data.size());
  }

  std::optional<std::string> text(std::string_view key) const override {
    const Value* value = find_value(key);
    if (!value || value->is_array || value->type != ValueType::string) return std::nullopt;
    return std::string(Cursor(value->bytes, 0, file_.path()).read_string(key));
  }
  std::optional<int64_t> integer(std::string_view key) const override {
    const Value* value = find_value(key);
    if (!value || value->is_array || value->type == ValueType::string) return std::nullopt;
    return integer_at(value->type, value->bytes.data());
  }
  std::optional<double> number(std::string_view key) const override {
    const Value* value = find_value(key);
    if (!value || value->is_array || value->type == ValueType::string) return std::nullopt;
    return number_at(value->type, value->bytes.data());
  }
  std::vector<double> numbers(std::string_view key) const override { return list<double>(key, number_at); }

  TokenizerSource tokenizer() const override {
    TokenizerSource source;
    source.gguf_model = text("tokenizer.ggml.model").value_or("");
    source.gguf_pre = text("tokenizer.ggml.pre").value_or("");
    source.gguf_tokens = strings("tokenizer.ggml.tokens");
    source.gguf_merges = strings("tokenizer.ggml.merges");
    source.gguf_scores = list<float>("tokenizer.ggml.scores", number_at);
    source.gguf_token_types = list<int32_t>("tokenizer.ggml.token_type", integer_at);
    source.gguf_bos = integer("tokenizer.ggml.bos_token_id");
    source.gguf_eos = integer("tokenizer.ggml.eos_token_id");
    source.gguf_unk = integer("tokenizer.ggml.unknown_token_id");
    source.gguf_pad = integer("tokenizer.ggml.padding_token_id");
    source.gguf_sep = integer("tokenizer.ggml.seperator_token_id");  // the specification's own spelling
    source.gguf_cls = integer("tokenizer.ggml.cls_token_id");
    // Where a file leaves them out, llama.cpp decides by the kind of tokenizer.
    const bool sentencepiece = source.gguf_model == "llama";
    source.gguf_add_bos = integer("tokenizer.ggml.add_bos_token").value_or(sentencepiece) != 0;
    source.gguf_add_eos = integer("tokenizer.ggml.add_eos_token").value_or(0) != 0;
    source.gguf_add_space_prefix = integer("tokenizer.ggml.add_space_prefix").value_or(sentencepiece) != 0;
    source.chat_template = text("tokenizer.chat_template").value_or("");
    return source;
  }

  std::optional<std::string> side_file(std::string_view) const override { return std::nullopt; }
  std::vector<std::filesystem::path> files() const override { return {file_.path()}; }

 private:
  void read_counts() {
    if (cursor_.read<uint32_t>("magic") != 0x46554747) cursor_.fail("no magic 'GGUF'");
    const auto version = cursor_.read<uint32_t>("version");
    if (version != 2 && version != 3) {
      const bool swapped = version == 0x02000000 || version == 0x03000000;
      throw Error(Code::bad_input, fmt::format("GGUF '{}': version {} (offset 4), supported are 2 and 3",
                                               file_.path().native(), version))
          .hint(swapped ? "the file is big-endian; convert it to little-endian"
                        : "convert the model again with llama.cpp");
    }
    tensor_count_ = cursor_.read<uint64_t>("tensor count");
    metadata_count_ = cursor_.read<uint64_t>("metadata count");
    if (tensor_count_ == 0 || tensor_count_ > kMaxEntries || metadata_count_ > kMaxEntries)
      cursor_.fail(fmt::format("{} tensors and {} metadata keys: more than {} or none", tensor_count_, metadata_count_,
                               kMaxEntries));
  }

  void read_metadata() {
    const std::string_view key = cursor_.read_string("metadata key", kMaxKeyBytes);
    const std::string shown = fmt::format("metadata '{}'", printable(key));
    Value value;
    value.type = cursor_.read_type(shown);
    if (value.type == ValueType::array) {
      value.is_array = true;
      value.type = cursor_.read_type(shown);
      value.count = cursor_.read<uint64_t>(shown);
      if (value.type == ValueType::array) cursor_.fail(shown + " is an array of arrays");
    }
    value.bytes = skip_values(value, shown);
    if (!metadata_.emplace(key, value).second) cursor_.fail(shown + " appears twice");
  }

  // Walks over the values, so that everything read later lies inside the file.
  std::span<const std::byte> skip_values(const Value& value, std::string_view what) {
    if (value.type != ValueType::string) {
      const std::optional<uint64_t> bytes = checked_mul(value.count, fixed_bytes(value.type));
      if (!bytes) cursor_.fail(fmt::format("{} has {} elements", what, value.count));
      return cursor_.take(*bytes, what);
    }
    const uint64_t begin = cursor_.offset();
    for (uint64_t i = 0; i < value.count; ++i) cursor_.read_string(what);  // 8 bytes at least: ends with the file
    return file_.bytes().subspan(begin, cursor_.offset() - begin);
  }

  void read_alignment() {
    const Value* value = find_value("general.alignment");
    if (!value) return;
    const std::optional<int64_t> alignment = integer("general.alignment");
    if (!alignment || *alignment < 8 || uint64_t(*alignment) > kMaxAlignment ||
        !std::has_single_bit(uint64_t(*alignment)))
      cursor_.fail(fmt::format("general.alignment is not a power of two from 8 to {}", kMaxAlignment));
    alignment_ = static_cast<uint64_t>(*alignment);
  }

  // Returns the offset of the data, relative to where the data begins.
  uint64_t read_tensor_info() {
    SourceTensor tensor;
    tensor.name = cursor_.read_string("tensor name", kMaxKeyBytes);
    check_source_name(tensor.name, file_.path());
    tensor.shape = read_shape(tensor.name);
    const auto type = cursor_.read<uint32_t>("tensor type");
    const std::optional<SourceType> known = source_type_of(type);
    if (!known)
      throw Error(Code::bad_input, fmt::format("GGUF '{}': tensor '{}' has the unsupported type {} (offset {})",
                                               file_.path().native(), tensor.name, type, cursor_.offset() - 4))
          .hint("supported: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K");
    tensor.type = *known;
    const auto offset = cursor_.read<uint64_t>("tensor offset");
    if (offset % alignment_ != 0)
      cursor_.fail(fmt::format("tensor '{}' is not aligned to {}", tensor.name, alignment_));
    tensors_.push_back(std::move(tensor));
    return offset;
  }

  Shape read_shape(std::string_view name) {
    const auto rank = cursor_.read<uint32_t>("tensor rank");
    if (rank < 1 || rank > uint32_t(Shape::kMaxRank))
      cursor_.fail(fmt::format("tensor '{}' has {} dimensions", name, rank));
    std::array<int64_t, Shape::kMaxRank> dims{};
    for (uint32_t i = 0; i < rank; ++i) {
      const auto dim = cursor_.read<uint64_t>("tensor dimension");
      if (dim == 0 || dim > uint64_t(INT64_MAX))
        cursor_.fail(fmt::format("tensor '{}': dimension {} is {}", name, i, dim));
      dims[rank - 1 - i] = static_cast<int64_t>(dim);  // innermost first in the file
    }
    return Shape(std::span(dims).first(rank));
  }

  void place_tensors(const std::vector<uint64_t>& offsets) {
    const uint64_t data_begin = round_up(cursor_.offset(), alignment_);
    if (data_begin > file_.bytes().size()) cursor_.fail("the file ends before the tensor data");
    const std::span<const std::byte> data = file_.bytes().subspan(data_begin);
    for (size_t i = 0; i < tensors_.size(); ++i) {
      SourceTensor& tensor = tensors_[i];
      const std::optional<uint64_t> bytes = source_bytes(tensor.type, tensor.shape);
      if (!bytes)
        cursor_.fail(fmt::format("tensor '{}' {}: a row is not whole blocks of {}, or too large", tensor.name,
                                 tensor.shape.to_string(), to_string(tensor.type)));
      if (!fits(offsets[i], *bytes, data.size()))
        cursor_.fail(fmt::format("tensor '{}': {} bytes at {} lie outside the {} bytes of data", tensor.name, *bytes,
                                 offsets[i], data.size()));
      tensor.data = data.subspan(offsets[i], *bytes);
    }
    check_overlap();
  }

  void check_overlap() {
    std::sort(tensors_.begin(), tensors_.end(),
              [](const SourceTensor& a, const SourceTensor& b) { return a.data.data() < b.data.data(); });
    for (size_t i = 1; i < tensors_.size(); ++i)
      if (tensors_[i - 1].data.data() + tensors_[i - 1].data.size() > tensors_[i].data.data())
        cursor_.fail(fmt::format("tensors '{}' and '{}' overlap", tensors_[i - 1].name, tensors_[i].name));
  }

  const Value* find_value(std::string_view key) const {
    const auto at = metadata_.find(key);
    return at == metadata_.end() ? nullptr : &at->second;
  }

  template <typename T, typename Convert>
  std::vector<T> list(std::string_view key, Convert convert) const {
    const Value* value = find_value(key);
    std::vector<T> result;
    if (!value || !value->is_array || value->type == ValueType::string) return result;
    result.reserve(value->count);
    for (uint64_t i = 0; i < value->count; ++i) {
      const auto element = convert(value->type, value->bytes.data() + i * fixed_bytes(value->type));
      if (!element) return {};
      result.push_back(static_cast<T>(*element));
    }
    return result;
  }

  std::vector<std::string> strings(std::string_view key) const {
    const Value* value = find_value(key);
    std::vector<std::string> result;
    if (!value || !value->is_array || value->type != ValueType::string) return result;
    result.reserve(value->count);
    Cursor cursor(value->bytes, 0, file_.path());
    for (uint64_t i = 0; i < value->count; ++i) result.emplace_back(cursor.read_string(key));
    return result;
  }

  MappedFile file_;
  Cursor cursor_;
  uint64_t tensor_count_ = 0;
  uint64_t metadata_count_ = 0;
  uint64_t alignment_ = kDefaultAlignment;
  std::map<std::string, Value, std::less<>> metadata_;
  std::vector<SourceTensor> tensors_;
};

}  // namespace

std::unique_ptr<Checkpoint> open_gguf(const std::filesystem::path& file) {
  return std::make_unique<GgufFile>(file);
}

}  // namespace frugal
