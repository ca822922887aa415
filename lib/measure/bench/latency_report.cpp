#include "measure/bench/latency_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/units.h"
#include "measure/bench/bench_environment.h"
#include "measure/report/json.h"

namespace frugal {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

Json proof_json(const std::optional<ColdProof>& proof) {
  if (!proof) return nullptr;
  return {{"dropped_bytes", proof->dropped_bytes},
          {"still_cached_bytes", proof->still_cached_bytes},
          {"still_cached", proof->still_cached}};
}

Json failure_json(const std::optional<LatencyFailure>& failure) {
  if (!failure) return nullptr;
  return {{"message", failure->message}, {"hint", text_or_null(failure->hint)}, {"after_runs", failure->after_runs}};
}

struct RawSamples {
  Json times = Json::array(), exit_codes = Json::array(), questions = Json::array();
};

RawSamples raw_samples(const LatencyRow& row) {
  RawSamples raw;
  for (const LatencySample& sample : row.samples) {
    raw.times.push_back(sample.wall_ms / 1e3);
    raw.exit_codes.push_back(sample.exit_code);
    raw.questions.push_back(sample.question);
  }
  return raw;
}

// A row without runs has nulls in place of figures.
Json row_json(const LatencyRow& row, const std::vector<std::string>& command) {
  const RawSamples raw = raw_samples(row);
  const std::optional<LatencySummary> summary = row.samples.empty() ? std::nullopt : std::optional(summarize(row));
  const auto figure = [&](auto read) { return summary ? Json(read(summary->wall_ms)) : Json(nullptr); };
  return {{"command", fmt::format("{} [{}]", fmt::join(command, " "), to_string(row.mode))},
          {"mean", figure([](const Summary& wall) { return wall.mean / 1e3; })},
          {"stddev", figure([](const Summary& wall) { return wall.stddev / 1e3; })},
          {"median", figure([](const Summary& wall) { return wall.median / 1e3; })},
          {"user", nullptr},
          {"system", nullptr},
          {"min", figure([](const Summary& wall) { return wall.min / 1e3; })},
          {"max", figure([](const Summary& wall) { return wall.max / 1e3; })},
          {"times", raw.times},
          {"exit_codes", raw.exit_codes},
          {"mode", to_string(row.mode)},
          {"side", to_string(row.side)},
          {"runs", row.samples.size()},
          {"questions", raw.questions},
          {"median_ms", figure([](const Summary& wall) { return wall.median; })},
          {"median_ci95_ms", figure([](const Summary& wall) {
             return Json{wall.median_ci95.low, wall.median_ci95.high};
           })},
          {"p95_ms", figure([](const Summary& wall) { return wall.p95; })},
          {"p99_ms", figure([](const Summary& wall) { return wall.p99; })},
          {"outliers", figure([](const Summary& wall) { return wall.outliers; })},
          {"stages_ms", summary ? Json(summary->stages_ms) : Json(nullptr)},
          {"stages_sum_ms", summary ? Json(summary->stages_wall_ms) : Json(nullptr)},
          {"peak_anon_bytes", summary ? or_null(summary->peak_anon_bytes) : Json(nullptr)},
          {"pss_bytes", summary ? or_null(summary->pss_bytes) : Json(nullptr)},
          {"answers_sha256", summary ? text_or_null(summary->answers) : Json(nullptr)},
          {"page_cache", proof_json(row.cold_proof)},
          {"failure", failure_json(row.failure)}};
}

Json ratio_json(const WallRatio& wall) {
  return {{"ratio", wall.ratio.value},
          {"low", wall.ratio.ci95.low},
          {"high", wall.ratio.ci95.high},
          {"runs", wall.runs},
          {"paired", wall.paired}};
}

// The ratios of each mode to each other mode of the same rag-query, and to itself of the other rag-query.
bool comparable(const LatencyRow& row, const LatencyRow& by) {
  if (&row == &by || row.samples.empty() || by.samples.empty()) return false;
  if (row.side == Side::measured && by.side == Side::measured) return true;
  return row.side == Side::measured && by.side == Side::against && row.mode == by.mode;
}

Json ratios_json(const std::vector<LatencyRow>& rows) {
  Json ratios = Json::array();
  for (const LatencyRow& row : rows)
    for (const LatencyRow& by : rows) {
      if (!comparable(row, by)) continue;
      const RunSeries now = series_of(row), before = series_of(by);
      Json entry = {{"mode", to_string(row.mode)}, {"by_mode", to_string(by.mode)}, {"by_side", to_string(by.side)}};
      entry.update(ratio_json(wall_ratio(now, before)));
      entry["peak_anon_ratio"] = or_null(memory_ratio(now, before));
      entry["same_answers"] = or_null(same_answers(now, before));
      ratios.push_back(std::move(entry));
    }
  return ratios;
}

Json machine_json(const std::optional<MachineJudgement>& machine) {
  if (!machine)
    return {{"mode", nullptr},    {"aa_ratio", nullptr}, {"aa_low", nullptr},
            {"aa_high", nullptr}, {"runs", nullptr},     {"verdict", nullptr}};
  return {{"mode", to_string(machine->mode)},
          {"aa_ratio", machine->itself.ratio.value},
          {"aa_low", machine->itself.ratio.ci95.low},
          {"aa_high", machine->itself.ratio.ci95.high},
          {"runs", machine->itself.runs},
          {"verdict", machine->verdict()}};
}

std::string size(std::optional<uint64_t> bytes) {
  return bytes ? format_bytes(*bytes) : "?";
}

std::string ms(double value) {
  return fmt::format("{:.1f}", value);
}

Table latency_table(const std::vector<LatencyResult>& results) {
  Table table({{"mode"},
               {"runs", kRight},
               {"median ms", kRight},
               {"95 % interval", kRight},
               {"p95", kRight},
               {"p99", kRight},
               {"min", kRight},
               {"max", kRight},
               {"peak anon", kRight},
               {"pss", kRight},
               {"answers"}});
  for (const LatencyResult& result : results) {
    const LatencySummary& summary = result.summary;
    const Summary& wall = summary.wall_ms;
    table.add({result.name(), fmt::format("{}", wall.count), ms(wall.median),
               fmt::format("{:.1f}–{:.1f}", wall.median_ci95.low, wall.median_ci95.high), ms(wall.p95), ms(wall.p99),
               ms(wall.min), ms(wall.max), size(summary.peak_anon_bytes), size(summary.pss_bytes),
               summary.answers.empty() ? "vary" : summary.answers.substr(0, 12)});
  }
  return table;
}

// Rows divided by columns.
Table ratio_table(const std::vector<LatencyResult>& results) {
  std::vector<Table::Column> columns = {{"time ÷"}};
  for (const LatencyResult& by : results) columns.push_back({by.name(), kRight});
  Table table(columns);
  for (const LatencyResult& result : results) {
    if (result.row->side != Side::measured) continue;
    std::vector<std::string> cells = {result.name()};
    for (const LatencyResult& by : results)
      cells.push_back(comparable(*result.row, *by.row)
                          ? ratio_text(wall_ratio(series_of(*result.row), series_of(*by.row)).ratio)
                          : "");
    table.add(cells);
  }
  return table;
}

Table stage_table(const std::vector<LatencyResult>& results) {
  std::vector<Table::Column> columns = {{"stage, ms"}};
  std::set<std::string> names;
  for (const LatencyResult& result : results) {
    columns.push_back({result.name(), kRight});
    for (const auto& [name, value] : result.summary.stages_ms) names.insert(name);
  }
  Table table(columns);
  for (const std::string& name : names) {
    std::vector<std::string> cells = {name};
    for (const LatencyResult& result : results) {
      const auto found = result.summary.stages_ms.find(name);
      cells.push_back(found == result.summary.stages_ms.end() ? "" : fmt::format("{:.2f}", found->second));
    }
    table.add(cells);
  }
  std::vector<std::string> sums = {"sum"};
  for (const LatencyResult& result : results) sums.push_back(fmt::format("{:.2f}", result.summary.stages_wall_ms));
  table.add(sums);
  return table;
}

std::string name_of(const LatencyRow& row) {
  return fmt::format("{}{}", to_string(row.mode),
                     row.side == Side::measured ? "" : fmt::format(", {}", to_string(row.side)));
}

std::vector<std::string> failures_of(const std::vector<LatencyRow>& rows) {
  std::vector<std::string> lines;
  for (const LatencyRow& row : rows) {
    if (!row.failure) continue;
    const std::string when = row.failure->after_runs == 0
                                 ? std::string("unavailable")
                                 : fmt::format("stopped after {} runs", row.failure->after_runs);
    lines.push_back(fmt::format("{}: {}: {}", name_of(row), when, row.failure->message));
    if (!row.failure->hint.empty()) lines.push_back("  hint: " + row.failure->hint);
  }
  return lines;
}

std::string lines(const std::vector<std::string>& all) {
  std::string text;
  for (const std::string& line : all) text += line + "\n";
  return text;
}

// In Markdown each line is a paragraph of its own, or they would run together.
std::string paragraphs(std::string text, bool markdown) {
  if (!markdown) return text;
  std::string spaced;
  for (char c : text) spaced += c == '\n' ? "\n\n" : std::string(1, c);
  return spaced;
}

std::string table_text(const Table& table, bool markdown) {
  return markdown ? table.markdown() : table.text();
}

}  // namespace

