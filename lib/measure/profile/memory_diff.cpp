#include "measure/profile/memory_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/units.h"
#include "measure/profile/memory_report.h"
#include "measure/report/table.h"

namespace frugal {
namespace {

using Json = nlohmann::ordered_json;

// Figures shown by default, gated or not.
constexpr MemoryMetric kShown[] = {MemoryMetric::peak_anon, MemoryMetric::held_anon, MemoryMetric::peak_pss,
                                   MemoryMetric::elapsed};

double parse_number(const std::string& text, std::string_view gate) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(value) || value < 0)
    throw Error(Code::usage, fmt::format("'{}' is not a limit", gate)).hint("write anon=5% or peak_anon=2MiB");
  return value;
}

const StageRecordLine* find_stage(const std::vector<StageRecordLine>& records, const std::string& stage) {
  const auto found = std::find_if(records.begin(), records.end(), [&](const auto& r) { return r.stage == stage; });
  return found == records.end() ? nullptr : &*found;
}

bool exceeds(const MemoryGate& gate, const MetricChange& change, uint64_t ignore_below) {
  const double grown = *change.change();
  if (grown <= 0 || (in_bytes(gate.metric) && grown <= static_cast<double>(ignore_below))) return false;
  return grown > (gate.percent ? *change.before * gate.limit / 100 : gate.limit);
}

MetricChange compare_metric(MemoryMetric metric, const StageRecordLine& before, const StageRecordLine& now,
                            const std::vector<MemoryGate>& gates, uint64_t ignore_below) {
  MetricChange change;
  change.metric = metric;
  change.before = before.value(metric);
  change.now = now.value(metric);
  for (const MemoryGate& gate : gates) {
    if (gate.metric != metric || !change.change()) continue;
    change.gated = true;
    change.failed = change.failed || exceeds(gate, change, ignore_below);
  }
  return change;
}

// A gate on a figure that neither file has would always pass.
void check_gates_apply(const MemoryDiff& diff) {
  std::set<MemoryMetric> compared;
  for (const StageChange& stage : diff.stages)
    for (const MetricChange& change : stage.metrics)
      if (change.gated) compared.insert(change.metric);
  std::set<std::string> applied;
  for (const MemoryGate& gate : diff.gates)
    if (compared.count(gate.metric)) applied.insert(gate.requested);
  for (const MemoryGate& gate : diff.gates)
    if (!applied.count(gate.requested))
      throw Error(Code::bad_input,
                  fmt::format("no stage has {} in both profiles, so it cannot be compared", gate.requested))
          .hint("compare two profiles of the same pipeline or command, or gate another figure");
}

std::string limit_text(const MemoryGate& gate) {
  return gate.percent ? fmt::format("{:g}%", gate.limit) : format_metric(gate.metric, gate.limit);
}

std::string metric_text(MemoryMetric metric, std::optional<double> value) {
  return value ? format_metric(metric, *value) : "?";
}

std::string change_text(const MetricChange& change) {
  const std::optional<double> by = change.change();
  if (!by) return "?";
  const std::string sign = *by < 0 ? "-" : "+";
  const std::string amount = sign + format_metric(change.metric, std::abs(*by));
  const std::optional<double> percent = change.change_percent();
  return percent ? fmt::format("{} ({:+.1f}%)", amount, *percent) : amount;
}

bool shown(const MetricChange& change) {
  return change.gated ||
         (change.change() && std::find(std::begin(kShown), std::end(kShown), change.metric) != std::end(kShown));
}

Json change_json(const MetricChange& change) {
  const auto or_null = [](std::optional<double> value) { return value ? Json(*value) : Json(nullptr); };
  return {{"before", or_null(change.before)},
          {"now", or_null(change.now)},
          {"change", or_null(change.change())},
          {"change_percent", or_null(change.change_percent())},
          {"gated", change.gated},
          {"failed", change.failed}};
}

}  // namespace

