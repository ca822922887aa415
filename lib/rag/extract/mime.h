// The parts of an e-mail's format: header fields, their encoded words and parameters, transfer encodings and character
// sets (RFC 5322, 2045, 2047, 2231). Any bytes are read somehow: mail is what programs of forty years have written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace frugal {

/// Header fields in their order, names in lower case, values unfolded and not decoded.
class MimeHeader {
 public:
  /// Reads fields from byte `at` up to the blank line, and moves `at` behind it.
  MimeHeader(std::string_view message, size_t& at);
  bool empty() const { return fields_.empty(); }
  /// The first field of this name; empty if there is none.
  std::string_view raw(std::string_view name) const;
  /// The same, its encoded words decoded, in UTF-8 and on one line.
  std::string text(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// A value such as `text/plain; charset="utf-8"`.
struct MimeValue {
  std::string value;  // "text/plain", in lower case
  std::vector<std::pair<std::string, std::string>> parameters;

  explicit MimeValue(std::string_view field);
  /// In UTF-8, its continuations (RFC 2231) put together; empty if there is none.
  std::string parameter(std::string_view name) const;
};

/// "=?utf-8?Q?caf=C3=A9?=" → "café".
std::string decode_words(std::string_view text);
/// Bytes of a part: "quoted-printable", "base64", or as they are.
std::string decode_transfer(std::string_view bytes, std::string_view encoding);
/// To UTF-8 from a named character set. One that is not known is guessed. Never has a NUL.
std::string decode_charset(std::string bytes, std::string_view charset);

}  // namespace frugal