std::string ratio_text(const Ratio& ratio) {
  return fmt::format("{:.3g} ({:.3g}–{:.3g})", ratio.value, ratio.ci95.low, ratio.ci95.high);
}

std::string machine_text(const std::optional<MachineJudgement>& machine) {
  if (!machine) return fmt::format("machine: not judged, {} runs against itself are needed\n", kMinGateRuns);
  std::string verdict(machine->verdict());
  if (machine->noisy())
    verdict += fmt::format(", more than {:.0f} % from 1: no time taken here can be judged", 100 * kNoisyFrom);
  else if (machine->busy())
    verdict += fmt::format(", other programs used {:.0f} % of its processors: compare only programs that run in turns",
                           *machine->others_percent);
  return fmt::format("machine: {} against itself {} in {} runs: {}\n", to_string(machine->mode),
                     ratio_text(machine->itself.ratio), machine->itself.runs, verdict);
}

Table gate_table(const std::vector<Gate>& gates) {
  Table table({{"gate"}, {"ratio", kRight}, {"limit", kRight}, {"runs", kRight}, {"verdict"}});
  for (const Gate& gate : gates) {
    std::string ratio = "?";
    if (gate.ratio) ratio = gate.ci95 ? ratio_text({*gate.ratio, *gate.ci95}) : fmt::format("{:.3g}", *gate.ratio);
    table.add({fmt::format("{} {}", to_string(gate.mode), to_string(gate.metric)), ratio,
               fmt::format("{:g}", gate.max_ratio), fmt::format("{}", gate.runs),
               std::string(to_string(gate.verdict))});
  }
  return table;
}

