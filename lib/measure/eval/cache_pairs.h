// Measures the guard of the semantic cache (rag/guard/guard.h) on pairs of questions: how many that must share an
// answer do, and how many that must not do all the same. Reads no index and no model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "rag/law/provision.h"

namespace frugal {

struct QuestionPair {
  std::string a, b;
  bool same = false;  // must share an answer
  std::string type;   // "inciso", "format"; "all" if the file names none
  std::string language;
  int64_t line = 0;
};

/// Reads tab-separated lines: with a first line of names, among them label, a and b, optionally type and lang; without
/// one, four columns, as PAWS has them: id, a, b, label. A label is 0 or 1. Throws Error(bad_input) naming the line.
std::vector<QuestionPair> read_question_pairs(const std::filesystem::path& file);

struct PairCount {
  std::string type, language;
  bool same = false;
  int64_t pairs = 0;
  int64_t hits = 0;
  double rate() const { return pairs > 0 ? static_cast<double>(hits) / static_cast<double>(pairs) : 0; }
};

/// A pair that the guard decides against its label.
struct PairMistake {
  QuestionPair pair;
  std::string reason;
};

struct PairReport {
  std::vector<PairCount> counts;  // by label, type and language
  PairCount false_hits, hits;     // of all pairs with label 0 and 1
  std::vector<PairMistake> mistakes;
};

PairReport measure_guard(const std::vector<QuestionPair>& pairs, const LawTable& laws);

/// The largest rate under which at most `hits` of `pairs` hits still have a probability of 5 %: the upper end of the
/// one-sided interval of Clopper and Pearson (1934). 1 without pairs.
double upper_bound_95(int64_t hits, int64_t pairs);

/// with_mistakes: also the pairs that were decided against their label, and why.
std::string pairs_to_markdown(const PairReport& report, bool with_mistakes);
std::string pairs_to_json(const PairReport& report, bool with_mistakes);

}  // namespace frugal
