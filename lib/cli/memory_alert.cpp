#include "cli/memory_alert.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/units.h"
#include "cli/memory_diff.h"
#include "cli/memory_report.h"

namespace frugal::cli {
namespace {

constexpr std::string_view kAvailable = "available", kPressure = "pressure";

// A gate's limit in its own unit is an alert's: the one is of growth, the other of the figure itself.
std::vector<AlertRule> figure_rules(std::string_view text) {
  std::vector<AlertRule> rules;
  for (const MemoryGate& gate : parse_gates(text)) {
    if (gate.percent)
      throw Error(Code::usage, fmt::format("'{}': an alert's limit is a size or a time, not a share", text))
          .hint("write peak_anon=64MiB, or elapsed=500 for milliseconds");
    rules.push_back({std::string(to_string(gate.metric)), gate.limit});
  }
  return rules;
}

std::string value_text(const std::string& figure, double value) {
  if (figure == kPressure) return fmt::format("{:g}%", value);
  if (figure == kAvailable) return format_bytes(static_cast<uint64_t>(value));
  return format_metric(parse_metrics(figure).front(), value);
}

}  // namespace

std::vector<AlertRule> parse_alert(std::string_view text) {
  const std::string_view figure = text.substr(0, text.find('='));
  if (figure.size() == text.size() || (figure != kAvailable && figure != kPressure)) return figure_rules(text);
  const std::string limit(text.substr(figure.size() + 1));
  // Percent are read as a time is: a plain number.
  const double value = figure == kAvailable ? static_cast<double>(parse_bytes(limit, text))
                                            : parse_gates("elapsed=" + limit).front().limit;
  return {{std::string(figure), value}};
}

std::vector<MemoryAlert> check_alerts(const std::vector<AlertRule>& rules, const StageRecordLine& stage,
                                      uint64_t least_available_bytes, const std::optional<MemoryPressure>& pressure) {
  std::vector<MemoryAlert> alerts;
  for (const AlertRule& rule : rules) {
    std::optional<double> value;
    bool raised = false;
    if (rule.figure == kAvailable) {
      value = static_cast<double>(least_available_bytes);
      raised = *value < rule.limit;
    } else {
      if (rule.figure != kPressure)
        value = stage.value(parse_metrics(rule.figure).front());
      else if (pressure)
        value = pressure->some_avg10;
      raised = value && *value > rule.limit;
    }
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
                     alert.figure == kAvailable ? "below" : "above", value_text(alert.figure, alert.limit));
}

}  // namespace frugal::cli
