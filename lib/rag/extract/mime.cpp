#include "rag/extract/mime.h"

#include <iconv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "base/ascii.h"
#include "base/utf8.h"
#include "rag/extract/encoding.h"

namespace frugal {
namespace {

constexpr size_t kMaxFields = 1000;  // of a header

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), ascii_lower);
  return result;
}

int hex_digit(char c) {
  const char l = ascii_lower(c);
  return is_digit(static_cast<unsigned char>(c)) ? c - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/// The byte that two hexadecimal digits at `at` write; -1 if they are none.
int hex_byte(std::string_view text, size_t at) {
  if (at + 1 >= text.size()) return -1;
  const int high = hex_digit(text[at]), low = hex_digit(text[at + 1]);
  return high < 0 || low < 0 ? -1 : 16 * high + low;
}

std::string decode_base64(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  int num_bits = 0;
  for (const char c : text) {
    const int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : c >= '0' && c <= '9' ? c - '0' + 52
                      : c == '+' || c == '-' ? 62
                      : c == '/' || c == '_' ? 63
                                             : -1;
    if (c == '=') num_bits = 0;  // padding ends a group; another one may follow
    if (value < 0) continue;
    bits = bits << 6 | static_cast<uint32_t>(value);
    num_bits += 6;
    if (num_bits < 8) continue;
    num_bits -= 8;
    bytes += static_cast<char>(bits >> num_bits & 0xFF);
  }
  return bytes;
}

std::string decode_quoted(std::string_view text, bool in_header) {
  std::string bytes;
  for (size_t at = 0; at < text.size(); ++at) {
    if (in_header && text[at] == '_') {
      bytes += ' ';
    } else if (text[at] != '=') {
      bytes += text[at];
    } else if (const int byte = hex_byte(text, at + 1); byte >= 0) {
      bytes += static_cast<char>(byte);
      at += 2;
    } else {  // a soft line break, perhaps with blanks before it
      const size_t end = text.find_first_not_of(" \t\r", at + 1);
      if (end != std::string_view::npos && text[end] == '\n')
        at = end;
      else if (end != std::string_view::npos || in_header)
        bytes += '=';
      else
        break;
    }
  }
  return bytes;
}

/// What iconv may be asked for: it loads a library for each, and has had holes in some that mail never needs.
bool is_known_charset(std::string_view name) {
  constexpr std::array<std::string_view, 17> kKnown = {
      "gb2312", "gbk",    "gb18030", "big5",     "shift_jis", "euc-jp",  "iso-2022-jp", "euc-kr",   "ks_c_5601-1987",
      "koi8-r", "koi8-u", "utf-16",  "utf-16le", "utf-16be",  "tis-620", "ibm850",      "macintosh"};
  const auto numbered = [&](std::string_view prefix) {
    return name.starts_with(prefix) && is_digits(name.substr(prefix.size())) && name.size() <= prefix.size() + 2;
  };
  return numbered("iso-8859-") || numbered("windows-12") ||
         std::find(kKnown.begin(), kKnown.end(), name) != kKnown.end();
}

std::optional<std::string> convert(std::string& bytes, const std::string& charset) {
  const iconv_t converter = ::iconv_open("UTF-8", charset == "ks_c_5601-1987" ? "cp949" : charset.c_str());
  if (converter == iconv_t(-1)) return std::nullopt;  // NOLINT(performance-no-int-to-ptr): as POSIX has it
  std::string text;
  char* in = bytes.data();
  size_t in_left = bytes.size();
  std::array<char, 1 << 14> block;
  while (in_left > 0) {
    char* out = block.data();
    size_t out_left = block.size();
    const size_t status = ::iconv(converter, &in, &in_left, &out, &out_left);
    const int reason = errno;
    text.append(block.data(), block.size() - out_left);
    if (status != static_cast<size_t>(-1) || reason == E2BIG) continue;
    if (reason == EINVAL) break;  // cut in the middle of a character
    append_utf8(text, kReplacement);
    ++in;
    --in_left;
  }
  ::iconv_close(converter);
  return text;
}

struct EncodedWord {
  std::string charset, bytes;
  size_t end = 0;
};

/// The encoded word at `at`, "=?charset?Q?text?=".
std::optional<EncodedWord> encoded_word(std::string_view text, size_t at) {
  if (text.substr(at, 2) != "=?") return std::nullopt;
  const size_t charset_end = text.find('?', at + 2);
  if (charset_end == std::string_view::npos || charset_end + 2 >= text.size() || text[charset_end + 2] != '?')
    return std::nullopt;
  const size_t end = text.find("?=", charset_end + 3);
  const char how = ascii_lower(text[charset_end + 1]);
  if (end == std::string_view::npos || (how != 'q' && how != 'b')) return std::nullopt;
  const std::string_view content = text.substr(charset_end + 3, end - charset_end - 3);
  if (content.find_first_of("\r\n?") != std::string_view::npos) return std::nullopt;
  std::string charset = lower(text.substr(at + 2, charset_end - at - 2));
  charset.resize(std::min(charset.find('*'), charset.size()));  // the language that RFC 2231 adds
  return EncodedWord{std::move(charset), how == 'q' ? decode_quoted(content, true) : decode_base64(content), end + 2};
}

}  // namespace

