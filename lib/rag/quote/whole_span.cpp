#include "rag/quote/whole_span.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "rag/law/number_words.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

// "novecentos e noventa e nove mil novecentos e noventa e nove" has ten words.
constexpr size_t kLongestNumber = 12;

constexpr std::array<std::string_view, 5> kCurrencies = {"R$", "US$", "$", "€", "£"};
constexpr std::array<std::string_view, 4> kSigns = {"%", "º", "ª", "°"};

bool joins(std::string_view between) {
  return std::all_of(between.begin(), between.end(), [](char c) { return c == ' ' || c == '\n' || c == '-'; });
}

// The words [first, last] of the text, which are widened.
class Widening {
 public:
  Widening(std::string_view text, const std::vector<Word>& words, size_t first, size_t last)
      : text_(text), words_(words), first_(first), last_(last) {}

  // To the numbers in words that the span cuts.
  void take_whole_numbers() {
    const size_t from = first_ > kLongestNumber ? first_ - kLongestNumber : 0;
    for (size_t at = from; at <= last_;) {
      const size_t behind = at + number_at(at);
      if (at < first_ && behind > first_) first_ = at;
      if (at <= last_ && behind > last_ + 1) last_ = behind - 1;
      at = std::max(behind, at + 1);
    }
  }

  TextRange bytes() const { return {begin(), end()}; }

 private:
  // How many words the number has that begins there and is not interrupted.
  size_t number_at(size_t at) const {
    std::vector<std::string> run;
    for (size_t i = at; i < words_.size() && run.size() < kLongestNumber; ++i) {
      if (i > at && !joins(text_.substr(words_[i - 1].end, words_[i].begin - words_[i - 1].end))) break;
      run.push_back(words_[i].folded);
    }
    const auto number = read_spelled_number(run, 0);
    return number ? number->words : 0;
  }

  uint32_t begin() const {
    const uint32_t begin = words_[first_].begin;
    if (!is_digit(text_[begin])) return begin;
    std::string_view before = text_.substr(0, begin);
    while (before.ends_with(' ')) before.remove_suffix(1);
    for (const std::string_view currency : kCurrencies)
      if (before.ends_with(currency)) return static_cast<uint32_t>(before.size() - currency.size());
    return begin;
  }

  uint32_t end() const {
    const uint32_t end = words_[last_].end;
    if (!is_digit(text_[words_[last_].begin])) return end;
    std::string_view behind = text_.substr(end);
    if (behind.starts_with(" %")) behind.remove_prefix(1);
    for (const std::string_view sign : kSigns)
      if (behind.starts_with(sign)) return static_cast<uint32_t>(text_.size() - behind.size() + sign.size());
    return end;
  }

  std::string_view text_;
  const std::vector<Word>& words_;
  size_t first_, last_;
};

}  // namespace

TextRange whole_span(std::string_view text, TextRange span) {
  const std::vector<Word> words = split_words(text);
  const auto first = std::find_if(words.begin(), words.end(), [&](const Word& word) { return word.end > span.begin; });
  const auto behind =
      std::find_if(words.begin(), words.end(), [&](const Word& word) { return word.begin >= span.end; });
  if (first >= behind) return span;
  Widening widening(text, words, static_cast<size_t>(first - words.begin()),
                    static_cast<size_t>(behind - words.begin()) - 1);
  widening.take_whole_numbers();
  const TextRange whole = widening.bytes();
  return {std::min(span.begin, whole.begin), std::max(span.end, whole.end)};
}

}  // namespace frugal
