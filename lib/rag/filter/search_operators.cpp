#include "rag/filter/search_operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/error.h"
#include "base/utf8.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

struct QuoteKind {
  std::string_view opening;
  std::array<std::string_view, 2> closing;
};
constexpr std::array<QuoteKind, 4> kQuotes = {{{"\"", {"\"", "\""}},
                                               {"\u201C", {"\u201D", "\u201C"}},
                                               {"\u201E", {"\u201C", "\u201D"}},
                                               {"\u00AB", {"\u00BB", "\u00BB"}}}};

/// The words as the index has them, with single spaces; empty if there is none.
std::string words_of(std::string_view text) {
  std::string words;
  for (const Word& word : split_words(text)) words += (words.empty() ? "" : " ") + word.folded;
  return words;
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

class OperatorReader {
 public:
  OperatorReader(std::string_view question, ChunkFilter& filter) : text_(question), filter_(filter) {}

  std::string read() {
    std::string rest;
    while (at_ < text_.size()) {
      const bool may_begin = at_ == 0 || is_blank(text_[at_ - 1]) || text_[at_ - 1] == '(';
      if (may_begin && (take_exclusion() || take_phrase(rest))) continue;
      rest += text_[at_++];
    }
    return rest;
  }

 private:
  /// The text between the quotes that begin at `at`, and the place behind them; empty if there is no phrase.
  std::pair<std::string_view, size_t> quoted(size_t at) const {
    for (const QuoteKind& kind : kQuotes) {
      if (!text_.substr(at).starts_with(kind.opening)) continue;
      const size_t begin = at + kind.opening.size();
      size_t end = text_.npos, length = 0;
      for (const std::string_view closing : kind.closing)
        if (const size_t found = text_.find(closing, begin); found < end) end = found, length = closing.size();
      if (end != text_.npos) return {text_.substr(begin, end - begin), end + length};
    }
    return {};
  }

  bool take_phrase(std::string& rest) {
    const auto [phrase, end] = quoted(at_);
    std::string words = words_of(phrase);
    if (words.empty()) return false;
    add(filter_.phrases, std::move(words));
    rest += phrase;
    at_ = end;
    return true;
  }

  bool take_exclusion() {
    if (text_[at_] != '-' || at_ + 1 >= text_.size()) return false;
    if (const auto [phrase, end] = quoted(at_ + 1); end > 0) return exclude(phrase, end);
    const size_t end = std::min(text_.find_first_of(" \t\r\n", at_), text_.size());
    const std::string_view word = text_.substr(at_ + 1, end - at_ - 1);
    if (word.empty() || word.ends_with('-') || !begins_with_letter(word)) return false;
    return exclude(word, end);
  }

  bool exclude(std::string_view text, size_t end) {
    std::string words = words_of(text);
    if (words.empty()) return false;
    add(filter_.excluded, std::move(words));
    at_ = end;
    return true;
  }

  static bool begins_with_letter(std::string_view word) {
    const std::vector<Word> words = split_words(word);
    return !words.empty() && words.front().begin == 0 && !is_digit(static_cast<unsigned char>(word.front()));
  }

  static void add(std::vector<std::string>& parts, std::string words) {
    if (parts.size() == ChunkFilter::kMaxParts)
      throw Error(Code::bad_input, fmt::format("the question has more than {} phrases or exclusions", parts.size()));
    parts.push_back(std::move(words));
  }

  std::string_view text_;
  ChunkFilter& filter_;
  size_t at_ = 0;
};

}  // namespace

std::string take_operators(std::string_view question, ChunkFilter& filter) {
  if (!is_valid_utf8(question)) return std::string(question);  // refused as a question
  return OperatorReader(question, filter).read();
}

}  // namespace frugal
