// Metrics of a ranking and of an answer, as trec_eval, BEIR and SQuAD define them. All are for one query: means and
// confidence intervals are in base/statistics.h.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "rag/text/language.h"

namespace frugal {

/// The grades of one query, by document. Above 0 is relevant; a document without a grade is not.
using Judgements = std::map<std::string, int, std::less<>>;

/// Normalised discounted cumulative gain of the first `depth` documents, 0…1 (Järvelin & Kekäläinen 2002), with linear
/// gain as in trec_eval's ndcg_cut and BEIR: grade / log2(rank + 1). Negative grades gain 0. 0 if nothing is relevant.
double ndcg_at(std::span<const std::string> ranked, const Judgements& judged, size_t depth);
/// 1 / rank of the first relevant document among the first `depth`; 0 if there is none.
double reciprocal_rank_at(std::span<const std::string> ranked, const Judgements& judged, size_t depth);
/// The share of the relevant documents that are among the first `depth`, 0…1; 0 if nothing is relevant.
double recall_at(std::span<const std::string> ranked, const Judgements& judged, size_t depth);

/// SQuAD's normal form: lower case, without ASCII punctuation, English articles and extra spaces. Unlike SQuAD, it also
/// folds accents. In Portuguese it drops Portuguese articles, too.
std::string normalise_answer(std::string_view answer, Language language = Language::english);
/// 1 if `answer` and any of `accepted` have the same normal form, else 0.
double exact_match(std::string_view answer, std::span<const std::string> accepted,
                   Language language = Language::english);
/// The best F1 against any of `accepted`, 0…1: the harmonic mean of precision and recall over the words of the normal
/// forms, counted with multiplicity.
double answer_f1(std::string_view answer, std::span<const std::string> accepted, Language language = Language::english);
/// 1 if the normal form of `answer` contains that of any of `accepted` as whole words, else 0. The metric for quoted
/// sentences, which are longer than accepted answers.
double answer_contained(std::string_view answer, std::span<const std::string> accepted,
                        Language language = Language::english);

}  // namespace frugal
