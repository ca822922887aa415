// Checks generated text against its sources while it is written: keeps the statements that a source supports, turns
// their marks, such as "[1]", into citations, and ends a text that repeats itself. It compares words and numbers, not
// meanings: it catches inventions, not subtle errors. A reader, if there is one, judges beside it whether the sources
// answer the question.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "rag/answer/source_reader.h"
#include "rag/law/provision.h"
#include "rag/reply/reply.h"
#include "rag/text/language.h"
#include "rag/text/stemmer.h"

namespace frugal {

/// What else a generated sentence must hold against; borrowed. Null: it is not checked.
struct GroundingChecks {
  const LawTable* laws = nullptr;
  SourceReader* reader = nullptr;
};

/// The checked part of a generated text, which it takes piece by piece. Not thread-safe.
///
/// A source supports a sentence if it contains every number in it, every law that it names, and at least `min_support`
/// (0…1) of its content words, does not say the opposite (rag/guard/negation.h) and, with a reader, answers the
/// question. Questions, repetitions and sentences that say nothing are dropped, and so are marks of sources that do not
/// exist. A sentence that no source supports is dropped, or, if it cites one that the reader finds to answer the
/// question, replaced by the quote that does.
class GroundedText {
 public:
  /// Borrows `sources`, which are numbered from 1.
  GroundedText(std::span<const Hit> sources, Language language, float min_support, const GroundingChecks& checks = {});

  /// Takes the next piece of the generated text, valid UTF-8. Returns what it adds to text(): statements that are
  /// complete and supported. Nothing is returned before it is clear that the text is no abstention.
  std::string add(std::string_view generated);
  /// To be called after the last piece. Returns as add().
  std::string finish();

  /// True if no more text is needed: it loops or abstains, or has no more words.
  bool ended() const { return ended_; }
  /// True if the text repeats itself.
  bool loops() const { return loops_; }
  /// is_abstention() of the generated text.
  bool abstains() const;

  /// The supported statements, each followed by its mark; empty: there are none.
  const std::string& text() const { return text_; }
  /// One per distinct mark, numbered from 1 in order of appearance. A citation quotes the sentence of the source that
  /// shares most content words with the statement; statements with the same quote share a citation.
  const std::vector<Citation>& citations() const { return citations_; }
  int64_t dropped() const { return dropped_; }  // sentences

  /// A supported statement without its mark, and the bytes of a source's text that its citation quotes.
  struct Statement {
    std::string text;
    size_t source = 0;  // from 0
    uint32_t quote_begin = 0, quote_end = 0;
  };
  /// The statements that make up text(), in order.
  const std::vector<Statement>& statements() const { return statements_; }

  /// A sentence without its marks, and the numbers of the sources that they cite, in order.
  struct MarkedSentence {
    std::string text;
    std::vector<int64_t> cited;
  };

 private:
  using StemSet = std::unordered_set<std::string>;
  std::string judge_written(bool is_whole);
  void judge(const MarkedSentence& sentence);
  void watch_for_end(std::string_view open);
  int64_t supporting_source(const MarkedSentence& sentence, const StemSet& stems) const;
  bool supports(int64_t source, const MarkedSentence& sentence, const StemSet& stems) const;
  bool names_other_laws(std::string_view statement, const Hit& source) const;
  void stand_in(const MarkedSentence& sentence);
  void keep(Statement statement);

  std::span<const Hit> sources_;
  Language language_;
  float min_support_;
  GroundingChecks checks_;
  Stemmer stemmer_;
  std::vector<StemSet> held_;  // stems of each source
  std::string written_;
  size_t judged_ = 0;                          // sentences
  std::unordered_map<std::string, int> said_;  // the folded words of a judged sentence → how often it came
  // The last sentence when a word was last added to it, for watch_for_end().
  size_t watched_sentence_ = 0, watched_words_ = 0, last_word_byte_ = 0;
  bool ended_ = false, loops_ = false;
  std::string text_;
  std::vector<Statement> statements_;
  std::vector<Citation> citations_;
  int64_t dropped_ = 0;
};

/// True if the generator declined to answer, in the words that the prompt asks for, in English or Portuguese.
bool is_abstention(std::string_view generated);

}  // namespace frugal
