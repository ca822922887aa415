#include "base/suggest.h"

#include <algorithm>
#include <vector>

namespace frugal {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> two_rows_up(b.size() + 1), row_up(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row_up[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = row_up[j - 1] + (a[i - 1] != b[j - 1]);
      row[j] = std::min({row_up[j] + 1, row[j - 1] + 1, substituted});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], two_rows_up[j - 2] + 1);
    }
    std::swap(two_rows_up, row_up);
    std::swap(row_up, row);
  }
  return row_up[b.size()];
}

std::string nearest_name(std::string_view word, std::span<const std::string> candidates) {
  constexpr size_t kLongestName = 100;  // longer words are no misspelt names, and the distance costs quadratic time
  if (word.size() > kLongestName) return {};
  std::string best;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = edit_distance(word, candidate);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = candidate;
  }
  return best;
}

}  // namespace frugal
