// Reads one message in the wire format of Protocol Buffers, field by field. Only the types that SentencePiece's files
// need have accessors; fields of other types are skipped. The bytes are untrusted: no read leaves the message, and
// nothing is allocated for a length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "model/format/byte_cursor.h"

namespace frugal {

class ProtobufReader {
 public:
  /// where: for errors, "'spiece.model'". Borrows `bytes`.
  ProtobufReader(std::span<const std::byte> bytes, std::string where) : ProtobufReader(bytes, 0, std::move(where)) {}

  /// Reads the next field, whatever its type. False at the end. Throws Error(corrupt_file) naming the place and the
  /// offset in `bytes` if the message is cut off or has what is no field.
  bool next();
  uint32_t field() const { return field_; }

  // The value of the field, `name` in errors: "'spiece.model': pieces[3].score: …". Throw Error(corrupt_file) if the
  // field has another type.
  int64_t integer(std::string_view name) const;
  bool boolean(std::string_view name) const { return integer(name) != 0; }
  float number(std::string_view name) const;
  std::string_view text(std::string_view name) const;
  ProtobufReader message(std::string_view name) const;

  /// Throws Error(corrupt_file) that names the field and where its value lies.
  [[noreturn]] void fail(std::string_view name, std::string_view what) const;

 private:
  enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  ProtobufReader(std::span<const std::byte> bytes, uint64_t offset, std::string where)
      : bytes_(bytes), cursor_(bytes, offset, std::move(where)) {}
  uint64_t read_varint(std::string_view what);
  void require(WireType type, std::string_view name) const;

  std::span<const std::byte> bytes_;  // up to the end of the message
  ByteCursor cursor_;
  uint32_t field_ = 0, type_ = 0;
  uint64_t value_ = 0;  // of a number, as it is encoded; of bytes: their number
  uint64_t at_ = 0;     // offset of the value
};

}  // namespace frugal