std::string gate_reasons(const std::vector<Gate>& gates) {
  std::string text;
  for (const Gate& gate : gates)
    text += fmt::format("{} {}: {}: {}\n", to_string(gate.mode), to_string(gate.metric), to_string(gate.verdict),
                        gate.reason);
  return text;
}

Json gates_json(const std::vector<Gate>& gates) {
  Json all = Json::array();
  for (const Gate& gate : gates)
    all.push_back({{"mode", to_string(gate.mode)},
                   {"metric", to_string(gate.metric)},
                   {"ratio", or_null(gate.ratio)},
                   {"low", gate.ci95 ? Json(gate.ci95->low) : Json(nullptr)},
                   {"high", gate.ci95 ? Json(gate.ci95->high) : Json(nullptr)},
                   {"max_ratio", gate.max_ratio},
                   {"runs", gate.runs},
                   {"verdict", to_string(gate.verdict)},
                   {"reason", gate.reason}});
  return all;
}

std::string LatencyResult::name() const {
  return name_of(*row);
}

LatencyReport::LatencyReport(const LatencyOptions& options, std::vector<std::string> flags, Environment environment)
    : command(options.command), against(options.against), warmup_runs(options.warmup_runs), seed(options.seed) {
  record.flags = std::move(flags);
  record.questions = static_cast<int64_t>(options.questions.size());
  record.questions_sha256 = questions_sha256(options.questions);
  record.environment = std::move(environment);
}

