// A negation belongs to the next word that says something: auxiliaries ("may", "será") and function words are passed
// over, and punctuation ends it ("No, the bridge is red" negates nothing).
#include "rag/guard/negation.h"

#include <algorithm>
#include <set>
#include <string>

#include "base/one_of.h"
#include "rag/guard/word_classes.h"
#include "rag/text/stemmer.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

using Stems = std::set<std::string>;

bool is_auxiliary(std::string_view word) {
  static constexpr std::string_view kAuxiliaries[] = {
      "pode", "podem", "podera", "poderao", "deve",   "devem", "devera", "deverao", "ser",
      "sera", "serao", "estar",  "haver",   "havera", "can",   "could",  "may",     "might",
      "must", "shall", "should", "will",    "would",  "be",    "been"};
  return is_one_of(word, kAuxiliaries);
}

// A text's stems by what it says of them.
struct Claims {
  Stems stated, negated, polar;
};

Claims claims_of(std::string_view text, Language language, const Stemmer& stemmer) {
  Claims claims;
  bool pending = false;
  uint32_t behind = 0;  // the last word
  for (const Word& word : split_words(text)) {
    const std::string_view gap = text.substr(behind, word.begin - behind);
    behind = word.end;
    if (gap.find_first_of(".,;:!?") != gap.npos) pending = false;
    const bool contraction = word.folded == "t" && (gap == "'" || gap == "’");
    const std::optional<FormKind> kind = special_class(word.folded, language);
    if (contraction || (kind == FormKind::negation && word.folded != "but")) {
      pending = true;
      continue;
    }
    if (kind == FormKind::polarity) claims.polar.insert(stemmer.stem(word.folded));
    if (is_stop_word(word.folded, language) || is_auxiliary(word.folded)) continue;
    (pending ? claims.negated : claims.stated).insert(stemmer.stem(word.folded));
    pending = false;
  }
  return claims;
}

bool lacks_any(const Stems& words, const Stems& of) {
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) { return !of.contains(word); });
}

// A word that one of them only negates and the other only states.
bool is_opposed(const Claims& negating, const Claims& stating) {
  return std::any_of(negating.negated.begin(), negating.negated.end(), [&](const std::string& word) {
    return stating.stated.contains(word) && !stating.negated.contains(word);
  });
}

}  // namespace

bool negates(std::string_view statement, std::string_view sentence, std::string_view passage, Language language) {
  const Stemmer stemmer(language);
  const Claims said = claims_of(statement, language, stemmer), there = claims_of(sentence, language, stemmer);
  if (is_opposed(said, there) || is_opposed(there, said)) return true;
  if (lacks_any(said.negated, claims_of(passage, language, stemmer).negated)) return true;
  return lacks_any(said.polar, there.polar) && lacks_any(there.polar, said.polar);
}

}  // namespace frugal
