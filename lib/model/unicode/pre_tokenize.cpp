// Each regex is an ordered choice of alternatives over classes of characters (letter, number, space, other), so a
// scanner needs no backtracking: the first characters of a piece decide on an alternative, in the regex's order, and
// its run is extended to the end. Only white space looks beyond its run: \s+(?!\S) leaves the last space to the word
// that follows. Each scanner has its regex above it.
#include "model/unicode/pre_tokenize.h"

#include <array>
#include <string>

#include "base/ascii.h"
#include "base/error.h"
#include "base/utf8.h"
#include "model/unicode/unicode.h"

namespace frugal {

namespace {

enum class CharClass : uint8_t { other, letter, number, space };

CharClass classify(char32_t c) {
  if (unicode::is_space(c)) return CharClass::space;
  if (unicode::is_letter(c)) return CharClass::letter;
  return unicode::is_number(c) ? CharClass::number : CharClass::other;
}

constexpr std::array<CharClass, 128> ascii_classes() {
  std::array<CharClass, 128> classes{};
  for (int c = 0; c < 128; ++c) {
    if (c == ' ' || (c >= '\t' && c <= '\r')) classes[c] = CharClass::space;
    if (is_digit(c)) classes[c] = CharClass::number;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) classes[c] = CharClass::letter;
  }
  return classes;
}
constexpr std::array<CharClass, 128> kAsciiClasses = ascii_classes();

struct Char {
  char32_t value;
  CharClass kind;
  size_t end;  // byte after it
};

Char char_at(std::string_view text, size_t at) {
  const CodePoint point = decode_utf8(text, at);
  const CharClass kind = point.value < 128 ? kAsciiClasses[point.value] : classify(point.value);
  return {point.value, kind, at + point.num_bytes};
}

size_t run_end(std::string_view text, size_t at, CharClass kind) {
  while (at < text.size()) {
    const Char c = char_at(text, at);
    if (c.kind != kind) break;
    at = c.end;
  }
  return at;
}

bool is_newline(char32_t c) {
  return c == '\r' || c == '\n';
}

// Bytes after the apostrophe of 's 't 'm 'd 're 've 'll; 0 if it opens none. U+017F folds to s.
size_t contraction_bytes(std::string_view after, bool any_case) {
  const auto letter = [&](size_t at) {
    if (at >= after.size()) return '\0';
    return any_case && after[at] >= 'A' && after[at] <= 'Z' ? static_cast<char>(after[at] + 32) : after[at];
  };
  const char first = letter(0), second = letter(1);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 1;
  if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l')) return 2;
  return any_case && after.starts_with("\u017F") ? 2 : 0;
}

// End of \s+(?!\S)|\s+ : a run of space leaves its last one to the word that follows.
size_t space_end(std::string_view text, size_t at) {
  size_t last = at, end = at;
  while (end < text.size()) {
    const Char c = char_at(text, end);
    if (c.kind != CharClass::space) break;
    last = end, end = c.end;
  }
  return end == text.size() || last == at ? end : last;
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
size_t gpt2_end(std::string_view text, size_t at) {
  const Char first = char_at(text, at);
  if (first.value == '\'')
    if (const size_t letters = contraction_bytes(text.substr(at + 1), false)) return first.end + letters;
  if (first.kind != CharClass::space) return run_end(text, first.end, first.kind);
  if (first.value == ' ' && first.end < text.size()) {
    const Char second = char_at(text, first.end);
    if (second.kind != CharClass::space) return run_end(text, second.end, second.kind);
  }
  return space_end(text, at);
}

size_t newlines_end(std::string_view text, size_t at) {
  while (at < text.size() && is_newline(static_cast<unsigned char>(text[at]))) ++at;
  return at;
}

size_t number_end(std::string_view text, const Char& first, int max_digits) {
  size_t end = first.end;
  for (int digits = 1; digits < max_digits && end < text.size(); ++digits) {
    const Char next = char_at(text, end);
    if (next.kind != CharClass::number) break;
    end = next.end;
  }
  return end;
}

// \s*[\r\n]+ : the run of space up to its last line break; `at` if it has none.
size_t line_break_end(std::string_view text, size_t at) {
  size_t after_break = at;
  while (at < text.size()) {
    const Char c = char_at(text, at);
    if (c.kind != CharClass::space) break;
    at = c.end;
    if (is_newline(c.value)) after_break = at;
  }
  return after_break;
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
// with {1,max_digits}.
size_t llama3_end(std::string_view text, size_t at, int max_digits) {
  const Char first = char_at(text, at);
  if (first.value == '\'')
    if (const size_t letters = contraction_bytes(text.substr(at + 1), true)) return first.end + letters;
  if (first.kind == CharClass::letter) return run_end(text, first.end, CharClass::letter);
  if (first.kind == CharClass::number) return number_end(text, first, max_digits);
  const bool more = first.end < text.size();
  const Char second = more ? char_at(text, first.end) : Char{0, CharClass::space, first.end};
  if (second.kind == CharClass::letter && !is_newline(first.value)) return run_end(text, second.end, CharClass::letter);
  if (first.kind == CharClass::other) return newlines_end(text, run_end(text, first.end, CharClass::other));
  if (first.value == ' ' && second.kind == CharClass::other)
    return newlines_end(text, run_end(text, second.end, CharClass::other));
  const size_t after_break = line_break_end(text, at);
  return after_break > at ? after_break : space_end(text, at);
}

// <\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+ : what lies between is
// white space. The first two only with_specials.
size_t clip_end(std::string_view text, size_t at, bool with_specials) {
  const Char first = char_at(text, at);
  if (with_specials)
    for (const std::string_view name : {"<|startoftext|>", "<|endoftext|>"})
      if (text.substr(at).starts_with(name)) return at + name.size();
  if (first.value == '\'')
    if (const size_t letters = contraction_bytes(text.substr(at + 1), false)) return first.end + letters;
  return first.kind == CharClass::number ? first.end : run_end(text, first.end, first.kind);
}

size_t digits_end(std::string_view text, size_t at, bool each) {
  const auto numeric_at = [&](size_t byte) { return unicode::is_numeric(decode_utf8(text, byte).value); };
  const bool numeric = numeric_at(at);
  size_t end = char_at(text, at).end;
  if (numeric && each) return end;
  while (end < text.size() && numeric_at(end) == numeric) end += decode_utf8(text, end).num_bytes;
  return end;
}

}  // namespace

bool is_pre_tokenize_step(uint8_t step) {
  return step >= static_cast<uint8_t>(PreTokenizeStep::gpt2) &&
         step <= static_cast<uint8_t>(PreTokenizeStep::clip_specials);
}

std::optional<PreTokenizeStep> recognise_split_regex(std::string_view regex) {
  constexpr std::string_view kContractions = "'s|'t|'re|'ve|'m|'ll|'d";
  constexpr std::string_view kSpaces = "|\\s+(?!\\S)|\\s+";
  constexpr std::string_view kOther = "[^\\s\\p{L}\\p{N}]+";
  const auto modern = [&](std::string_view number) {
    return std::string("(?i:")
        .append(kContractions)
        .append(")|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|")
        .append(number)
        .append("| ?")
        .append(kOther)
        .append("[\\r\\n]*|\\s*[\\r\\n]+")
        .append(kSpaces);
  };
  const std::string gpt2 = std::string(kContractions).append("| ?\\p{L}+| ?\\p{N}+| ?").append(kOther).append(kSpaces);
  if (regex == gpt2) return PreTokenizeStep::gpt2;
  if (regex == modern("\\p{N}{1,3}")) return PreTokenizeStep::llama3;
  if (regex == modern("\\p{N}")) return PreTokenizeStep::qwen2;
  const std::string clip = std::string(kContractions).append("|[\\p{L}]+|[\\p{N}]|").append(kOther);
  if (regex == clip) return PreTokenizeStep::clip;
  if (regex == "<\\|startoftext\\|>|<\\|endoftext\\|>|" + clip) return PreTokenizeStep::clip_specials;
  return std::nullopt;
}

bool is_dropped_piece(PreTokenizeStep step, std::string_view text, size_t at) {
  const bool drops = step == PreTokenizeStep::clip || step == PreTokenizeStep::clip_specials;
  return drops && char_at(text, at).kind == CharClass::space;
}

size_t piece_end(PreTokenizeStep step, std::string_view text, size_t at) {
  switch (step) {
    case PreTokenizeStep::gpt2:
      return gpt2_end(text, at);
    case PreTokenizeStep::llama3:
      return llama3_end(text, at, 3);
    case PreTokenizeStep::qwen2:
      return llama3_end(text, at, 1);
    case PreTokenizeStep::each_digit:
      return digits_end(text, at, true);
    case PreTokenizeStep::digit_runs:
      return digits_end(text, at, false);
    case PreTokenizeStep::clip:
      return clip_end(text, at, false);
    case PreTokenizeStep::clip_specials:
      return clip_end(text, at, true);
  }
  FRUGAL_CHECK(false);
}

}  // namespace frugal
