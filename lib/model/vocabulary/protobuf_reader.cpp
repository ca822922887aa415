#include "model/vocabulary/protobuf_reader.h"

#include <fmt/format.h>

#include <bit>
#include <limits>

namespace frugal {

bool ProtobufReader::next() {
  if (cursor_.remaining() == 0) return false;
  const uint64_t at = cursor_.offset(), tag = read_varint("the number of a field");
  if (tag >> 3 == 0 || tag > std::numeric_limits<uint32_t>::max())
    cursor_.fail_at(at, fmt::format("{} is not the number of a field", tag >> 3));
  field_ = static_cast<uint32_t>(tag >> 3);
  type_ = static_cast<uint32_t>(tag & 7);
  at_ = cursor_.offset();
  const std::string what = fmt::format("field {}", field_);
  switch (type_) {
    case kVarint:
      value_ = read_varint(what);
      break;
    case kFixed64:
      value_ = cursor_.read<uint64_t>(what);
      break;
    case kFixed32:
      value_ = cursor_.read<uint32_t>(what);
      break;
    case kBytes:
      value_ = read_varint(what);
      at_ = cursor_.offset();
      cursor_.take(value_, what);
      break;
    default:
      cursor_.fail_at(at, fmt::format("{} has the unknown type {}", what, type_));
  }
  return true;
}

uint64_t ProtobufReader::read_varint(std::string_view what) {
  constexpr int kBits = 64;
  uint64_t value = 0;
  for (int shift = 0; shift < kBits; shift += 7) {
    const auto byte = cursor_.read<uint8_t>(what);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  cursor_.fail(fmt::format("{} has a number of more than 10 bytes", what));
}

void ProtobufReader::fail(std::string_view name, std::string_view what) const {
  cursor_.fail_at(at_, fmt::format("{}: {}", name, what));
}

void ProtobufReader::require(WireType type, std::string_view name) const {
  if (type_ != type) fail(name, fmt::format("has the type {}, expected {}", type_, static_cast<uint32_t>(type)));
}

int64_t ProtobufReader::integer(std::string_view name) const {
  require(kVarint, name);
  return static_cast<int64_t>(value_);
}

float ProtobufReader::number(std::string_view name) const {
  require(kFixed32, name);
  return std::bit_cast<float>(static_cast<uint32_t>(value_));
}

std::string_view ProtobufReader::text(std::string_view name) const {
  require(kBytes, name);
  const auto bytes = bytes_.subspan(at_, value_);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

ProtobufReader ProtobufReader::message(std::string_view name) const {
  require(kBytes, name);
  return {bytes_.first(at_ + value_), at_, fmt::format("{}: {}", cursor_.where(), name)};
}

}  // namespace frugal
