// What the confidence is measured on: an answer that the threshold holds back has a confidence, too, and it is right or
// wrong. Such a question is asked again by a pipeline without the threshold. The curve and the calibration therefore do
// not depend on the threshold in use, and a threshold can be chosen from them. A question that gets no answer at any
// threshold (nothing was found, or the article that it names is missing) counts as not answered in the curve and is no
// part of the calibration.
#include "measure/eval/answer_quality.h"

#include <algorithm>
#include <cmath>

namespace frugal {
namespace {

// Shares of answerable questions that get an answer, in per cent, for the curve: close to each other where users want
// few wrong abstentions.
constexpr int kCoarseFrom = 90, kCoarseStep = 5;

constexpr size_t index_of(QuestionKind kind) {
  return static_cast<size_t>(kind);
}

// What exact match and F1 compare: the answer in as few words as the pipeline gives it.
std::string_view short_answer(const AnswerOutcome& outcome) {
  return outcome.span ? *outcome.span : outcome.text;
}

std::string quotes_of(const Reply& reply) {
  std::string quotes;
  for (const Citation& citation : reply.citations) quotes += citation.quote + "\n";
  return quotes;
}

// The share of the citations for which `holds`; nullopt if there are none.
template <typename Holds>
std::optional<double> share_of_citations(const Reply& reply, Holds&& holds) {
  if (reply.citations.empty()) return std::nullopt;
  return static_cast<double>(std::count_if(reply.citations.begin(), reply.citations.end(), holds)) /
         static_cast<double>(reply.citations.size());
}

PipelineOptions extracting(PipelineOptions options) {
  options.answer = AnswerMode::extract;
  return options;
}

PipelineOptions extracting_always(PipelineOptions options) {
  options.abstain_below = 0;
  return extracting(std::move(options));
}

/// The values of an optional field, of those that have it.
template <typename Field>
std::optional<Measure> measure_field(std::span<const AnswerOutcome> outcomes, Field&& field) {
  std::vector<double> values;
  for (const AnswerOutcome& outcome : outcomes)
    if (const std::optional<double> value = field(outcome)) values.push_back(*value);
  return measure_of(values);
}

std::optional<Measure> measure_field(std::span<const AnswerOutcome> outcomes,
                                     std::optional<double> AnswerOutcome::*field) {
  return measure_field(outcomes, [&](const AnswerOutcome& outcome) { return outcome.*field; });
}

std::optional<Calibration> calibration_over(std::span<const AnswerOutcome> outcomes, bool answerable_only) {
  std::vector<ScoredAnswer> answers;
  for (const AnswerOutcome& outcome : outcomes)
    if (outcome.confidence && (!answerable_only || outcome.kind == QuestionKind::answerable))
      answers.push_back({*outcome.confidence, outcome.right});
  return calibration_of(std::move(answers));
}

bool is_answered(const AnswerOutcome& outcome, double threshold) {
  return outcome.confidence && *outcome.confidence >= threshold;
}

std::optional<double> abstained_share(std::span<const AnswerOutcome> outcomes, QuestionKind kind, double threshold) {
  double asked = 0, abstained = 0;
  for (const AnswerOutcome& outcome : outcomes) {
    if (outcome.kind != kind) continue;
    asked += 1;
    abstained += !is_answered(outcome, threshold);
  }
  return asked > 0 ? std::optional(abstained / asked) : std::nullopt;
}

RiskPoint risk_at(std::span<const AnswerOutcome> outcomes, double threshold) {
  RiskPoint point;
  point.threshold = threshold;
  double answered = 0, wrong = 0;
  for (const AnswerOutcome& outcome : outcomes) {
    if (outcome.kind != QuestionKind::answerable || !is_answered(outcome, threshold)) continue;
    answered += 1;
    wrong += !outcome.right;
  }
  point.coverage = 1 - abstained_share(outcomes, QuestionKind::answerable, threshold).value_or(1);
  point.risk = answered > 0 ? wrong / answered : 0;
  point.unanswerable_abstained = abstained_share(outcomes, QuestionKind::unanswerable, threshold);
  point.foreign_abstained = abstained_share(outcomes, QuestionKind::foreign, threshold);
  return point;
}

// For each wanted coverage the highest threshold that reaches it. Equal confidences are answered together, so several
// coverages may share a threshold, which is listed once.
std::vector<RiskPoint> curve_of(std::span<const AnswerOutcome> outcomes) {
  std::vector<double> confidences;  // falling
  double answerable = 0;
  for (const AnswerOutcome& outcome : outcomes) {
    if (outcome.kind != QuestionKind::answerable) continue;
    answerable += 1;
    if (outcome.confidence) confidences.push_back(*outcome.confidence);
  }
  std::sort(confidences.rbegin(), confidences.rend());
  std::vector<RiskPoint> curve;
  for (int percent = 100; percent > 0; percent -= percent > kCoarseFrom ? 1 : kCoarseStep) {
    const auto wanted = static_cast<size_t>(std::ceil(answerable * percent / 100));
    if (wanted == 0 || wanted > confidences.size()) continue;
    const double threshold = confidences[wanted - 1];
    if (curve.empty() || curve.back().threshold != threshold) curve.push_back(risk_at(outcomes, threshold));
  }
  return curve;
}

}  // namespace

AnswerFigures figures_of(std::span<const AnswerOutcome> outcomes) {
  AnswerFigures figures;
  for (const AnswerOutcome& outcome : outcomes) ++figures.questions[index_of(outcome.kind)];
  for (const auto& [kind, name] : names_of(QuestionKind{}))
    figures.abstained[index_of(kind)] = measure_field(outcomes, [kind = kind](const AnswerOutcome& outcome) {
      return outcome.kind == kind ? std::optional<double>(outcome.abstained) : std::nullopt;
    });
  figures.exact_match = measure_field(outcomes, &AnswerOutcome::exact_match);
  figures.f1 = measure_field(outcomes, &AnswerOutcome::f1);
  figures.quote_holds_answer = measure_field(outcomes, &AnswerOutcome::quote_holds_answer);
  figures.gold_cited = measure_field(outcomes, &AnswerOutcome::gold_cited);
  figures.citation_precision = measure_field(outcomes, &AnswerOutcome::citation_precision);
  figures.quotes_exact = measure_field(outcomes, &AnswerOutcome::quotes_exact);
  figures.answerable_confidence = calibration_over(outcomes, true);
  figures.confidence = calibration_over(outcomes, false);
  figures.curve = curve_of(outcomes);
  return figures;
}

AnswerJudge::AnswerJudge(Store& store, Models& models, const PipelineOptions& options, const std::string& index_name,
                         IsGold is_gold)
    : store_(store),
      pipeline_(store, models, store.laws(), extracting(options), nullptr, index_name),
      without_threshold_(store, models, store.laws(), extracting_always(options), nullptr, index_name),
      is_gold_(std::move(is_gold)) {}

AnswerJudge::Judged AnswerJudge::ask(const EvalQuery& query, QuestionKind kind) {
  Judged judged{pipeline_.ask({{}, query.text}, {}, Trace()), {}};
  const Answer& answer = judged.reply.answer;
  AnswerOutcome& outcome = judged.outcome;
  outcome.kind = kind;
  outcome.language = query.language;
  outcome.abstained = answer.abstained;
  outcome.confidence = answer.confidence;
  outcome.text = answer.text.value_or("");
  outcome.span = answer.span;
  outcome.quotes = quotes_of(judged.reply);
  outcome.quotes_exact = share_of_citations(judged.reply, [&](const Citation& each) { return is_exact(each); });
  if (kind != QuestionKind::answerable) return judged;
  judge(query, judged.reply, outcome);
  if (answer.abstained && answer.confidence) {
    const Reply held_back = without_threshold_.ask({{}, query.text}, {}, Trace());
    AnswerOutcome without;
    without.language = query.language;
    without.quotes = quotes_of(held_back);
    judge(query, held_back, without);
    outcome.right = without.right;
  }
  return judged;
}

void AnswerJudge::judge(const EvalQuery& query, const Reply& reply, AnswerOutcome& outcome) const {
  if (!query.answers.empty()) {
    outcome.exact_match = exact_match(short_answer(outcome), query.answers, query.language);
    outcome.f1 = answer_f1(short_answer(outcome), query.answers, query.language);
    outcome.quote_holds_answer = answer_contained(outcome.quotes, query.answers, query.language);
  }
  if (!query.judged.empty() || !query.gold.empty()) {
    outcome.citation_precision =
        share_of_citations(reply, [&](const Citation& each) { return is_gold_(query, each.id); });
    outcome.gold_cited = outcome.citation_precision.value_or(0) > 0;
  }
  outcome.right = outcome.quote_holds_answer.value_or(outcome.gold_cited.value_or(0)) > 0;
}

// True if the bytes that the citation names are the quote.
bool AnswerJudge::is_exact(const Citation& citation) {
  const std::vector<Chunk> held = store_.fetch(std::array{citation.id});
  if (held.empty() || citation.text_begin < held.front().start_byte) return false;
  const Chunk& chunk = held.front();
  const uint64_t begin = citation.text_begin - chunk.start_byte;
  return begin <= chunk.text.size() && !citation.quote.empty() &&
         std::string_view(chunk.text).substr(begin, citation.text_end - citation.text_begin) == citation.quote;
}

AnswerQuality answer_quality(AnswerJudge& judge, const AnswerQuestions& questions,
                             const std::function<void(int64_t done, int64_t total)>& progress) {
  std::vector<AnswerOutcome> outcomes;
  StageTimes times;
  const auto total =
      static_cast<int64_t>(questions.answerable.size() + questions.unanswerable.size() + questions.foreign.size());
  double exact = 0, f1 = 0, contained = 0, with_answers = 0;
  const auto ask = [&](std::span<const EvalQuery> queries, QuestionKind kind) {
    for (const EvalQuery& query : queries) {
      AnswerJudge::Judged judged = judge.ask(query, kind);
      times.add(judged.reply.timings);
      if (kind == QuestionKind::answerable && !query.answers.empty()) {
        with_answers += 1;
        exact += exact_match(judged.outcome.text, query.answers);
        f1 += answer_f1(judged.outcome.text, query.answers);
        contained += answer_contained(judged.outcome.text, query.answers);
      }
      outcomes.push_back(std::move(judged.outcome));
      if (progress) progress(static_cast<int64_t>(outcomes.size()), total);
    }
  };
  ask(questions.answerable, QuestionKind::answerable);
  ask(questions.unanswerable, QuestionKind::unanswerable);
  ask(questions.foreign, QuestionKind::foreign);
  AnswerQuality quality = answer_quality_of(outcomes, times);
  if (with_answers > 0) {
    quality.exact_match = exact / with_answers;
    quality.f1 = f1 / with_answers;
    quality.answer_contained = contained / with_answers;
  }
  const auto abstained = [&](QuestionKind kind) -> std::optional<double> {
    const std::optional<Measure>& share = quality.all.abstained[index_of(kind)];
    return share ? std::optional(share->mean) : std::nullopt;
  };
  quality.false_abstention = abstained(QuestionKind::answerable);
  quality.true_abstention = abstained(QuestionKind::foreign);
  return quality;
}

AnswerQuality answer_quality_of(std::span<const AnswerOutcome> outcomes, const StageTimes& times) {
  AnswerQuality quality;
  quality.all = figures_of(outcomes);
  quality.stage_times = times.summary();
  std::map<Language, std::vector<AnswerOutcome>> by_language;
  for (const AnswerOutcome& outcome : outcomes) by_language[outcome.language].push_back(outcome);
  for (const auto& [language, spoken] : by_language) quality.by_language[language] = figures_of(spoken);
  return quality;
}

}  // namespace frugal
