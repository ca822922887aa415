#include "rag/office/page_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "base/ascii.h"
#include "base/utf8.h"

namespace frugal {
namespace {

constexpr size_t kEdgeLines = 2;      // at the top and at the bottom of a page, where a line may be one that repeats
constexpr size_t kMinRepeats = 3;     // pages
constexpr size_t kMaxPagesApart = 2;  // left and right pages have headers of their own
constexpr size_t kMaxRunningBytes = 200;
constexpr size_t kMinRunOnBytes = 30;  // a shorter line may be a label

struct Line {
  std::string text;
  size_t page = 0;
  bool dropped = false;
  bool blank() const { return text.empty(); }
};

std::string_view ligature_letters(char32_t c) {
  constexpr std::array<std::string_view, 7> kLetters = {"ff", "fi", "fl", "ffi", "ffl", "st", "st"};
  return c >= 0xFB00 && c <= 0xFB06 ? kLetters[c - 0xFB00] : std::string_view();
}

/// Ligatures as letters, hyphens of every kind as '-': a soft one in a PDF has been drawn. Control characters are
/// dropped.
std::string clean_line(std::string_view line) {
  constexpr char32_t kSoftHyphen = 0xAD, kHyphen = 0x2010, kNoBreakSpace = 0xA0;
  std::string clean;
  for (size_t at = 0; at < line.size();) {
    const CodePoint point = decode_utf8(line, at);
    const std::string_view bytes = line.substr(at, point.num_bytes);
    at += point.num_bytes;
    if (const std::string_view letters = ligature_letters(point.value); !letters.empty())
      clean += letters;
    else if (point.value == kSoftHyphen || point.value == kHyphen)
      clean += '-';
    else if (point.value == kNoBreakSpace || point.value == '\t')
      clean += ' ';
    else if (point.value >= 0x20 && point.value != 0x7F)
      clean += point.well_formed ? bytes : "\xEF\xBF\xBD";
  }
  return std::string(trim(clean));
}

std::vector<Line> lines_of(const std::vector<std::string>& pages) {
  std::vector<Line> lines;
  for (size_t page = 0; page < pages.size(); ++page)
    for (size_t at = 0; at < pages[page].size();) {
      const size_t end = std::min(pages[page].find_first_of("\n\f", at), pages[page].size());
      lines.push_back({clean_line(std::string_view(pages[page]).substr(at, end - at)), page});
      at = end + 1;
    }
  return lines;
}

// --- lines that repeat ---

bool has_letter(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || static_cast<unsigned char>(c) >= 0x80;
  });
}

std::optional<int64_t> roman_number(std::string_view text) {
  int64_t total = 0, last = 0;
  for (size_t i = text.size(); i-- > 0;) {
    const char c = ascii_lower(text[i]);
    const int64_t value = c == 'i' ? 1 : c == 'v' ? 5 : c == 'x' ? 10 : c == 'l' ? 50 : c == 'c' ? 100 : 0;
    if (value == 0) return std::nullopt;
    total += value < last ? -value : value;
    last = std::max(last, value);
  }
  return text.empty() ? std::nullopt : std::optional(total);
}

struct Key {
  std::string text;
  bool only_number = false;
};

/// Lines with a key in common are the same line, on other pages: the line itself, and the line with one of its numbers
/// taken as the number of the page.
std::vector<Key> keys_of(const Line& line) {
  std::vector<Key> keys;
  const auto with_number = [&](size_t begin, size_t end, int64_t number) {
    const std::string rest = line.text.substr(0, begin) + "\x01" + line.text.substr(end);
    keys.push_back({rest + std::to_string(number - static_cast<int64_t>(line.page)), !has_letter(rest)});
  };
  if (has_letter(line.text)) keys.push_back({line.text, false});
  if (const auto roman = roman_number(line.text)) with_number(0, line.text.size(), *roman);
  for (size_t at = 0; at < line.text.size();) {
    if (!is_digit(static_cast<unsigned char>(line.text[at]))) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < line.text.size() && is_digit(static_cast<unsigned char>(line.text[end]))) ++end;
    int64_t number = 0;
    if (end - at <= 6) {
      std::from_chars(line.text.data() + at, line.text.data() + end, number);
      with_number(at, end, number);
    }
    at = end;
  }
  return keys;
}

/// The lines at the top (or bottom) of each page, by page.
std::vector<std::vector<Line*>> edges_of(std::vector<Line>& lines, size_t pages, bool top) {
  std::vector<std::vector<Line*>> edges(pages);
  const auto collect = [&](Line& line) {
    if (!line.blank() && edges[line.page].size() < kEdgeLines) edges[line.page].push_back(&line);
  };
  if (top)
    std::for_each(lines.begin(), lines.end(), collect);
  else
    std::for_each(lines.rbegin(), lines.rend(), collect);
  return edges;
}

void drop_running_lines(std::vector<Line>& lines, size_t pages, bool top) {
  struct Place {
    Line* line;
    bool only_number;
  };
  std::unordered_map<std::string, std::vector<Place>> places;
  for (const std::vector<Line*>& edge : edges_of(lines, pages, top))
    for (Line* line : edge)
      if (line->text.size() <= kMaxRunningBytes)
        for (const Key& key : keys_of(*line)) places[key.text].push_back({line, key.only_number});
  for (auto& place : places) {
    std::vector<Place>& same = place.second;  // Clang 14 captures no structured binding
    if (same.size() < kMinRepeats) continue;
    for (size_t i = 0; i < same.size(); ++i) {
      const auto near = [&](size_t other) {
        const size_t a = same[i].line->page, b = same[other].line->page;
        return a != b && (a > b ? a - b : b - a) <= kMaxPagesApart;
      };
      const bool repeats = (i > 0 && near(i - 1)) || (i + 1 < same.size() && near(i + 1));
      same[i].line->dropped |= repeats && (i > 0 || same[i].only_number);
    }
  }
}

