// Word stems by language, for search: "obrigações" and "obrigação" meet. Not a lemmatiser.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "rag/text/language.h"

namespace frugal {

/// A Snowball stemmer. Words with a digit are never stemmed; Language::unknown stems nothing. Not thread-safe: one per
/// thread.
class Stemmer {
 public:
  explicit Stemmer(Language language);
  ~Stemmer();
  Stemmer(Stemmer&&) noexcept;
  Stemmer& operator=(Stemmer&&) noexcept;
  /// The stem of a folded word. It is folded too, and the same however the word was accented.
  std::string stem(std::string_view folded) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace frugal
