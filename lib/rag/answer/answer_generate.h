// What a generator wrote, held against its sources: citations that exist, statements that a source bears out.
// Words and numbers are compared, not meanings: it catches inventions, not subtle errors.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rag/answer/query.h"
#include "rag/text/language.h"

namespace frugal {

/// A sentence of a generated answer, its marks like "[1]" taken off.
struct CheckedSentence {
  std::string text;
  std::vector<int64_t> cited;  // numbers of existing sources, from 1, in order of their marks
  int64_t source = 0;          // that bears it out: the best of those cited, else the first that does; 0: none
  float support = 0;           // share of its content words that this source holds
};

/// Sentences of `generated` against hits[0…sources). A source bears a sentence out if it holds at least `min_support`
/// of its content words and every number in it. Marks of sources that do not exist are dropped.
std::vector<CheckedSentence> check_sentences(std::string_view generated, std::span<const Hit> sources,
                                             Language language, float min_support);

/// The sentences that a source bears out, each with its mark, and the citations that the marks stand for: numbered from
/// 1 in order of appearance, quoting the sentence of the source that shares most with the statement.
struct GroundedText {
  std::string text;  // empty: nothing was borne out
  std::vector<Citation> citations;
  int64_t dropped = 0;  // sentences that no source bears out
};
GroundedText ground(const std::vector<CheckedSentence>& sentences, std::span<const Hit> sources, Language language);

/// True if the generator said, as it was told to, that the sources do not hold the answer.
bool is_abstention(std::string_view generated);

}  // namespace frugal
