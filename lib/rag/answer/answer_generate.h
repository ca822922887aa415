// Checks generated text against its sources: keeps the sentences that a source supports, and turns their marks, such as
// "[1]", into citations. It compares words and numbers, not meanings: it catches inventions, not subtle errors.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rag/answer/query.h"
#include "rag/text/language.h"

namespace frugal {

/// A sentence of a generated answer, without its marks.
struct CheckedSentence {
  std::string text;
  std::vector<int64_t> cited;  // numbers of the sources in its marks, from 1, in order
  int64_t source = 0;          // number of the supporting source: the best of those cited, else the first; 0: none
  float support = 0;           // share of its content words that this source contains, 0…1
};

/// Splits `generated` into sentences and compares each with the sources, which are numbered from 1. A source supports a
/// sentence if it contains every number in it and at least `min_support` (0…1) of its content words. Marks of sources
/// that do not exist are dropped.
std::vector<CheckedSentence> check_sentences(std::string_view generated, std::span<const Hit> sources,
                                             Language language, float min_support);

struct GroundedText {
  std::string text;                 // the supported sentences, each followed by its mark; empty: there are none
  std::vector<Citation> citations;  // one per distinct mark, numbered from 1 in order of appearance
  int64_t dropped = 0;              // sentences that no source supports
};
/// Joins the supported sentences. A citation quotes the sentence of the source that shares most content words with the
/// generated one; sentences with the same quote share a citation. `sources` as for check_sentences().
GroundedText ground(const std::vector<CheckedSentence>& sentences, std::span<const Hit> sources, Language language);

/// True if the generator declined to answer, in the words that the prompt asks for, in English or Portuguese.
bool is_abstention(std::string_view generated);

}  // namespace frugal
