// How good a ranking is, and how close an answer: the definitions that trec_eval, BEIR and SQuAD use.
// Per query; means and intervals are in statistics.h.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace frugal {

/// Grade of each judged document of one query; above 0 is relevant. Unjudged documents count as not relevant.
using Judgements = std::map<std::string, int, std::less<>>;

/// Normalised discounted cumulative gain with linear gain, grade / log2(rank + 1), as trec_eval's ndcg_cut and so BEIR
/// have it (Järvelin & Kekäläinen 2002); negative grades gain 0. 0 if nothing is relevant.
double ndcg_at(std::span<const std::string> ranked, const Judgements& judged, size_t depth);
/// 1 / rank of the first relevant document within `depth`, else 0.
double reciprocal_rank_at(std::span<const std::string> ranked, const Judgements& judged, size_t depth);
/// Share of the relevant documents that are within `depth`; 0 if nothing is relevant.
double recall_at(std::span<const std::string> ranked, const Judgements& judged, size_t depth);

/// SQuAD's normal form: lower case, without ASCII punctuation, English articles and extra spaces; accents are folded as
/// well.
std::string normalise_answer(std::string_view answer);
/// 1 if the normal form of `answer` is that of any of `accepted`, else 0.
double exact_match(std::string_view answer, std::span<const std::string> accepted);
/// Best harmonic mean of precision and recall over the words of the normal forms, with their counts.
double answer_f1(std::string_view answer, std::span<const std::string> accepted);
/// 1 if the normal form of any of `accepted` stands in that of `answer` as whole words: what a quote is for.
double answer_contained(std::string_view answer, std::span<const std::string> accepted);

}  // namespace frugal
