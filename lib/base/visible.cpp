#include "base/visible.h"

#include <fmt/format.h>

#include <iterator>

#include "base/utf8.h"

namespace frugal {
namespace {

// DEL and C1, in which U+009B begins an escape sequence; then the embeddings, overrides and isolates of bidirectional
// text.
bool is_hidden(char32_t c) {
  return (c >= 0x7F && c <= 0x9F) || c == 0x061C || (c >= 0x200E && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

void append_escape(std::string& out, const CodePoint& point, std::string_view bytes) {
  const auto end = std::back_inserter(out);
  if (!point.well_formed) {
    for (const char byte : bytes) fmt::format_to(end, "\\x{:02x}", static_cast<unsigned char>(byte));
  } else if (point.value == '\n') {
    out += "\\n";
  } else if (point.value == '\t') {
    out += "\\t";
  } else if (point.value == '\r') {
    out += "\\r";
  } else if (point.value < 0x80) {
    fmt::format_to(end, "\\x{:02x}", static_cast<uint32_t>(point.value));
  } else {
    fmt::format_to(end, "\\u{:04x}", static_cast<uint32_t>(point.value));
  }
}

bool keeps_lines(std::string_view text, size_t at) {
  return text[at] == '\n' || text[at] == '\t' || (text[at] == '\r' && text.substr(at).starts_with("\r\n"));
}

std::string visible(std::string_view text, bool one_line) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    const std::string_view bytes = text.substr(at, point.num_bytes);
    const bool hidden = !point.well_formed || point.value < 0x20 || is_hidden(point.value);
    if (hidden && (one_line || !keeps_lines(text, at))) {
      append_escape(out, point, bytes);
    } else {
      out += bytes;
    }
    at += point.num_bytes;
  }
  return out;
}

}  // namespace

std::string visible_line(std::string_view text) {
  return visible(text, true);
}

std::string visible_text(std::string_view text) {
  return visible(text, false);
}

std::string visible_json(std::string json) {
  std::string out;
  size_t copied = 0;
  for (size_t at = 0; at < json.size();) {
    const CodePoint point = decode_utf8(json, at);
    if (point.well_formed && is_hidden(point.value)) {
      out.append(json, copied, at - copied);
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<uint32_t>(point.value));
      copied = at + point.num_bytes;
    }
    at += point.num_bytes;
  }
  if (copied == 0) return json;
  return out.append(json, copied);
}

}  // namespace frugal
