#include "rag/extract/html_tokens.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/ascii.h"
#include "base/utf8.h"
#include "rag/extract/encoding.h"
#include "rag/extract/html_entities.h"

namespace frugal {
namespace {

constexpr size_t kLongestName = 32;   // of an entity, without '&'; the longest has 32 bytes
constexpr size_t kLongestLegacy = 6;  // of an entity that needs no ';'

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_alphanumeric(char c) {
  return is_letter(c) || (c >= '0' && c <= '9');
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/// UTF-8 of "C6" or "226B+20D2".
std::string decode_codes(std::string_view codes) {
  std::string text;
  char32_t code = 0;
  for (const char c : codes) {
    if (c == '+') {
      append_utf8(text, code);
      code = 0;
    } else {
      code = code * 16 + static_cast<char32_t>(c <= '9' ? c - '0' : c - 'A' + 10);
    }
  }
  append_utf8(text, code);
  return text;
}

/// The codes of an entity of exactly this name; empty if there is none.
std::string_view codes_of(std::string_view name) {
  const std::string_view table = kHtmlEntities;
  size_t low = 0, high = table.size();  // both at the begin of an entry
  while (low < high) {
    size_t entry = low + (high - low) / 2;
    while (entry > low && table[entry - 1] != ' ') --entry;
    const size_t colon = table.find(':', entry), end = table.find(' ', entry);
    const std::string_view here = table.substr(entry, colon - entry);
    if (here == name) return table.substr(colon + 1, end - colon - 1);
    if (here < name)
      low = end + 1;
    else
      high = entry;
  }
  return {};
}

/// "&#233;", "&#xE9;": the semicolon may lack. Nothing if there is no digit.
HtmlCharacter read_character_number(std::string_view html, size_t at) {
  size_t end = at + 2;
  const bool is_hex = end < html.size() && ascii_lower(html[end]) == 'x';
  if (is_hex) ++end;
  const size_t digits = end;
  uint32_t code = 0;
  for (; end < html.size(); ++end) {
    const char c = ascii_lower(html[end]);
    const int digit = c >= '0' && c <= '9' ? c - '0' : is_hex && c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) break;
    code = std::min<uint32_t>(code * (is_hex ? 16 : 10) + static_cast<uint32_t>(digit), 0x110000);
  }
  if (end == digits) return {"&", 1};
  if (end < html.size() && html[end] == ';') ++end;
  const bool is_character = code > 0 && code < 0x110000 && (code < 0xD800 || code > 0xDFFF);
  HtmlCharacter character{"", end - at};
  append_utf8(character.text, is_character ? windows_1252_character(code) : kReplacement);
  return character;
}

}  // namespace

HtmlEntity find_html_entity(std::string_view text) {
  size_t length = 0;
  while (length < std::min(text.size(), kLongestName) && is_alphanumeric(text[length])) ++length;
  if (length < text.size() && text[length] == ';')
    if (const auto codes = codes_of(text.substr(0, length + 1)); !codes.empty())
      return {decode_codes(codes), length + 1};
  for (length = std::min(length, kLongestLegacy); length > 1; --length)
    if (const auto codes = codes_of(text.substr(0, length)); !codes.empty()) return {decode_codes(codes), length};
  return {};
}

HtmlCharacter read_html_character(std::string_view html, size_t at) {
  if (html[at] != '&') {
    const size_t bytes = decode_utf8(html, at).num_bytes;
    return {std::string(html.substr(at, bytes)), bytes};
  }
  if (at + 1 < html.size() && html[at + 1] == '#') return read_character_number(html, at);
  HtmlEntity entity = find_html_entity(html.substr(at + 1));
  if (entity.text.empty()) return {"&", 1};
  return {std::move(entity.text), entity.num_bytes + 1};
}

// --- tags

bool HtmlTokens::opens_markup(size_t at) const {
  if (at + 1 >= html_.size()) return false;
  const char c = html_[at + 1];
  return is_letter(c) || c == '!' || c == '?' || (c == '/' && at + 2 < html_.size());
}

bool HtmlTokens::next(HtmlToken& token) {
  while (at_ < html_.size()) {
    size_t end = std::max(at_, text_until_);
    if (text_until_ == 0)
      for (end = html_.find('<', at_); end < html_.size() && !opens_markup(end);) end = html_.find('<', end + 1);
    end = std::min(end, html_.size());
    const bool is_raw = std::exchange(is_raw_, false);
    text_until_ = 0;
    if (end > at_) {
      token = {HtmlToken::Kind::text, "", false, is_raw, at_, end};
      at_ = end;
      return true;
    }
    if (read_tag(token)) return true;
  }
  return false;
}

/// False where the markup is no tag, or ends with the page.
bool HtmlTokens::read_tag(HtmlToken& token) {
  const size_t begin = at_;
  const bool closing = html_[begin + 1] == '/';
  at_ = begin + 1 + closing;
  if (!is_letter(html_[at_])) {
    at_ = end_of_declaration(begin);
    return false;
  }
  token = {closing ? HtmlToken::Kind::end_tag : HtmlToken::Kind::start_tag, "", false, false, begin, begin};
  for (; at_ < html_.size() && !is_space(html_[at_]) && html_[at_] != '/' && html_[at_] != '>'; ++at_)
    token.name += ascii_lower(html_[at_]);
  while (at_ < html_.size() && html_[at_] != '>') {
    token.self_closing = html_[at_] == '/';
    if (is_space(html_[at_]) || html_[at_] == '/')
      ++at_;
    else
      skip_attribute();
  }
  if (at_ == html_.size()) return false;
  token.end = ++at_;
  return true;
}

/// A name, and a value if there is one; a '>' in quotes does not end the tag.
void HtmlTokens::skip_attribute() {
  const auto skip_spaces = [&] {
    while (at_ < html_.size() && is_space(html_[at_])) ++at_;
  };
  ++at_;  // a name may begin with '='
  while (at_ < html_.size() && !is_space(html_[at_]) && std::string_view("/>=").find(html_[at_]) == std::string::npos)
    ++at_;
  skip_spaces();
  if (at_ == html_.size() || html_[at_] != '=') return;
  ++at_;
  skip_spaces();
  if (at_ == html_.size()) return;
  const char quote = html_[at_];
  if (quote == '"' || quote == '\'') {
    at_ = std::min(html_.find(quote, at_ + 1), html_.size() - 1) + 1;
  } else {
    while (at_ < html_.size() && !is_space(html_[at_]) && html_[at_] != '>') ++at_;
  }
}

/// Behind a comment, a doctype, a processing instruction or what else is none of these but no tag.
size_t HtmlTokens::end_of_declaration(size_t at) const {
  const auto behind = [&](std::string_view mark, size_t from) {
    const size_t found = html_.find(mark, from);
    return found == std::string_view::npos ? html_.size() : found + mark.size();
  };
  const std::string_view rest = html_.substr(at);
  if (rest.starts_with("<!-->")) return at + 5;
  if (rest.starts_with("<!--->")) return at + 6;
  if (rest.starts_with("<!--")) {
    for (size_t end = html_.find("--", at + 4); end != std::string_view::npos; end = html_.find("--", end + 1))
      for (const std::string_view mark : {"-->", "--!>"})
        if (html_.substr(end).starts_with(mark)) return end + mark.size();
    return html_.size();
  }
  if (foreign_ && rest.starts_with("<![CDATA[")) return behind("]]>", at);
  return behind(">", at);
}

size_t HtmlTokens::find_end_tag(std::string_view name) const {
  for (size_t at = html_.find("</", at_); at != std::string_view::npos; at = html_.find("</", at + 2)) {
    const std::string_view rest = html_.substr(at + 2);
    if (rest.size() <= name.size()) break;
    const bool same =
        std::equal(name.begin(), name.end(), rest.begin(), [](char a, char b) { return a == ascii_lower(b); });
    const char next = rest[name.size()];
    if (same && (is_space(next) || next == '/' || next == '>')) return at;
  }
  return html_.size();
}

void HtmlTokens::read_text_until(std::string_view name, bool is_raw) {
  text_until_ = find_end_tag(name);
  is_raw_ = is_raw;
}

void HtmlTokens::read_the_rest_as_text() {
  text_until_ = html_.size();
  is_raw_ = true;
}

}  // namespace frugal