std::vector<MemoryGate> parse_gates(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos)
    throw Error(Code::usage, fmt::format("'{}' is not a gate", text))
        .hint("write a figure and its limit, like anon=5%");
  std::string limit(text.substr(equals + 1));
  std::vector<MemoryGate> gates;
  for (const MemoryMetric metric : parse_metrics(text.substr(0, equals))) {
    MemoryGate gate{std::string(text.substr(0, equals)), metric, 0, limit.ends_with('%')};
    if (gate.percent)
      gate.limit = parse_number(limit.substr(0, limit.size() - 1), text);
    else
      gate.limit = in_bytes(metric) ? static_cast<double>(parse_bytes(limit, text)) : parse_number(limit, text);
    gates.push_back(gate);
  }
  return gates;
}

std::optional<double> MetricChange::change() const {
  return before && now ? std::optional(*now - *before) : std::nullopt;
}

std::optional<double> MetricChange::change_percent() const {
  return change() && *before > 0 ? std::optional(100 * *change() / *before) : std::nullopt;
}

bool MemoryDiff::passed() const {
  return gates.empty() || std::all_of(stages.begin(), stages.end(), [](const StageChange& stage) {
           return stage.in_before && stage.in_now &&
                  std::none_of(stage.metrics.begin(), stage.metrics.end(), [](const auto& m) { return m.failed; });
         });
}

MemoryDiff compare_memory(const std::vector<StageRecordLine>& before, const std::vector<StageRecordLine>& now,
                          const std::vector<MemoryGate>& gates, uint64_t ignore_below) {
  MemoryDiff diff{gates, {}};
  for (const StageRecordLine& record : now) {
    const StageRecordLine* older = find_stage(before, record.stage);
    StageChange stage{record.stage, older != nullptr, true, {}};
    for (int i = 0; older && i < kMemoryMetrics; ++i)
      stage.metrics.push_back(compare_metric(static_cast<MemoryMetric>(i), *older, record, gates, ignore_below));
    diff.stages.push_back(std::move(stage));
  }
  for (const StageRecordLine& record : before)
    if (!find_stage(now, record.stage)) diff.stages.push_back({record.stage, true, false, {}});
  check_gates_apply(diff);
  return diff;
}

Json diff_json(const MemoryDiff& diff) {
  Json json = {{"schema_version", kMemorySchema},
               {"passed", diff.passed()},
               {"gates", Json::array()},
               {"stages", Json::array()}};
  for (const MemoryGate& gate : diff.gates)
    json["gates"].push_back(
        {{"figure", to_string(gate.metric)}, {gate.percent ? "limit_percent" : "limit", gate.limit}});
  for (const StageChange& stage : diff.stages) {
    Json row = {{"stage", stage.stage}, {"only_in", nullptr}, {"figures", Json::object()}};
    if (!stage.in_before) row["only_in"] = "now";
    if (!stage.in_now) row["only_in"] = "before";
    for (const MetricChange& change : stage.metrics)
      row["figures"][std::string(to_string(change.metric))] = change_json(change);
    json["stages"].push_back(std::move(row));
  }
  return json;
}

std::string diff_text(const MemoryDiff& diff) {
  constexpr auto right = Table::Align::right;
  Table table({{"stage"}, {"figure"}, {"before", right}, {"now", right}, {"change", right}, {"gate"}});
  for (const StageChange& stage : diff.stages) {
    if (stage.metrics.empty())
      table.add({stage.stage, stage.in_now ? "only in the second" : "only in the first", "", "", "",
                 diff.gates.empty() ? "" : "FAILED"});
    for (const MetricChange& change : stage.metrics)
      if (shown(change))
        table.add({stage.stage, std::string(to_string(change.metric)), metric_text(change.metric, change.before),
                   metric_text(change.metric, change.now), change_text(change),
                   change.failed  ? "FAILED"
                   : change.gated ? "ok"
                                  : ""});
  }
  std::string text = table.text();
  if (diff.gates.empty()) return text;
  text += "\n";
  for (const MemoryGate& gate : diff.gates)
    text += fmt::format("{} may grow by {}\n", to_string(gate.metric), limit_text(gate));
  return text + (diff.passed() ? "passed\n" : "FAILED\n");
}

}  // namespace frugal
