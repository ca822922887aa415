// A window a little longer than the quote slides over the words of the text, counting those that the quote has too. In
// the window with the most, the longest common subsequence decides how many stand in the same order. The text is split
// in blocks that overlap by more than the quote, so that its words are never all in memory.
#include "rag/reply/near_match.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ascii.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

constexpr size_t kMaxQuoteBytes = 64 << 10;
constexpr size_t kMaxQuoteWords = 400;  // more words than these are compared by their beginning
constexpr size_t kBlockBytes = 256 << 10;
constexpr size_t kMinWords = 3;

class QuoteFinder {
 public:
  explicit QuoteFinder(std::string_view quote) : quote_(split_words(quote)) {
    quote_.resize(std::min(quote_.size(), kMaxQuoteWords));
    for (const Word& word : quote_) ++wanted_[word.folded];
  }
  size_t num_words() const { return quote_.size(); }

  /// The best match among the words of a block that begins at byte `offset`, if it is better than `best`.
  void search(std::string_view block, uint64_t offset, std::optional<NearMatch>& best) const {
    const std::vector<Word> words = split_words(block);
    const auto [begin, count] = best_window(words);
    const size_t needed = std::max(kMinWords, static_cast<size_t>(kMinShare * static_cast<float>(quote_.size())));
    if (count < needed) return;
    const std::vector<size_t> common = common_words(words, begin, std::min(words.size(), begin + window_words()));
    const float share = static_cast<float>(common.size()) / static_cast<float>(quote_.size());
    if (common.size() < kMinWords || share < kMinShare || (best && share <= best->share)) return;
    best = NearMatch{offset + words[common.front()].begin, offset + words[common.back()].end, share};
  }

 private:
  /// Room for words that were put in.
  size_t window_words() const { return quote_.size() + std::max<size_t>(2, quote_.size() / 2); }

  /// Where the window begins that has the most words of the quote, and their number.
  std::pair<size_t, size_t> best_window(const std::vector<Word>& words) const {
    std::unordered_map<std::string_view, int64_t> missing;
    for (const auto& [word, count] : wanted_) missing[word] = count;
    size_t held = 0, best = 0, best_begin = 0;
    for (size_t i = 0; i < words.size(); ++i) {
      if (const auto in = missing.find(words[i].folded); in != missing.end() && in->second-- > 0) ++held;
      if (i >= window_words())
        if (const auto out = missing.find(words[i - window_words()].folded); out != missing.end() && ++out->second > 0)
          --held;
      if (held > best) {
        best = held;
        best_begin = i + 1 - std::min(i + 1, window_words());
      }
    }
    return {best_begin, best};
  }

  /// The words of [from, to) that the longest common subsequence with the quote has.
  std::vector<size_t> common_words(const std::vector<Word>& words, size_t from, size_t to) const {
    const size_t width = quote_.size() + 1;
    std::vector<uint16_t> longest((to - from + 1) * width);
    const auto at = [&](size_t i, size_t j) -> uint16_t& { return longest[(i - from) * width + j]; };
    for (size_t i = to; i-- > from;)
      for (size_t j = quote_.size(); j-- > 0;)
        at(i, j) = words[i].folded == quote_[j].folded ? static_cast<uint16_t>(at(i + 1, j + 1) + 1)
                                                       : std::max(at(i + 1, j), at(i, j + 1));
    std::vector<size_t> common;
    for (size_t i = from, j = 0; i < to && j < quote_.size();) {
      if (words[i].folded == quote_[j].folded) {
        common.push_back(i);
        ++i, ++j;
      } else if (at(i + 1, j) >= at(i, j + 1)) {
        ++i;
      } else {
        ++j;
      }
    }
    return common;
  }

  std::vector<Word> quote_;
  std::unordered_map<std::string, int64_t> wanted_;
};

}  // namespace

std::optional<NearMatch> find_near(std::string_view text, std::string_view quote) {
  if (quote.size() > kMaxQuoteBytes) return std::nullopt;
  const QuoteFinder finder(quote);
  if (finder.num_words() < kMinWords) return std::nullopt;
  const size_t overlap = std::max<size_t>(4096, 2 * quote.size());
  std::optional<NearMatch> best;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(begin + kBlockBytes + overlap, text.size());
    while (end < text.size() && is_continuation(text[end])) ++end;
    finder.search(text.substr(begin, end - begin), begin, best);
    begin = end == text.size() ? end : begin + kBlockBytes;
    while (begin < text.size() && is_continuation(text[begin])) ++begin;
  }
  return best;
}

}  // namespace frugal
