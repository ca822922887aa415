// Formats the figures of a question file: JSON for programs, Markdown for people.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/visible.h"
#include "measure/eval/figures_report.h"
#include "measure/eval/question_file.h"
#include "measure/report/table.h"

namespace frugal {
namespace {

using nlohmann::ordered_json;

constexpr size_t kQuestionWidth = 56;  // characters of a question that are printed

ordered_json ranks_json(const GoldRanks& ranks) {
  return {{"questions", ranks.questions},
          {"first", measure_json(ranks.first)},
          {"first_5", measure_json(ranks.first_5)},
          {"first_10", measure_json(ranks.first_10)},
          {"mrr_at_10", measure_json(ranks.mrr_at_10)}};
}

ordered_json question_json(const QuestionResult& result) {
  const AnswerOutcome& outcome = result.outcome;
  return {{"id", result.query.id},
          {"query", result.query.text},
          {"kind", to_string(outcome.kind)},
          {"language", to_string(outcome.language)},
          {"gold", result.query.gold},
          {"gold_rank", result.gold_rank ? ordered_json(*result.gold_rank) : ordered_json(nullptr)},
          {"abstained", outcome.abstained},
          {"confidence", rounded(outcome.confidence)},
          {"right", outcome.kind == QuestionKind::answerable ? ordered_json(outcome.right) : ordered_json(nullptr)},
          {"quote_holds_answer", rounded(outcome.quote_holds_answer)},
          {"gold_cited", rounded(outcome.gold_cited)},
          {"text", outcome.abstained ? ordered_json(nullptr) : ordered_json(outcome.text)}};
}

// True if the answer is right and the passage first; of a question without an answer, if none was given.
bool ended_well(const QuestionResult& result) {
  if (result.outcome.kind != QuestionKind::answerable) return result.outcome.abstained;
  return !result.outcome.abstained && result.outcome.right && (result.query.gold.empty() || result.gold_rank == 1);
}

std::string ranks_table(const QuestionReport& report) {
  Table table({{"gold passage", Table::Align::left}, {"first"}, {"in the first 5"}, {"in the first 10"}, {"MRR@10"}});
  const auto add = [&](std::string name, const GoldRanks& ranks) {
    table.add({fmt::format("{}, {} questions", name, ranks.questions), share_with_interval(ranks.first),
               share_with_interval(ranks.first_5), share_with_interval(ranks.first_10), share(ranks.mrr_at_10.mean)});
  };
  add("all", *report.ranks);
  if (report.ranks_by_language.size() > 1)
    for (const auto& [language, ranks] : report.ranks_by_language) add(std::string(to_string(language)), ranks);
  return table.aligned_markdown();
}

// The first characters of a text, on one line.
std::string shortened(const std::string& text) {
  std::string line = visible_line(text);
  size_t end = 0, characters = 0;
  while (end < line.size() && characters < kQuestionWidth) {
    ++end;
    while (end < line.size() && (line[end] & 0xC0) == 0x80) ++end;
    ++characters;
  }
  return end < line.size() ? line.substr(0, end) + "…" : line;
}

std::string verdict(const AnswerOutcome& outcome) {
  if (outcome.abstained) return outcome.right ? "held back" : "abstained";
  return outcome.right ? "right" : "wrong";
}

std::string failures_table(const QuestionReport& report) {
  Table table({{"id", Table::Align::left},
               {"rank", Table::Align::right},
               {"answer", Table::Align::left},
               {"confidence", Table::Align::right},
               {"question", Table::Align::left}});
  for (const QuestionResult& result : report.questions)
    if (!ended_well(result))
      table.add({shortened(result.query.id),
                 result.query.gold.empty() ? "no gold"
                 : result.gold_rank        ? std::to_string(*result.gold_rank)
                                           : "–",
                 verdict(result.outcome), share(result.outcome.confidence), shortened(result.query.text)});
  return table.aligned_markdown();
}

}  // namespace

std::string question_report_to_json(const QuestionReport& report, int indent) {
  ordered_json json{{"schema_version", 1},
                    {"file", report.file},
                    {"documents", report.documents},
                    {"chunks", report.chunks},
                    {"gold_rank", report.ranks ? ranks_json(*report.ranks) : ordered_json(nullptr)}};
  if (report.ranks) {
    ordered_json& by_language = json["gold_rank"]["by_language"] = ordered_json::object();
    for (const auto& [language, ranks] : report.ranks_by_language)
      by_language[std::string(to_string(language))] = ranks_json(ranks);
  }
  json["answers"] = answers_json(report.answers);
  json["questions"] = ordered_json::array();
  for (const QuestionResult& result : report.questions) json["questions"].push_back(question_json(result));
  return report_text(json, indent);
}

std::string question_report_to_markdown(const QuestionReport& report) {
  std::string out = fmt::format("## {}: {} questions, {} documents\n\n", visible_line(report.file),
                                report.questions.size(), report.documents);
  if (report.ranks) out += ranks_table(report) + "\n";
  const std::pair<std::string, std::vector<StageTime>> times{"all questions", report.answers.stage_times};
  out += answers_tables(report.answers) + "\n" + times_table(std::span(&times, 1));
  if (!std::all_of(report.questions.begin(), report.questions.end(), ended_well)) out += "\n" + failures_table(report);
  return out;
}

}  // namespace frugal
