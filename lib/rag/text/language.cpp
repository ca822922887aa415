#include "rag/text/language.h"

#include <algorithm>
#include <array>
#include <span>

#include "rag/text/words.h"

namespace frugal {

namespace {

// Sorted, folded. Words of both lists say nothing about the language but are still stop words.
constexpr std::array kEnglishStopWords = std::to_array<std::string_view>(
    {"a",     "about",  "after", "all",   "also",  "am",   "an",     "and",   "any",   "are",  "as",
     "at",    "be",     "been",  "but",   "by",    "can",  "could",  "d",     "did",   "do",   "does",
     "don",   "during", "each",  "for",   "from",  "had",  "has",    "have",  "he",    "her",  "his",
     "how",   "i",      "if",    "in",    "into",  "is",   "isn",    "it",    "its",   "ll",   "many",
     "may",   "me",     "more",  "most",  "much",  "my",   "no",     "not",   "of",    "on",   "or",
     "other", "our",    "re",    "s",     "shall", "she",  "should", "so",    "some",  "such", "t",
     "than",  "that",   "the",   "their", "them",  "then", "there",  "these", "they",  "this", "those",
     "to",    "until",  "upon",  "us",    "ve",    "was",  "we",     "were",  "what",  "when", "where",
     "which", "while",  "who",   "whom",  "whose", "why",  "will",   "with",  "would", "you",  "your"});
constexpr std::array kPortugueseStopWords = std::to_array<std::string_view>(
    {"a",     "ao",    "aos",   "aquela", "aquele", "aqueles", "as",    "ate",    "com",    "como",    "cuja",
     "cujo",  "d",     "da",    "das",    "de",     "dela",    "dele",  "deles",  "depois", "desde",   "dessa",
     "desse", "desta", "deste", "do",     "dos",    "e",       "ela",   "elas",   "ele",    "eles",    "em",
     "entre", "era",   "eram",  "essa",   "essas",  "esse",    "esses", "esta",   "estao",  "estas",   "este",
     "estes", "eu",    "foi",   "foram",  "ha",     "isso",    "isto",  "ja",     "la",     "lhe",     "lhes",
     "mais",  "mas",   "me",    "mesmo",  "meu",    "minha",   "muito", "na",     "nao",    "nas",     "nem",
     "no",    "nos",   "num",   "numa",   "o",      "onde",    "os",    "ou",     "para",   "pela",    "pelas",
     "pelo",  "pelos", "per",   "por",    "porque", "quais",   "qual",  "quando", "quanto", "quantos", "que",
     "quem",  "sao",   "se",    "sem",    "ser",    "sera",    "seu",   "seus",   "sido",   "so",      "sob",
     "sobre", "sua",   "suas",  "tal",    "tambem", "te",      "tem",   "ter",    "um",     "uma",     "umas",
     "uns",   "voce"});
static_assert(std::ranges::is_sorted(kEnglishStopWords) && std::ranges::is_sorted(kPortugueseStopWords));

bool sorted_contains(std::span<const std::string_view> sorted, std::string_view word) {
  return std::binary_search(sorted.begin(), sorted.end(), word);
}

bool ends_with_any(std::string_view word, std::initializer_list<std::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&](std::string_view end) { return word.size() > end.size() + 1 && word.ends_with(end); });
}

struct Votes {
  int english = 0;
  int portuguese = 0;
};

// A function word of only one language weighs most; a typical ending or letter weighs less.
void weigh_word(const Word& word, std::string_view written, Votes& votes) {
  const bool english = sorted_contains(kEnglishStopWords, word.folded);
  const bool portuguese = sorted_contains(kPortugueseStopWords, word.folded);
  if (word.folded.size() > 1 || word.folded == "e" || word.folded == "o") {
    if (english && !portuguese) votes.english += 3;
    if (portuguese && !english) votes.portuguese += 3;
  }
  if (english || portuguese) return;
  if (ends_with_any(word.folded, {"tion", "tions", "ing", "ness", "ment", "ly", "ed", "ity", "ous", "th", "gh", "ck"}))
    votes.english += 1;
  if (ends_with_any(word.folded,
                    {"cao", "coes", "dade", "mente", "agem", "eiro", "eira", "ncia", "inho", "ivel", "avel"}))
    votes.portuguese += 1;
  for (const std::string_view letter : {"ã", "õ", "ç", "á", "é", "í", "ó", "ú", "â", "ê", "ô", "Ç", "É"})
    if (written.find(letter) != written.npos) {
      votes.portuguese += 1;
      return;
    }
}

// A prefix of a long text is enough.
constexpr size_t kDetectionBytes = 1 << 16;

}  // namespace

std::string_view to_string(Language language) {
  switch (language) {
    case Language::english:
      return "en";
    case Language::portuguese:
      return "pt";
    case Language::unknown:
      break;
  }
  return "unknown";
}

Language detect_language(std::string_view text) {
  text = text.substr(0, kDetectionBytes);
  return detect_language(text, split_words(text));
}

Language detect_language(std::string_view text, const std::vector<Word>& words) {
  Votes votes;
  for (const Word& word : words) weigh_word(word, text.substr(word.begin, word.end - word.begin), votes);
  // More than 1.5 times the other: names and quotations in the other language do not decide.
  if (2 * votes.english > 3 * votes.portuguese) return Language::english;
  if (2 * votes.portuguese > 3 * votes.english) return Language::portuguese;
  return Language::unknown;
}

bool is_stop_word(std::string_view folded, Language language) {
  switch (language) {
    case Language::english:
      return sorted_contains(kEnglishStopWords, folded);
    case Language::portuguese:
      return sorted_contains(kPortugueseStopWords, folded);
    case Language::unknown:
      break;
  }
  return false;
}

}  // namespace frugal
