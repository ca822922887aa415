// Reads forward through a bounded range of untrusted bytes. No read leaves the range, and every failure names its
// offset. Little-endian, like every format here.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/checked.h"
#include "base/error.h"

namespace frugal {

class ByteCursor {
 public:
  /// where: format and file for error messages: "GGUF 'model.gguf'". Offsets count from the beginning of `bytes`.
  ByteCursor(std::span<const std::byte> bytes, uint64_t offset, std::string where)
      : bytes_(bytes), offset_(offset), where_(std::move(where)) {}

  uint64_t offset() const { return offset_; }
  uint64_t remaining() const { return bytes_.size() - offset_; }
  /// The next `limit` bytes, or fewer at the end, without consuming them.
  std::string_view peek_text(uint64_t limit) const {
    const auto next = bytes_.subspan(offset_, std::min(limit, remaining()));
    return {reinterpret_cast<const char*>(next.data()), next.size()};
  }

  const std::string& where() const { return where_; }

  /// Throws Error(corrupt_file) that names the file and the offset.
  [[noreturn]] void fail(std::string_view what) const { fail_at(offset_, what); }
  [[noreturn]] void fail_at(uint64_t offset, std::string_view what) const {
    throw Error(Code::corrupt_file, fmt::format("{}: {} (offset {})", where_, what, offset))
        .hint("download the file again");
  }

  /// Consumes `bytes` bytes. Throws Error(corrupt_file) that names `what` if fewer remain; so do the two below.
  std::span<const std::byte> take(uint64_t bytes, std::string_view what) {
    if (!fits(offset_, bytes, bytes_.size())) fail(fmt::format("{} of {} bytes runs past the end", what, bytes));
    const auto taken = bytes_.subspan(offset_, bytes);
    offset_ += bytes;
    return taken;
  }

  std::string_view take_text(uint64_t bytes, std::string_view what) {
    const auto text = take(bytes, what);
    return {reinterpret_cast<const char*>(text.data()), text.size()};
  }

  template <typename T>
  T read(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  uint64_t offset_;
  std::string where_;
};

}  // namespace frugal
