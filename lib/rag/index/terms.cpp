#include "rag/index/terms.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <vector>

#include "base/ascii.h"
#include "base/hash.h"
#include "rag/text/language.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

// A question is a sentence or two. More words (a pasted page) cost time and add nothing.
constexpr size_t kMaxQueryWords = 64;
// Longer words are base64, URLs or noise. They are cut, and can be found by their beginning.
constexpr size_t kMaxTermBytes = 64;

std::string_view clip(std::string_view term) {
  if (term.size() <= kMaxTermBytes) return term;
  size_t end = kMaxTermBytes;
  while (end > 0 && is_continuation(term[end])) --end;
  return term.substr(0, end);
}

void append_term(std::string& terms, std::string_view term) {
  if (!terms.empty()) terms += ' ';
  terms += clip(term);
}

bool is_stop_word_of(std::string_view word, Language language) {
  if (language != Language::unknown) return is_stop_word(word, language);
  return is_stop_word(word, Language::english) || is_stop_word(word, Language::portuguese);
}

/// The distinct words of a query, without stop words unless nothing remains.
std::vector<std::string> query_words(std::string_view text, Language language) {
  std::vector<std::string> kept, all;
  for (Word& word : split_words(text)) {
    if (std::find(all.begin(), all.end(), word.folded) != all.end()) continue;
    if (!is_stop_word_of(word.folded, language)) kept.push_back(word.folded);
    all.push_back(std::move(word.folded));
    if (kept.size() >= kMaxQueryWords) break;
  }
  if (kept.empty()) kept = std::move(all);
  kept.resize(std::min(kept.size(), kMaxQueryWords));
  return kept;
}

void append_quoted(std::string& expression, std::string_view text) {
  expression += '"';
  for (const char c : text) {
    if (c == '"') expression += '"';
    if (c != '\0') expression += c;  // FTS5 reads an expression to the first zero byte; no term has one
  }
  expression += '"';
}

void append_phrase(std::string& expression, std::string_view column, std::string_view term) {
  if (!expression.empty()) expression += " OR ";
  expression += column;
  expression += ':';
  append_quoted(expression, clip(term));
}

}  // namespace

const Stemmer& TermMaker::stemmer(Language language) {
  auto found = stemmers_.find(language);
  if (found == stemmers_.end()) found = stemmers_.emplace(language, Stemmer(language)).first;
  return found->second;
}

std::string TermMaker::stems_of(std::string_view text, Language language, std::string* spellings) {
  const Stemmer& stem = stemmer(language);
  std::string stems;
  for (const Word& word : split_words(text)) {
    if (spellings) append_term(*spellings, word.folded);
    if (!is_stop_word_of(word.folded, language)) append_term(stems, stem.stem(word.folded));
  }
  return stems;
}

IndexTerms TermMaker::index_terms(std::string_view text, std::string_view title, Language language) {
  IndexTerms terms;
  terms.stems = stems_of(text, language, &terms.words);
  terms.title = stems_of(title, language, nullptr);
  return terms;
}

std::string TermMaker::match_expression(const SparseQuery& query) {
  const Language language = query.language == Language::unknown ? detect_language(query.text) : query.language;
  const std::vector<std::string> words = query_words(query.text, language);
  std::vector<std::string> stems;
  const Language known[] = {language};
  const Language every[] = {Language::english, Language::portuguese};
  const std::span<const Language> languages = language == Language::unknown ? std::span<const Language>(every) : known;
  for (const std::string& word : words) {
    for (const Language each : languages) {
      std::string stem = stemmer(each).stem(word);
      if (std::find(stems.begin(), stems.end(), stem) == stems.end()) stems.push_back(std::move(stem));
    }
  }
  std::string expression;
  for (const std::string& stem : stems) append_phrase(expression, "{stems title}", stem);
  for (const std::string& word : words) append_phrase(expression, "words", word);
  return expression;
}

std::string TermMaker::phrase_expression(std::string_view words) {
  std::string terms;
  for (size_t at = 0; at < words.size();) {
    const size_t end = std::min(words.find(' ', at), words.size());
    append_term(terms, words.substr(at, end - at));
    at = end + 1;
  }
  std::string expression = "words:";
  append_quoted(expression, terms);
  return expression;
}

std::string TermMaker::fingerprint() {
  // The probe uses folding, numbers, stop words and both stemmers, so a change of any of them is detected.
  constexpr std::string_view kProbe =
      "The runners were running; nationality, generously. Ação dos corações, 8.078/1990, Art. 121-A, 5º, çà È naïve "
      "consumidores fornecedores responsabilidade aplicação";
  TermMaker maker;
  std::string all;
  for (const Language language : {Language::unknown, Language::english, Language::portuguese}) {
    const IndexTerms terms = maker.index_terms(kProbe, "Títulos and headings", language);
    all += terms.stems + '\n' + terms.words + '\n' + terms.title + '\n';
  }
  return fmt::format("terms-1-{:016x}", checksum64(std::as_bytes(std::span(all))));
}

}  // namespace frugal