// --- divided words ---

bool is_letter_byte(char c) {
  const char lower = ascii_lower(c);
  return (lower >= 'a' && lower <= 'z') || static_cast<unsigned char>(c) >= 0x80;
}

bool begins_with_small_letter(std::string_view text) {
  if (text.empty()) return false;
  const char32_t c = decode_utf8(text, 0).value;
  if (c < 0x80) return c >= 'a' && c <= 'z';
  const bool latin = (c >= 0xDF && c <= 0xFF && c != 0xF7) || (c >= 0x100 && c <= 0x17F && c % 2 == 1);
  return latin || (c >= 0x3AC && c <= 0x3CE) || (c >= 0x430 && c <= 0x45F);
}

bool ends_with_hyphen(std::string_view line) {
  return line.size() >= 2 && line.back() == '-' && is_letter_byte(line[line.size() - 2]);
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), ascii_lower);
  return result;
}

std::string_view last_word(std::string_view line) {  // with inner hyphens
  size_t begin = line.size();
  while (begin > 0 && (is_letter_byte(line[begin - 1]) || line[begin - 1] == '-')) --begin;
  return line.substr(begin);
}
size_t first_word_bytes(std::string_view line) {
  size_t end = 0;
  while (end < line.size() && is_letter_byte(line[end])) ++end;
  return end;
}

/// Portuguese pronouns that follow a verb after a hyphen, and are seldom the end of a word.
bool is_pronoun(std::string_view word) {
  constexpr std::string_view kPronouns[] = {"lhe", "lhes", "lo", "los", "las", "nos", "vos"};
  return std::find(std::begin(kPronouns), std::end(kPronouns), word) != std::end(kPronouns);
}

class WordJoiner {
 public:
  explicit WordJoiner(std::vector<Line>& lines) : lines_(lines) {}

  void join() {
    find_divided();
    find_whole();
    for (const Divided& each : divided_) join(each);
  }

 private:
  struct Divided {
    size_t line, next;  // indexes
    std::string joined, hyphenated, second;
  };

  void find_divided() {
    size_t last = lines_.size();
    for (size_t i = 0; i < lines_.size(); ++i) {
      if (lines_[i].dropped || lines_[i].blank()) continue;
      if (last < lines_.size() && ends_with_hyphen(lines_[last].text) && begins_with_small_letter(lines_[i].text)) {
        const std::string_view next = std::string_view(lines_[i].text).substr(0, first_word_bytes(lines_[i].text));
        const std::string hyphenated = lower(std::string(last_word(lines_[last].text)) + std::string(next));
        std::string joined = hyphenated;
        joined.erase(joined.size() - next.size() - 1, 1);
        divided_.push_back({last, i, joined, hyphenated, std::string(next)});
        seen_[joined] = seen_[hyphenated] = false;
      }
      last = i;
    }
  }

  void find_whole() {
    if (divided_.empty()) return;
    for (const Line& line : lines_) {
      const std::string_view text = line.text;
      for (size_t at = 0; at < text.size();) {
        size_t end = at;
        while (end < text.size() && (is_letter_byte(text[end]) || text[end] == '-')) ++end;
        if (end < text.size() || (end > at && text[end - 1] != '-'))  // not the first half of a divided word
          if (const auto word = seen_.find(lower(text.substr(at, end - at))); word != seen_.end()) word->second = true;
        at = end + 1;
      }
    }
  }

  void join(const Divided& each) {
    std::string& first = lines_[each.line].text;
    if (!ends_with_hyphen(first)) return;  // all of the line was the end of the word before
    const bool keep = !seen_[each.joined] && (seen_[each.hyphenated] || is_pronoun(each.second));
    std::string& next = lines_[each.next].text;
    // The rest of the word with its comma: all up to the space.
    const size_t end = std::min(next.find(' '), next.size());
    if (!keep) first.pop_back();
    first += next.substr(0, end);
    next = std::string(trim(next.substr(end)));
    if (next.empty()) lines_[each.next].dropped = true;
  }

  std::vector<Line>& lines_;
  std::vector<Divided> divided_;
  std::unordered_map<std::string, bool> seen_;  // words of interest: whether they stand whole somewhere
};

/// A sentence that goes on in the next column or on the next page.
bool runs_on(std::string_view line, std::string_view next) {
  constexpr std::string_view kEnds = ".:;!?)";
  return line.size() >= kMinRunOnBytes && kEnds.find(line.back()) == std::string_view::npos &&
         begins_with_small_letter(next);
}

}  // namespace

std::string text_of_pages(std::vector<std::string> pages) {
  const size_t num_pages = pages.size();
  std::vector<Line> lines = lines_of(pages);
  pages = {};
  drop_running_lines(lines, num_pages, true);
  drop_running_lines(lines, num_pages, false);
  WordJoiner(lines).join();

  std::string text;
  size_t page = 0;
  std::string_view last;
  bool blank_due = false;
  for (const Line& line : lines) {
    if (line.dropped) continue;
    if (line.blank()) {
      blank_due = true;
      continue;
    }
    if (!text.empty()) {
      const bool apart = blank_due || line.page != page;
      text += apart && !runs_on(last, line.text) ? "\n\n" : "\n";
    }
    text.append(line.page - page, '\f');
    text += line.text;
    page = line.page;
    last = line.text;
    blank_due = false;
  }
  return text;
}

}  // namespace frugal
