#include "measure/eval/figures_report.h"

#include <fmt/format.h>

#include <cmath>
#include <string_view>

#include "base/visible.h"
#include "measure/report/table.h"

namespace frugal {
namespace {

using nlohmann::ordered_json;

// Of the languages that are printed in columns of their own; JSON has all.
constexpr int64_t kMinColumnQuestions = 20;
// Of the curve, the printed coverages: JSON has all.
constexpr std::array kPrintedPercent{100, 99, 98, 97, 96, 95, 94, 93, 92, 91, 90, 80, 70, 60, 50};

ordered_json bins_json(std::span<const ReliabilityBin> bins) {
  ordered_json json = ordered_json::array();
  for (const ReliabilityBin& bin : bins)
    json.push_back({{"answers", bin.answers}, {"confidence", rounded(bin.confidence)}, {"right", rounded(bin.right)}});
  return json;
}

ordered_json calibration_json(const std::optional<Calibration>& calibration) {
  if (!calibration) return nullptr;
  return {{"answers", calibration->answers},
          {"right", calibration->right},
          {"auroc", measure_json(calibration->auroc)},
          {"calibration_error", measure_json(calibration->error)},
          {"bins", bins_json(calibration->bins)}};
}

ordered_json curve_json(std::span<const RiskPoint> curve) {
  ordered_json json = ordered_json::array();
  for (const RiskPoint& point : curve)
    json.push_back({{"threshold", point.threshold},
                    {"coverage", rounded(point.coverage)},
                    {"risk", rounded(point.risk)},
                    {"unanswerable_abstained", rounded(point.unanswerable_abstained)},
                    {"foreign_abstained", rounded(point.foreign_abstained)}});
  return json;
}

ordered_json figures_json(const AnswerFigures& figures) {
  ordered_json questions, abstained;
  for (const auto& [kind, name] : names_of(QuestionKind{})) {
    questions[std::string(name)] = figures.questions[static_cast<size_t>(kind)];
    abstained[std::string(name)] = measure_json(figures.abstained[static_cast<size_t>(kind)]);
  }
  return {{"questions", questions},
          {"exact_match", measure_json(figures.exact_match)},
          {"f1", measure_json(figures.f1)},
          {"quote_holds_answer", measure_json(figures.quote_holds_answer)},
          {"gold_cited", measure_json(figures.gold_cited)},
          {"citation_precision", measure_json(figures.citation_precision)},
          {"quotes_exact", measure_json(figures.quotes_exact)},
          {"abstained", abstained},
          {"confidence",
           {{"answerable", calibration_json(figures.answerable_confidence)},
            {"all", calibration_json(figures.confidence)}}},
          {"curve", curve_json(figures.curve)}};
}

// A figure of answers that is printed as a row.
struct FigureRow {
  std::string_view name;
  std::optional<Measure> (*of)(const AnswerFigures& figures);
};

std::optional<Measure> auroc_of(const std::optional<Calibration>& calibration) {
  return calibration ? calibration->auroc : std::nullopt;
}
std::optional<Measure> error_of(const std::optional<Calibration>& calibration) {
  return calibration ? std::optional(calibration->error) : std::nullopt;
}

constexpr std::array<FigureRow, 13> kFigureRows{{
    {"exact match", [](const AnswerFigures& f) { return f.exact_match; }},
    {"F1", [](const AnswerFigures& f) { return f.f1; }},
    {"quote holds the answer", [](const AnswerFigures& f) { return f.quote_holds_answer; }},
    {"gold passage cited", [](const AnswerFigures& f) { return f.gold_cited; }},
    {"citation precision", [](const AnswerFigures& f) { return f.citation_precision; }},
    {"quotes exact", [](const AnswerFigures& f) { return f.quotes_exact; }},
    {"abstained: answerable", [](const AnswerFigures& f) { return f.abstained[0]; }},
    {"abstained: unanswerable", [](const AnswerFigures& f) { return f.abstained[1]; }},
    {"abstained: foreign", [](const AnswerFigures& f) { return f.abstained[2]; }},
    {"AUROC, answerable", [](const AnswerFigures& f) { return auroc_of(f.answerable_confidence); }},
    {"AUROC, all", [](const AnswerFigures& f) { return auroc_of(f.confidence); }},
    {"calibration error, answerable", [](const AnswerFigures& f) { return error_of(f.answerable_confidence); }},
    {"calibration error, all", [](const AnswerFigures& f) { return error_of(f.confidence); }},
}};

int64_t questions_of(const AnswerFigures& figures) {
  return figures.questions[0] + figures.questions[1] + figures.questions[2];
}

std::string figures_table(const AnswerQuality& answers) {
  std::vector<Table::Column> columns{{"answers", Table::Align::left}, {"all", Table::Align::left}};
  std::vector<const AnswerFigures*> shown{&answers.all};
  for (const auto& [language, figures] : answers.by_language) {
    if (answers.by_language.size() == 1 || questions_of(figures) < kMinColumnQuestions) continue;
    columns.push_back({std::string(to_string(language)), Table::Align::left});
    shown.push_back(&figures);
  }
  Table table(std::move(columns));
  for (const auto& [kind, name] : names_of(QuestionKind{})) {
    if (answers.all.questions[static_cast<size_t>(kind)] == 0) continue;
    std::vector<std::string> cells{fmt::format("questions: {}", name)};
    for (const AnswerFigures* figures : shown)
      cells.push_back(std::to_string(figures->questions[static_cast<size_t>(kind)]));
    table.add(std::move(cells));
  }
  for (const FigureRow& row : kFigureRows) {
    if (!row.of(answers.all)) continue;
    std::vector<std::string> cells{std::string(row.name)};
    for (const AnswerFigures* figures : shown) cells.push_back(share_with_interval(row.of(*figures)));
    table.add(std::move(cells));
  }
  return table.aligned_markdown();
}

std::string curve_table(std::span<const RiskPoint> curve) {
  Table table(
      {{"answered"}, {"confidence from"}, {"of them wrong"}, {"unanswerable abstained"}, {"foreign abstained"}});
  for (auto percent = kPrintedPercent.begin(); const RiskPoint& point : curve) {
    // The first point at or below each printed coverage.
    if (percent == kPrintedPercent.end()) break;
    if (point.coverage * 100 > *percent + 0.5) continue;
    while (percent != kPrintedPercent.end() && point.coverage * 100 <= *percent + 0.5) ++percent;
    table.add({fmt::format("{:.3f}", point.coverage), fmt::format("{:.4f}", point.threshold),
               fmt::format("{:.3f}", point.risk), share(point.unanswerable_abstained), share(point.foreign_abstained)});
  }
  return table.aligned_markdown();
}

}  // namespace

ordered_json rounded(double value) {
  return std::round(value * 1e5) / 1e5;
}
ordered_json rounded(const std::optional<double>& value) {
  return value ? rounded(*value) : ordered_json(nullptr);
}
ordered_json interval_json(const Measure& measure) {
  return {rounded(measure.ci95.low), rounded(measure.ci95.high)};
}
ordered_json measure_json(const std::optional<Measure>& measure) {
  if (!measure) return nullptr;
  return {{"mean", rounded(measure->mean)}, {"ci95", interval_json(*measure)}};
}

ordered_json stages_json(std::span<const StageTime> times) {
  ordered_json json;
  for (const std::string_view stage : timed_stages()) json[std::string(stage)] = nullptr;
  for (const StageTime& time : times)
    json[std::string(time.stage)] = {
        {"mean", rounded(time.mean)}, {"p50", rounded(time.p50)}, {"p95", rounded(time.p95)}};
  return json;
}

ordered_json answers_json(const AnswerQuality& answers) {
  ordered_json json = figures_json(answers.all);
  json["by_language"] = ordered_json::object();
  for (const auto& [language, figures] : answers.by_language)
    json["by_language"][std::string(to_string(language))] = figures_json(figures);
  json["stages_ms"] = stages_json(answers.stage_times);
  return json;
}

std::string report_text(const ordered_json& json, int indent) {
  return visible_json(json.dump(indent, ' ', false, ordered_json::error_handler_t::replace));
}

std::string share(const std::optional<double>& value) {
  return value ? fmt::format("{:.3f}", *value) : "–";
}

std::string share_with_interval(const std::optional<Measure>& measure) {
  if (!measure) return "–";
  return fmt::format("{:.3f} ({:.3f}–{:.3f})", measure->mean, measure->ci95.low, measure->ci95.high);
}

std::string times_table(std::span<const std::pair<std::string, std::vector<StageTime>>> rows) {
  Table table({{"ms of", Table::Align::left},
               {"stage", Table::Align::left},
               {"mean", Table::Align::right},
               {"p50", Table::Align::right},
               {"p95", Table::Align::right}});
  for (const auto& [name, times] : rows)
    for (const StageTime& time : times)
      table.add({&time == &times.front() ? name : "", std::string(time.stage), fmt::format("{:.2f}", time.mean),
                 fmt::format("{:.2f}", time.p50), fmt::format("{:.2f}", time.p95)});
  return table.aligned_markdown();
}

std::string answers_tables(const AnswerQuality& answers) {
  std::string tables = figures_table(answers);
  if (!answers.all.curve.empty()) tables += "\n" + curve_table(answers.all.curve);
  return tables;
}

}  // namespace frugal
