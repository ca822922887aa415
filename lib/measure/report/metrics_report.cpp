#include "measure/report/metrics_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/output_file.h"
#include "base/units.h"
#include "measure/report/json.h"

namespace frugal {
namespace {

std::string_view kind_name(MetricKind kind) {
  static constexpr std::string_view kNames[] = {"counter", "gauge", "peak", "ratio"};
  return kNames[static_cast<int>(kind)];
}

std::string bytes_of(const Metric& metric) {
  return format_bytes(static_cast<uint64_t>(metric.value()));
}

std::string label(const Metric& metric) {
  return metric.labels.empty() ? std::string() : metric.labels.front().second + " ";
}

void append(std::string& line, const std::string& item) {
  line += (line.empty() ? "" : ", ") + item;
}

}  // namespace

nlohmann::ordered_json metrics_json(const std::vector<Metric>& metrics) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Metric& metric : metrics) {
    nlohmann::ordered_json one = {{"name", metric.name}, {"kind", kind_name(metric.kind)}};
    one["labels"] = nlohmann::ordered_json::object();
    for (const auto& [name, value] : metric.labels) one["labels"][name] = value;
    one["value"] = metric.value();
    if (metric.kind == MetricKind::ratio) {
      one["part"] = metric.part;
      one["whole"] = metric.whole;
    }
    list.push_back(std::move(one));
  }
  return {{"schema_version", 1}, {"metrics", std::move(list)}};
}

void write_metrics(const std::filesystem::path& file) {
  const std::vector<Metric> metrics = metric_registry().collect();
  write_output(file, file.extension() == ".json" ? json_document(metrics_json(metrics)) : prometheus_text(metrics));
}

std::string metrics_summary(const std::vector<Metric>& metrics) {
  std::string held, of, hits;
  for (const Metric& metric : metrics) {
    if (metric.name == "frugal_memory_peak_bytes") append(held, label(metric) + bytes_of(metric));
    if (metric.name == "frugal_budget_limit_bytes") of = " of " + bytes_of(metric);
    if (metric.kind == MetricKind::ratio && metric.whole > 0)
      append(hits, fmt::format("{}{} {:.0f} %", label(metric), metric.name.substr(std::string("frugal_").size()),
                               100 * metric.value()));
  }
  std::string text;
  if (!held.empty()) text += fmt::format("peak     {}{}\n", held, of);
  if (!hits.empty()) text += fmt::format("ratios   {}\n", hits);
  return text;
}

}  // namespace frugal