std::string decode_charset(std::string bytes, std::string_view charset) {
  const std::string name = lower(trim(charset));
  const bool is_wide = name.starts_with("utf-16");
  if (!is_wide) std::erase(bytes, '\0');
  const bool is_default = name.empty() || name == "utf-8" || name == "us-ascii" || name == "ascii" || name == "utf8";
  if (!is_default && is_known_charset(name))
    if (std::optional<std::string> text = convert(bytes, name == "iso-8859-1" ? "windows-1252" : name)) {
      std::erase(*text, '\0');
      return *text;
    }
  if (is_default && is_valid_utf8(bytes)) return bytes;
  std::erase(bytes, '\0');
  if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF")) bytes.erase(0, 2);  // not a mark without its NULs
  return decode_text(std::move(bytes)).text;
}

std::string decode_words(std::string_view text) {
  std::string decoded;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = std::min(text.find("=?", at), text.size());
    decoded += decode_charset(std::string(text.substr(at, begin - at)), "");
    at = begin;
    if (at == text.size()) break;
    std::optional<EncodedWord> word = encoded_word(text, at);
    if (!word) {
      decoded += "=?";
      at += 2;
      continue;
    }
    // White space between two encoded words is not part of the text, and a character may lie in both.
    std::string bytes;
    const std::string charset = word->charset;
    while (word && word->charset == charset) {
      bytes += word->bytes;
      at = word->end;
      const size_t next = text.find_first_not_of(" \t\r\n", at);
      word = next == std::string_view::npos ? std::nullopt : encoded_word(text, next);
      if (word) at = next;
    }
    decoded += decode_charset(std::move(bytes), charset);
  }
  return decoded;
}

std::string decode_transfer(std::string_view bytes, std::string_view encoding) {
  const std::string name = lower(trim(encoding));
  if (name == "base64") return decode_base64(bytes);
  if (name == "quoted-printable") return decode_quoted(bytes, false);
  return std::string(bytes);
}

MimeHeader::MimeHeader(std::string_view message, size_t& at) {
  while (at < message.size()) {
    const size_t end = std::min(message.find('\n', at), message.size());
    std::string_view line = message.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const size_t colon = line.find(':');
    const bool folded = !line.empty() && (line[0] == ' ' || line[0] == '\t');
    const bool is_field = !folded && colon != std::string_view::npos && colon > 0 &&
                          line.substr(0, colon).find_first_of(" \t\"<(") == std::string_view::npos;
    if (!line.empty() && !folded && !is_field && !line.starts_with("From ") && !line.starts_with(">From ")) return;
    at = std::min(end + 1, message.size());
    if (line.empty()) return;
    if (folded && !fields_.empty())
      fields_.back().second += std::string(" ").append(trim(line));
    else if (is_field && fields_.size() < kMaxFields)
      fields_.emplace_back(lower(line.substr(0, colon)), trim(line.substr(colon + 1)));
  }
}

std::string_view MimeHeader::raw(std::string_view name) const {
  for (const auto& [key, value] : fields_)
    if (key == name) return value;
  return {};
}

std::string MimeHeader::text(std::string_view name) const {
  return collapse_spaces(decode_words(raw(name)));
}

MimeValue::MimeValue(std::string_view field) {
  size_t at = std::min(field.find(';'), field.size());
  value = lower(trim(field.substr(0, at)));
  while (at < field.size()) {
    ++at;
    const size_t equals = field.find_first_of("=;", at);
    if (equals == std::string_view::npos) return;
    const std::string name = lower(trim(field.substr(at, equals - at)));
    at = equals;
    if (field[equals] == ';') continue;
    at = std::min(field.find_first_not_of(" \t", equals + 1), field.size());
    std::string content;
    if (at < field.size() && field[at] == '"') {
      for (++at; at < field.size() && field[at] != '"'; ++at) {
        if (field[at] == '\\' && at + 1 < field.size()) ++at;
        content += field[at];
      }
      at = std::min(field.find(';', at), field.size());
    } else {
      const size_t end = std::min(field.find(';', at), field.size());
      content = trim(field.substr(at, end - at));
      at = end;
    }
    parameters.emplace_back(name, content);
  }
}

std::string MimeValue::parameter(std::string_view name) const {
  std::string bytes, charset;
  bool found = false, is_extended = false;
  for (const auto& [key, content] : parameters) {
    if (key == name) return decode_words(content);
    if (!key.starts_with(std::string(name) + "*")) continue;
    // name*=utf-8''a%20b, or in pieces: name*0*=utf-8''a, name*1=b. Pieces are in order in practice.
    std::string_view rest = content;
    if (key.ends_with('*')) {
      const size_t quote = rest.find('\''),
                   second = quote == std::string_view::npos ? quote : rest.find('\'', quote + 1);
      if (!found && second != std::string_view::npos) {
        charset = rest.substr(0, quote);
        rest.remove_prefix(second + 1);
      }
      is_extended = true;
      for (size_t at = 0; at < rest.size(); ++at) {
        const int byte = rest[at] == '%' ? hex_byte(rest, at + 1) : -1;
        bytes += byte >= 0 ? static_cast<char>(byte) : rest[at];
        at += byte >= 0 ? 2 : 0;
      }
    } else {
      bytes += rest;
    }
    found = true;
  }
  return is_extended ? decode_charset(std::move(bytes), charset) : decode_words(bytes);
}

}  // namespace frugal
