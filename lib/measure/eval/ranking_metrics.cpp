#include "measure/eval/ranking_metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "rag/text/words.h"

namespace frugal {
namespace {

double gain(int grade) {
  return std::max(grade, 0);
}
double discount(size_t rank) {
  return 1.0 / std::log2(static_cast<double>(rank) + 1);
}

int grade_of(const Judgements& judged, std::string_view document) {
  const auto found = judged.find(document);
  return found == judged.end() ? 0 : found->second;
}

double ideal_gain(const Judgements& judged, size_t depth) {
  std::vector<int> grades;
  for (const auto& [document, grade] : judged) grades.push_back(grade);
  std::sort(grades.rbegin(), grades.rend());
  double sum = 0;
  for (size_t i = 0; i < std::min(depth, grades.size()); ++i) sum += gain(grades[i]) * discount(i + 1);
  return sum;
}

bool is_ascii_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

std::vector<std::string> words_of(std::string_view normal) {
  std::vector<std::string> words;
  for (size_t begin = 0; begin < normal.size();) {
    const size_t end = std::min(normal.find(' ', begin), normal.size());
    if (end > begin) words.emplace_back(normal.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

bool is_article(std::string_view folded, Language language) {
  constexpr std::array<std::string_view, 3> kEnglish{"a", "an", "the"};
  constexpr std::array<std::string_view, 7> kPortuguese{"o", "os", "as", "um", "uma", "uns", "umas"};  // "a" is above
  const auto is = [&](std::string_view article) { return article == folded; };
  return std::any_of(kEnglish.begin(), kEnglish.end(), is) ||
         (language == Language::portuguese && std::any_of(kPortuguese.begin(), kPortuguese.end(), is));
}

double f1_of(std::vector<std::string> a, std::vector<std::string> b) {
  if (a.empty() || b.empty()) return a.empty() && b.empty() ? 1 : 0;
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  std::vector<std::string> common;  // with multiplicity
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(common));
  if (common.empty()) return 0;
  const double precision = double(common.size()) / double(a.size());
  const double recall = double(common.size()) / double(b.size());
  return 2 * precision * recall / (precision + recall);
}

}  // namespace

double ndcg_at(std::span<const std::string> ranked, const Judgements& judged, size_t depth) {
  double sum = 0;
  for (size_t i = 0; i < std::min(depth, ranked.size()); ++i)
    sum += gain(grade_of(judged, ranked[i])) * discount(i + 1);
  const double ideal = ideal_gain(judged, depth);
  return ideal > 0 ? sum / ideal : 0;
}

double reciprocal_rank_at(std::span<const std::string> ranked, const Judgements& judged, size_t depth) {
  for (size_t i = 0; i < std::min(depth, ranked.size()); ++i)
    if (grade_of(judged, ranked[i]) > 0) return 1.0 / static_cast<double>(i + 1);
  return 0;
}

double recall_at(std::span<const std::string> ranked, const Judgements& judged, size_t depth) {
  const auto relevant = std::count_if(judged.begin(), judged.end(), [](const auto& j) { return j.second > 0; });
  if (relevant == 0) return 0;
  const auto top = ranked.first(std::min(depth, ranked.size()));
  const auto found = std::count_if(top.begin(), top.end(), [&](const auto& d) { return grade_of(judged, d) > 0; });
  return static_cast<double>(found) / static_cast<double>(relevant);
}

std::string normalise_answer(std::string_view answer, Language language) {
  std::string folded = fold(answer);
  std::erase_if(folded, is_ascii_punctuation);
  std::replace_if(
      folded.begin(), folded.end(), [](char c) { return c == '\n' || c == '\t' || c == '\r'; }, ' ');
  std::string normal;
  for (const std::string& word : words_of(folded))
    if (!is_article(word, language)) normal += (normal.empty() ? "" : " ") + word;
  return normal;
}

double exact_match(std::string_view answer, std::span<const std::string> accepted, Language language) {
  const std::string normal = normalise_answer(answer, language);
  return std::any_of(accepted.begin(), accepted.end(),
                     [&](const auto& a) { return normalise_answer(a, language) == normal; });
}

double answer_f1(std::string_view answer, std::span<const std::string> accepted, Language language) {
  const auto words = words_of(normalise_answer(answer, language));
  double best = 0;
  for (const std::string& other : accepted)
    best = std::max(best, f1_of(words, words_of(normalise_answer(other, language))));
  return best;
}

double answer_contained(std::string_view answer, std::span<const std::string> accepted, Language language) {
  const std::string padded = " " + normalise_answer(answer, language) + " ";
  return std::any_of(accepted.begin(), accepted.end(), [&](const std::string& a) {
    const std::string normal = normalise_answer(a, language);
    return !normal.empty() && padded.find(" " + normal + " ") != std::string::npos;
  });
}

}  // namespace frugal
