// Formats an evaluation: JSON for programs, Markdown for people.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "measure/eval/evaluation.h"
#include "measure/eval/figures_report.h"
#include "measure/report/table.h"

namespace frugal {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kMinLanguageQueries = 20;  // of a language with a row of its own

ordered_json skipped_json(const EvalRun& run) {
  ordered_json json{{"run", run.name}, {"skipped", run.skipped}};
  for (const char* key : {"ndcg_at_10", "mrr_at_10", "recall_at_1", "recall_at_5", "recall_at_10", "ci95",
                          "exact_match", "f1", "ms_per_query"})
    json[key] = nullptr;
  return json;
}

ordered_json ranking_json(const RankingMeasures& ranking) {
  return {{"ndcg_at_10", rounded(ranking.ndcg_at_10.mean)},
          {"mrr_at_10", rounded(ranking.mrr_at_10.mean)},
          {"recall_at_1", rounded(ranking.recall_at_1.mean)},
          {"recall_at_5", rounded(ranking.recall_at_5.mean)},
          {"recall_at_10", rounded(ranking.recall_at_10.mean)},
          {"ci95",
           {{"ndcg_at_10", interval_json(ranking.ndcg_at_10)},
            {"mrr_at_10", interval_json(ranking.mrr_at_10)},
            {"recall_at_1", interval_json(ranking.recall_at_1)},
            {"recall_at_5", interval_json(ranking.recall_at_5)},
            {"recall_at_10", interval_json(ranking.recall_at_10)}}}};
}

ordered_json by_language_json(const EvalRun& run) {
  ordered_json json = ordered_json::object();
  for (const auto& [language, ranking] : run.ranking_by_language) {
    ordered_json& measured = json[std::string(to_string(language))];
    measured["queries"] = ranking.queries;
    measured.update(ranking_json(ranking));
  }
  return json;
}

ordered_json run_json(const EvalRun& run) {
  if (!run.skipped.empty()) return skipped_json(run);
  ordered_json json{{"run", run.name}};
  json.update(ranking_json(run.ranking));
  const AnswerQuality none;
  const AnswerQuality& answers = run.answers ? *run.answers : none;
  json["exact_match"] = rounded(answers.exact_match);
  json["f1"] = rounded(answers.f1);
  json["answer_contained"] = rounded(answers.answer_contained);
  json["false_abstention"] = rounded(answers.false_abstention);
  json["true_abstention"] = rounded(answers.true_abstention);
  json["ms_per_query"] = rounded(run.ms_per_query);
  if (run.ndcg_gain) json["ndcg_gain_over_best_list"] = measure_json(run.ndcg_gain);
  if (run.ndcg_gain_over_fused) json["ndcg_gain_over_fused"] = measure_json(run.ndcg_gain_over_fused);
  if (run.hyde_share) json["hyde_share"] = rounded(run.hyde_share);
  json["stages_ms"] = stages_json(run.stage_times);
  json["by_language"] = by_language_json(run);
  if (run.answers) json["answers"] = answers_json(*run.answers);
  return json;
}

void add_ranking(Table& table, std::string name, const RankingMeasures& ranking, std::string ms) {
  table.add({std::move(name), share_with_interval(ranking.ndcg_at_10), share(ranking.mrr_at_10.mean),
             share(ranking.recall_at_1.mean), share(ranking.recall_at_5.mean), share(ranking.recall_at_10.mean),
             std::move(ms)});
}

// The languages of a run in rows of their own, if there are several.
void add_languages(Table& table, const EvalRun& run) {
  if (run.ranking_by_language.size() < 2) return;
  for (const auto& [language, ranking] : run.ranking_by_language)
    if (ranking.queries >= kMinLanguageQueries)
      add_ranking(table, fmt::format("… {}, {} queries", to_string(language), ranking.queries), ranking, "");
}

std::string rankings_table(const EvalReport& report) {
  Table table({{"run", Table::Align::left},
               {"nDCG@10", Table::Align::left},
               {"MRR@10"},
               {"R@1"},
               {"R@5"},
               {"R@10"},
               {"ms/query", Table::Align::right}});
  for (const EvalRun& run : report.runs) {
    if (!run.skipped.empty()) {
      table.add({run.name, "skipped", "–", "–", "–", "–", "–"});
      continue;
    }
    add_ranking(table, run.name, run.ranking, fmt::format("{:.2f}", run.ms_per_query));
    add_languages(table, run);
  }
  return table.aligned_markdown();
}

std::string with_sign(const Measure& gain) {
  return fmt::format("{:+.4f} ({:+.4f} to {:+.4f})", gain.mean, gain.ci95.low, gain.ci95.high);
}

// What the table has no column for, a line each.
std::string remarks(const EvalReport& report) {
  std::string lines;
  for (const EvalRun& run : report.runs) {
    if (!run.skipped.empty()) lines += fmt::format("- {}: skipped, {}\n", run.name, run.skipped);
    if (run.ndcg_gain && run.name == "fused")
      lines += fmt::format("- fused over the better list, nDCG@10: {}\n", with_sign(*run.ndcg_gain));
    if (run.ndcg_gain_over_fused)
      lines += fmt::format("- {} over fused, nDCG@10: {}\n", run.name, with_sign(*run.ndcg_gain_over_fused));
    if (run.hyde_share)
      lines += fmt::format("- {}: HyDE ran for {:.1f} % of the queries\n", run.name, *run.hyde_share * 100);
  }
  return lines;
}

}  // namespace

std::string report_to_json(const EvalReport& report, int indent) {
  ordered_json json{{"schema_version", 1},
                    {"set", report.set},
                    {"documents", report.documents},
                    {"chunks", report.chunks},
                    {"queries", report.queries},
                    {"runs", ordered_json::array()},
                    {"memory", {{"anon_bytes", report.peak_anon_bytes}}}};
  for (const EvalRun& run : report.runs) json["runs"].push_back(run_json(run));
  return report_text(json, indent);
}

std::string report_to_markdown(const EvalReport& report) {
  std::string out = fmt::format("## {}: {} documents, {} queries\n\n{}\n{}\n", report.set, report.documents,
                                report.queries, rankings_table(report), remarks(report));
  std::vector<std::pair<std::string, std::vector<StageTime>>> times;
  const AnswerQuality* answers = nullptr;
  for (const EvalRun& run : report.runs) {
    if (!run.skipped.empty()) continue;
    // A run with the stages of an earlier one has its times.
    if (std::none_of(times.begin(), times.end(), [&](const auto& shown) { return shown.second == run.stage_times; }))
      times.emplace_back(run.name, run.stage_times);
    if (run.name == "full" && run.answers) answers = &*run.answers;
  }
  if (answers) times.emplace_back("answers, one by one", answers->stage_times);
  out += times_table(times);
  if (answers) out += "\n" + answers_tables(*answers);
  return out;
}

}  // namespace frugal
