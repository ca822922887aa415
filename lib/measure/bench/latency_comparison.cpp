#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/units.h"
#include "measure/bench/latency_report.h"
#include "measure/report/json.h"

namespace frugal {
namespace {

using Json = nlohmann::ordered_json;

bool ran(const RunSeries* series) {
  return series && !series->wall_ms.empty();
}

std::string median_text(const RunSeries* series) {
  return ran(series) ? fmt::format("{:.1f}", median(series->wall_ms)) : "";
}

std::string memory_text(const RunSeries* series) {
  return ran(series) && series->peak_anon_bytes ? format_bytes(*series->peak_anon_bytes) : "";
}

// The modes of both, in the order of `before`, then those that only `now` has.
std::vector<LatencyMode> modes_of(const LatencyRecord& before, const LatencyRecord& now) {
  std::vector<LatencyMode> modes;
  for (const RunSeries& series : before.series) modes.push_back(series.mode);
  for (const RunSeries& series : now.series)
    if (!find_mode(before.series, series.mode)) modes.push_back(series.mode);
  return modes;
}

}  // namespace

LatencyComparison LatencyComparison::read(const std::string& before, const std::string& now, const GateLimits* limits,
                                          const Tolerance& tolerance) {
  LatencyComparison comparison{before, now, read_latency_record(before), read_latency_record(now), {}};
  Tolerance allowed = tolerance;
  allowed.other_job = limits == nullptr;
  check_comparable(comparison.now, now, comparison.before, before, allowed);
  if (!limits) return comparison;
  check_gate_runs(comparison.before, before);
  check_gate_runs(comparison.now, now);
  comparison.gates = judge_gates(comparison.now.series, comparison.before.series,
                                 noisier(comparison.now.machine, comparison.before.machine), *limits);
  return comparison;
}

Table LatencyComparison::table() const {
  Table table({{"mode"},
               {"before, ms", kRight},
               {"now, ms", kRight},
               {"now ÷ before", kRight},
               {"runs", kRight},
               {"before, peak anon", kRight},
               {"now, peak anon", kRight}});
  for (LatencyMode mode : modes_of(before, now)) {
    const RunSeries* old = find_mode(before.series, mode);
    const RunSeries* fresh = find_mode(now.series, mode);
    std::string ratio, runs;
    if (ran(old) && ran(fresh)) {
      const WallRatio wall = wall_ratio(*fresh, *old, same_job(now, before));
      ratio = ratio_text(wall.ratio);
      runs = fmt::format("{}{}", wall.runs, wall.paired ? "" : ", not paired");
    }
    table.add({std::string(to_string(mode)), median_text(old), median_text(fresh), ratio, runs, memory_text(old),
               memory_text(fresh)});
  }
  return table;
}

std::vector<std::string> LatencyComparison::remarks() const {
  std::vector<std::string> remarks;
  const bool same = same_job(now, before);
  for (const RunSeries& series : now.series) {
    const RunSeries* old = find_mode(before.series, series.mode);
    if (old && same && same_answers(series, *old) == false)
      remarks.push_back(fmt::format("warning: {} did not give the same answers in both", to_string(series.mode)));
    if (!series.failure.empty())
      remarks.push_back(fmt::format("{} in {}: {}", to_string(series.mode), now_name, series.failure));
  }
  if (!same) remarks.emplace_back("warning: other questions or flags: the ratio compares two different jobs");
  return remarks;
}

std::string LatencyComparison::as(std::string_view format) const {
  if (format == "json") return json_document(json());
  if (format == "csv") return table().csv();
  const bool markdown = format == "md";
  const char* line_end = markdown ? "\n\n" : "\n";
  const auto shown = [&](const Table& table) { return markdown ? table.markdown() : table.text(); };
  std::string text = shown(table());
  if (!gates.empty()) text += "\n" + shown(gate_table(gates));
  text += fmt::format("\nbefore: {}{}now: {}{}", before_name, line_end, now_name, line_end);
  for (const std::string& remark : remarks()) text += remark + line_end;
  return text + gate_reasons(gates) + "before, " + machine_text(before.machine) + "now, " + machine_text(now.machine);
}

Json LatencyComparison::json() const {
  Json results = Json::array();
  for (LatencyMode mode : modes_of(before, now)) {
    const RunSeries* old = find_mode(before.series, mode);
    const RunSeries* fresh = find_mode(now.series, mode);
    Json entry = {{"mode", to_string(mode)},
                  {"before_median_ms", ran(old) ? Json(median(old->wall_ms)) : Json(nullptr)},
                  {"now_median_ms", ran(fresh) ? Json(median(fresh->wall_ms)) : Json(nullptr)}};
    const bool both = ran(old) && ran(fresh);
    const WallRatio wall = both ? wall_ratio(*fresh, *old, same_job(now, before)) : WallRatio();
    const auto memory = both ? memory_ratio(*fresh, *old) : std::nullopt;
    const auto same = both && same_job(now, before) ? same_answers(*fresh, *old) : std::nullopt;
    entry["ratio"] = both ? Json(wall.ratio.value) : Json(nullptr);
    entry["low"] = both ? Json(wall.ratio.ci95.low) : Json(nullptr);
    entry["high"] = both ? Json(wall.ratio.ci95.high) : Json(nullptr);
    entry["runs"] = both ? Json(wall.runs) : Json(nullptr);
    entry["paired"] = both ? Json(wall.paired) : Json(nullptr);
    entry["peak_anon_ratio"] = memory ? Json(*memory) : Json(nullptr);
    entry["same_answers"] = same ? Json(*same) : Json(nullptr);
    results.push_back(std::move(entry));
  }
  return {{"schema_version", kLatencySchema},        {"before", before_name}, {"now", now_name},
          {"same_questions", same_job(now, before)}, {"results", results},    {"gates", gates_json(gates)}};
}

}  // namespace frugal
