// Formats an evaluation: JSON for programs, a Markdown table for people.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/visible.h"
#include "measure/eval/evaluation.h"

namespace frugal {
namespace {

using nlohmann::ordered_json;

ordered_json rounded(double value) {
  return std::round(value * 1e5) / 1e5;
}
ordered_json rounded(const std::optional<double>& value) {
  return value ? rounded(*value) : ordered_json(nullptr);
}
ordered_json interval(const Measure& m) {
  return {rounded(m.ci95.low), rounded(m.ci95.high)};
}

ordered_json skipped_json(const EvalRun& run) {
  ordered_json json{{"run", run.name}, {"skipped", run.skipped}};
  for (const char* key : {"ndcg_at_10", "mrr_at_10", "recall_at_1", "recall_at_5", "recall_at_10", "ci95",
                          "exact_match", "f1", "ms_per_query"})
    json[key] = nullptr;
  return json;
}

ordered_json run_json(const EvalRun& run) {
  if (!run.skipped.empty()) return skipped_json(run);
  ordered_json json{{"run", run.name},
                    {"ndcg_at_10", rounded(run.ndcg_at_10.mean)},
                    {"mrr_at_10", rounded(run.mrr_at_10.mean)},
                    {"recall_at_1", rounded(run.recall_at_1.mean)},
                    {"recall_at_5", rounded(run.recall_at_5.mean)},
                    {"recall_at_10", rounded(run.recall_at_10.mean)},
                    {"ci95",
                     {{"ndcg_at_10", interval(run.ndcg_at_10)},
                      {"mrr_at_10", interval(run.mrr_at_10)},
                      {"recall_at_1", interval(run.recall_at_1)},
                      {"recall_at_5", interval(run.recall_at_5)},
                      {"recall_at_10", interval(run.recall_at_10)}}},
                    {"exact_match", rounded(run.answers.exact_match)},
                    {"f1", rounded(run.answers.f1)},
                    {"answer_contained", rounded(run.answers.answer_contained)},
                    {"false_abstention", rounded(run.answers.false_abstention)},
                    {"true_abstention", rounded(run.answers.true_abstention)},
                    {"ms_per_query", rounded(run.ms_per_query)}};
  if (run.ndcg_gain)
    json["ndcg_gain_over_best_list"] = {{"mean", rounded(run.ndcg_gain->mean)}, {"ci95", interval(*run.ndcg_gain)}};
  return json;
}

std::string share(const std::optional<double>& value) {
  return value ? fmt::format("{:.3f}", *value) : "–";
}
std::string cell(const Measure& m) {
  return fmt::format("{:.3f} ({:.3f}–{:.3f})", m.mean, m.ci95.low, m.ci95.high);
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
  return visible_json(json.dump(indent, ' ', false, ordered_json::error_handler_t::replace));
}

std::string report_to_markdown(const EvalReport& report) {
  std::string out = fmt::format("## {}: {} documents, {} queries\n\n", report.set, report.documents, report.queries);
  out += "| run | nDCG@10 | MRR@10 | R@1 | R@5 | R@10 | ms/query |\n|---|---|---|---|---|---|---:|\n";
  for (const EvalRun& run : report.runs) {
    if (!run.skipped.empty()) {
      out += fmt::format("| {} | – | – | – | – | – | {} |\n", run.name, run.skipped);
      continue;
    }
    out +=
        fmt::format("| {} | {} | {} | {} | {} | {} | {:.2f} |\n", run.name, cell(run.ndcg_at_10), cell(run.mrr_at_10),
                    cell(run.recall_at_1), cell(run.recall_at_5), cell(run.recall_at_10), run.ms_per_query);
  }
  for (const EvalRun& run : report.runs) {
    if (run.ndcg_gain && run.name == "fused")
      out += fmt::format("\ngain of fused over the better list, nDCG@10: {:+.4f} ({:+.4f} to {:+.4f})\n",
                         run.ndcg_gain->mean, run.ndcg_gain->ci95.low, run.ndcg_gain->ci95.high);
    if (run.name == "full" && run.answers.false_abstention)
      out += fmt::format("answers: EM {}, F1 {}, answer contained {}; abstained {}, on foreign questions {}\n",
                         share(run.answers.exact_match), share(run.answers.f1), share(run.answers.answer_contained),
                         share(run.answers.false_abstention), share(run.answers.true_abstention));
  }
  return out;
}

}  // namespace frugal
