// What the word index holds of a chunk, and what it is asked. Both sides live here so that they cannot drift apart.
// The index is FTS5 over terms separated by spaces: splitting, folding and stemming happen here, not in a tokenizer of
// SQLite's, so that any SQLite shell can read the index.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "rag/index/store.h"
#include "rag/text/language.h"
#include "rag/text/stemmer.h"

namespace frugal {

/// The columns of the word index, terms separated by one space.
struct IndexTerms {
  std::string stems;  // of the text, stop words left out
  std::string words;  // the same words as they are spelled, folded: an exact spelling scores on top of its stem
  std::string title;  // stems of title and headings
};

/// Turns text into terms. Not thread-safe: it keeps its stemmers.
class TermMaker {
 public:
  /// Terms of a chunk whose language is `language`; unknown stems nothing.
  IndexTerms index_terms(std::string_view text, std::string_view title, Language language);

  /// The question as an FTS5 expression: an OR over stems and spellings of its words, stop words left out unless there
  /// is nothing else. Empty where the text has no word. An unknown language asks for the stems of every language.
  std::string match_expression(const SparseQuery& query);

  /// Changes whenever the terms of a text may have changed (code or libraries): an index of another fingerprint is
  /// stale.
  static std::string fingerprint();

 private:
  const Stemmer& stemmer(Language language);
  std::string stems_of(std::string_view text, Language language, std::string* spellings);
  std::map<Language, Stemmer> stemmers_;
};

}  // namespace frugal
