// Builds safetensors and GGUF files by hand, right or deliberately wrong: every field can be set to what a test wants.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace frugal::testing {

template <typename T>
void append_value(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

inline std::string bytes_of(std::span<const float> values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

/// [8 bytes of header length][header][data]
inline std::string safetensors_file(std::string_view header, std::string_view data) {
  std::string file;
  append_value<uint64_t>(file, header.size());
  file += header;
  file += data;
  return file;
}

class SafetensorsBuilder {
 public:
  SafetensorsBuilder& add(std::string_view name, std::string_view dtype, const std::vector<int64_t>& shape,
                          std::string_view data) {
    std::string dims;
    for (const int64_t dim : shape) dims += (dims.empty() ? "" : ",") + std::to_string(dim);
    if (!header_.empty()) header_ += ",";
    header_ += "\"" + std::string(name) + "\":{\"dtype\":\"" + std::string(dtype) + "\",\"shape\":[" + dims +
               "],\"data_offsets\":[" + std::to_string(data_.size()) + "," +
               std::to_string(data_.size() + data.size()) + "]}";
    data_ += data;
    return *this;
  }
  SafetensorsBuilder& add(std::string_view name, const std::vector<int64_t>& shape, std::span<const float> values) {
    return add(name, "F32", shape, bytes_of(values));
  }
  std::string build() const { return safetensors_file("{" + header_ + "}", data_); }

 private:
  std::string header_, data_;
};

/// GGUF's numbers for metadata types and tensor types, as far as tests use them.
enum GgufValue : uint32_t { kGgufU32 = 4, kGgufF32 = 6, kGgufBool = 7, kGgufString = 8, kGgufArray = 9 };
enum GgufTensor : uint32_t { kGgmlF32 = 0, kGgmlQ4_0 = 2, kGgmlQ4_1 = 3, kGgmlQ8_0 = 8, kGgmlQ4_K = 12 };

class GgufBuilder {
 public:
  uint32_t version = 3;
  uint64_t alignment = 32;

  static void append_string(std::string& out, std::string_view text) {
    append_value<uint64_t>(out, text.size());
    out += text;
  }

  /// A key with a type and bytes as given.
  GgufBuilder& raw(std::string_view key, uint32_t type, std::string_view bytes) {
    append_string(metadata_, key);
    append_value(metadata_, type);
    metadata_ += bytes;
    ++metadata_count_;
    return *this;
  }
  GgufBuilder& text(std::string_view key, std::string_view value) {
    std::string bytes;
    append_string(bytes, value);
    return raw(key, kGgufString, bytes);
  }
  GgufBuilder& u32(std::string_view key, uint32_t value) { return number(key, kGgufU32, value); }
  GgufBuilder& f32(std::string_view key, float value) { return number(key, kGgufF32, value); }
  GgufBuilder& strings(std::string_view key, const std::vector<std::string>& values) {
    std::string bytes;
    append_value<uint32_t>(bytes, kGgufString);
    append_value<uint64_t>(bytes, values.size());
    for (const std::string& value : values) append_string(bytes, value);
    return raw(key, kGgufArray, bytes);
  }
  template <typename T>
  GgufBuilder& numbers(std::string_view key, uint32_t type, const std::vector<T>& values) {
    std::string bytes;
    append_value(bytes, type);
    append_value<uint64_t>(bytes, values.size());
    for (const T value : values) append_value(bytes, value);
    return raw(key, kGgufArray, bytes);
  }

  /// dims as GGUF has them: innermost first.
  GgufBuilder& tensor(std::string_view name, uint32_t type, const std::vector<uint64_t>& dims, std::string_view data) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment);
    return tensor_at(name, type, dims, data_.size(), data);
  }
  /// The same with an offset of the test's choice.
  GgufBuilder& tensor_at(std::string_view name, uint32_t type, const std::vector<uint64_t>& dims, uint64_t offset,
                         std::string_view data) {
    append_string(infos_, name);
    append_value(infos_, static_cast<uint32_t>(dims.size()));
    for (const uint64_t dim : dims) append_value(infos_, dim);
    append_value(infos_, type);
    append_value(infos_, offset);
    data_ += data;
    ++tensor_count_;
    return *this;
  }

  std::string build() const {
    std::string file = "GGUF";
    append_value(file, version);
    append_value(file, tensor_count_);
    append_value(file, metadata_count_);
    file += metadata_ + infos_;
    file.resize((file.size() + alignment - 1) / alignment * alignment);
    return file + data_;
  }
  /// Bytes before the tensor data.
  size_t header_bytes() const { return build().size() - data_.size(); }

 private:
  template <typename T>
  GgufBuilder& number(std::string_view key, uint32_t type, T value) {
    std::string bytes;
    append_value(bytes, value);
    return raw(key, type, bytes);
  }

  std::string metadata_, infos_, data_;
  uint64_t metadata_count_ = 0, tensor_count_ = 0;
};

}  // namespace frugal::testing
