// Makes the terms of the word index, for chunks and for queries; one class makes both, so that they always match. The
// index is FTS5 over terms separated by spaces. Splitting, folding and stemming happen here and not in a tokenizer
// registered with SQLite, so any SQLite shell can read the index.
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
  std::string stems;  // of the text, without stop words
  std::string words;  // of the text, folded: an exact spelling scores in addition to its stem
  std::string title;  // stems of title and headings
};

/// Not thread-safe: it caches its stemmers.
class TermMaker {
 public:
  /// The terms of a chunk. Words of an unknown language are not stemmed.
  IndexTerms index_terms(std::string_view text, std::string_view title, Language language);

  /// The query as an FTS5 expression: an OR over the stems and spellings of its words, without stop words unless there
  /// is nothing else. Empty if the text has no word. If the language is unknown, it has the stems of every language.
  std::string match_expression(const SparseQuery& query);

  /// Chunks with these words in a row, as an FTS5 expression. words: folded, with single spaces.
  static std::string phrase_expression(std::string_view words);

  /// Changes whenever the terms of a text may have changed, through code or libraries. A word index with another
  /// fingerprint is stale.
  static std::string fingerprint();

 private:
  const Stemmer& stemmer(Language language);
  std::string stems_of(std::string_view text, Language language, std::string* spellings);
  std::map<Language, Stemmer> stemmers_;
};

}  // namespace frugal
