// Snowball over folded words. English (Porter 2) needs nothing more. The Portuguese stemmer recognises suffixes by
// their accents and leaves irregular plurals alone, so folded "obrigacao" and "obrigacoes" would get different stems. A
// few endings whose accents are certain are therefore restored, and plurals made singular, before it runs. Stems are
// then the same however a word was accented.
#include <libstemmer.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/error.h"
#include "rag/text/language.h"
#include "rag/text/stemmer.h"
#include "rag/text/words.h"

namespace frugal {

namespace {

struct Ending {
  std::string_view folded;
  std::string_view restored;
  size_t min_stem_bytes;  // minimum before the ending; shorter words have it by chance ("pais", "mais")
};

// The first match is used: longer endings come before shorter ones.
constexpr std::array kPortugueseEndings = std::to_array<Ending>({
    {"encias", "ência", 2}, {"ancias", "ância", 2}, {"logias", "logia", 1}, {"encia", "ência", 2},
    {"ancia", "ância", 2},  {"aveis", "ável", 2},   {"iveis", "ível", 2},   {"avel", "ável", 2},
    {"ivel", "ível", 2},    {"coes", "ção", 1},     {"soes", "são", 1},     {"oes", "ão", 2},
    {"cao", "ção", 1},      {"ais", "al", 2},       {"eis", "el", 3},       {"ois", "ol", 2},
    {"ens", "em", 1},       {"ins", "im", 2},       {"ons", "om", 1},       {"uns", "um", 2},
});

std::string restore_portuguese(std::string_view folded) {
  for (const Ending& ending : kPortugueseEndings)
    if (folded.ends_with(ending.folded) && folded.size() >= ending.folded.size() + ending.min_stem_bytes)
      return std::string(folded.substr(0, folded.size() - ending.folded.size())) + std::string(ending.restored);
  return std::string(folded);
}

const char* algorithm_of(Language language) {
  switch (language) {
    case Language::english:
      return "english";
    case Language::portuguese:
      return "portuguese";
    case Language::unknown:
      break;
  }
  return nullptr;
}

// Longer strings are no words of a language, and Snowball's sizes are int.
constexpr size_t kMaxStemmedBytes = 64;

}  // namespace

struct Stemmer::State {
  explicit State(Language spoken) : language(spoken) {
    if (const char* name = algorithm_of(spoken)) {
      snowball = sb_stemmer_new(name, "UTF_8");
      FRUGAL_CHECK(snowball != nullptr);
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { sb_stemmer_delete(snowball); }

  Language language;
  sb_stemmer* snowball = nullptr;
};

Stemmer::Stemmer(Language language) : state_(std::make_unique<State>(language)) {}
Stemmer::~Stemmer() = default;
Stemmer::Stemmer(Stemmer&&) noexcept = default;
Stemmer& Stemmer::operator=(Stemmer&&) noexcept = default;

std::string Stemmer::stem(std::string_view folded) const {
  const bool has_digit = std::any_of(folded.begin(), folded.end(), is_digit);
  if (state_->snowball == nullptr || has_digit || folded.size() > kMaxStemmedBytes) return std::string(folded);
  const bool portuguese = state_->language == Language::portuguese;
  const std::string word = portuguese ? restore_portuguese(folded) : std::string(folded);
  const auto* stem =
      sb_stemmer_stem(state_->snowball, reinterpret_cast<const sb_symbol*>(word.data()), static_cast<int>(word.size()));
  if (stem == nullptr) return std::string(folded);  // out of memory inside Snowball
  const std::string_view bytes(reinterpret_cast<const char*>(stem), sb_stemmer_length(state_->snowball));
  return portuguese ? fold(bytes) : std::string(bytes);
}

}  // namespace frugal