void LatencyReport::take(std::vector<LatencyRow> measured, std::optional<CpuShare::Percent> load_meanwhile) {
  rows = std::move(measured);
  load = load_meanwhile;
  record.machine = judge_machine(rows, load ? std::optional(load->others) : std::nullopt);
}

std::vector<LatencyResult> LatencyReport::results() const {
  std::vector<LatencyResult> results;
  for (const LatencyRow& row : rows)
    if (!row.samples.empty() && row.side != Side::itself) results.push_back({&row, summarize(row)});
  return results;
}

std::vector<std::string> LatencyReport::remarks() const {
  std::vector<std::string> remarks = failures_of(rows);
  std::optional<RunSeries> first;
  for (const LatencyResult& result : results()) {
    const RunSeries series = series_of(*result.row);
    if (first && same_answers(series, *first) == false)
      remarks.push_back(
          fmt::format("warning: {} and {} did not give the same answers", to_string(first->mode), result.name()));
    if (!first) first = series;
    if (result.summary.answers.empty())
      remarks.push_back(fmt::format("warning: {} answered the same question in different ways", result.name()));
    if (!result.summary.wall_ms.outliers.empty())
      remarks.push_back(fmt::format("{}: {} outliers (kept)", result.name(), result.summary.wall_ms.outliers.size()));
    if (const auto& proof = result.row->cold_proof)
      remarks.push_back(fmt::format(
          "{}: {} dropped from the page cache; {} of {} libraries stayed, other processes map them", result.name(),
          format_bytes(proof->dropped_bytes), format_bytes(proof->still_cached_bytes), proof->still_cached.size()));
  }
  return remarks;
}

std::string LatencyReport::as(std::string_view format) const {
  if (format == "json") return json_document(json());
  const std::vector<LatencyResult> all = results();
  if (format == "csv") return latency_table(all).csv();
  const bool markdown = format == "md";
  std::string text = table_text(latency_table(all), markdown);
  if (all.size() > 1) text += "\n" + table_text(ratio_table(all), markdown);
  text += "\n" + table_text(stage_table(all), markdown);
  if (!gates.empty()) text += "\n" + table_text(gate_table(gates), markdown);
  return text + "\n" +
         paragraphs(gate_reasons(gates) + lines(remarks()) + machine_text(record.machine) +
                        environment_text(record.environment, load),
                    markdown);
}

Json LatencyReport::json() const {
  Json results = Json::array();
  for (const LatencyRow& row : rows) results.push_back(row_json(row, row.side == Side::against ? against : command));
  return {{"schema_version", kLatencySchema},
          {"flags", record.flags},
          {"questions", {{"count", record.questions}, {"sha256", record.questions_sha256}}},
          {"warmup_runs", warmup_runs},
          {"seed", seed},
          {"environment", environment_json(record.environment, load)},
          {"machine", machine_json(record.machine)},
          {"results", results},
          {"ratios", ratios_json(rows)},
          {"gates", gates_json(gates)}};
}

int LatencyReport::exit_code(bool strict) const {
  if (gates_exit_code(gates, strict) != 0) return 1;
  // A failure of the other rag-query is not this one's.
  return std::any_of(rows.begin(), rows.end(), [&](const LatencyRow& row) {
    return row.failure && (strict || (row.failure->after_runs > 0 && row.side != Side::against));
  });
}

}  // namespace frugal
