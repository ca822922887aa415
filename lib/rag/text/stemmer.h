// Stems of words, by language.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "rag/text/stemmer.h"

#include "rag/text/language.h"

namespace frugal {

/// Snowball stemmers. A word with a digit is never stemmed; unknown stems nothing. Not thread-safe: one a thread.
class Stemmer {
 public:
  explicit Stemmer(Language language);
  ~Stemmer();
  Stemmer(Stemmer&&) noexcept;
  Stemmer& operator=(Stemmer&&) noexcept;
  /// Stem of a word in folded form; the result is folded too, and the same however the word was accented.
  std::string stem(std::string_view folded) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace frugal
