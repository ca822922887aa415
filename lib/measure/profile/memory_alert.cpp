#include "measure/profile/memory_alert.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <algorithm>

#include "base/error.h"
#include "base/units.h"
#include "measure/profile/memory_diff.h"
#include "measure/profile/memory_report.h"

namespace frugal {
namespace {

constexpr std::string_view kAvailable = "available", kPressure = "pressure", kHitRate = "hit_rate",
                           kFragmentation = "fragmentation";
// Besides the figures of a stage's record.
constexpr std::string_view kOwnFigures[] = {kAvailable, kPressure, kHitRate, kFragmentation};

bool in_percent(std::string_view figure) {
  return figure == kPressure || figure == kHitRate || figure == kFragmentation;
}

// True for figures with a lower limit.
bool is_least(std::string_view figure) {
  return figure == kAvailable || figure == kHitRate;
}

// Alerts use the syntax of gates with absolute limits: a gate limits growth, an alert the figure itself.
std::vector<AlertRule> figure_rules(std::string_view text) {
  std::vector<AlertRule> rules;
  for (const MemoryGate& gate : parse_gates(text)) {
    if (gate.percent)
      throw Error(Code::usage, fmt::format("'{}': an alert's limit is a size or a time, not a percentage", text))
          .hint("write peak_anon=64MiB, or elapsed=500 for milliseconds");
    rules.push_back({std::string(to_string(gate.metric)), gate.limit});
  }
  return rules;
}

std::string value_text(const std::string& figure, double value) {
  if (in_percent(figure)) return fmt::format("{:.4g}%", value);
  if (figure == kAvailable) return format_bytes(static_cast<uint64_t>(value));
  return format_metric(parse_metrics(figure).front(), value);
}

}  // namespace

std::vector<AlertRule> parse_alert(std::string_view text) {
  const std::string_view figure = text.substr(0, text.find('='));
  const bool own = std::find(std::begin(kOwnFigures), std::end(kOwnFigures), figure) != std::end(kOwnFigures);
  if (!own && find_metrics(figure).empty()) throw unknown_figure(figure, kOwnFigures);
  if (!own || figure.size() == text.size()) return figure_rules(text);
  const std::string limit(text.substr(figure.size() + 1));
  // Percentages are parsed like times: a plain number.
  const double value = figure == kAvailable ? static_cast<double>(parse_bytes(limit, text))
                                            : parse_gates("elapsed=" + limit).front().limit;
  return {{std::string(figure), value}};
}

AlertFigures alert_figures(uint64_t least_available_bytes, const std::optional<MemoryPressure>& pressure,
                           const std::vector<Metric>& metrics) {
  AlertFigures figures;
  figures.least_available_bytes = least_available_bytes;
  if (pressure) figures.pressure = pressure->some_avg10;
  for (const Metric& metric : metrics) {
    if (metric.kind != MetricKind::ratio || metric.whole == 0) continue;
    if (metric.name == "frugal_pager_hit_ratio") figures.hit_rate = 100 * metric.value();
    if (metric.name == "frugal_pool_fragmentation")
      figures.fragmentation = std::max(figures.fragmentation.value_or(0), 100 * metric.value());
  }
  return figures;
}

namespace {

std::optional<double> value_of(const std::string& figure, const StageRecordLine& stage, const AlertFigures& figures) {
  if (figure == kAvailable) return static_cast<double>(figures.least_available_bytes);
  if (figure == kPressure) return figures.pressure;
  if (figure == kHitRate) return figures.hit_rate;
  if (figure == kFragmentation) return figures.fragmentation;
  return stage.value(parse_metrics(figure).front());
}

}  // namespace

std::vector<MemoryAlert> check_alerts(const std::vector<AlertRule>& rules, const StageRecordLine& stage,
                                      const AlertFigures& figures) {
  std::vector<MemoryAlert> alerts;
  for (const AlertRule& rule : rules) {
    const std::optional<double> value = value_of(rule.figure, stage, figures);
    if (!value) continue;
    const bool raised = is_least(rule.figure) ? *value < rule.limit : *value > rule.limit;
    if (raised) alerts.push_back({stage.stage, rule.figure, rule.limit, *value});
  }
  return alerts;
}

nlohmann::ordered_json alert_json(const MemoryAlert& alert) {
  return {{"schema_version", kMemorySchema}, {"event", "alert"},     {"stage", alert.stage},
          {"figure", alert.figure},          {"limit", alert.limit}, {"value", alert.value}};
}

std::string alert_text(const MemoryAlert& alert) {
  return fmt::format("alert: {}: {} is {}, {} {}", alert.stage, alert.figure, value_text(alert.figure, alert.value),
                     is_least(alert.figure) ? "below" : "above", value_text(alert.figure, alert.limit));
}

}  // namespace frugal
