#include "telemetry/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

namespace frugal {
namespace {

std::string_view type_name(MetricKind kind) {
  return kind == MetricKind::counter ? "counter" : "gauge";
}

// Backslash, quote and newline are what the format escapes.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\' || c == '"') result += '\\';
    if (c == '\n')
      result += "\\n";
    else
      result += c;
  }
  return result;
}

std::string label_text(const MetricLabels& labels) {
  std::string text;
  for (const auto& [name, value] : labels)
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "{" : ",", name, escaped(value));
  return text.empty() ? text : text + "}";
}

}  // namespace

double Metric::value() const {
  if (kind != MetricKind::ratio) return part;
  return whole == 0 ? 0 : part / whole;
}

void MetricSink::add(Metric metric) {
  const auto [at, is_new] = metrics_.try_emplace({metric.name, metric.labels}, metric);
  if (is_new) return;
  Metric& sum = at->second;
  sum.part = metric.kind == MetricKind::peak ? std::max(sum.part, metric.part) : sum.part + metric.part;
  sum.whole += metric.whole;
}

void MetricSink::counter(std::string name, std::string help, double value, MetricLabels labels) {
  add({std::move(name), std::move(help), std::move(labels), MetricKind::counter, value, 1});
}

void MetricSink::gauge(std::string name, std::string help, double value, MetricLabels labels) {
  add({std::move(name), std::move(help), std::move(labels), MetricKind::gauge, value, 1});
}

void MetricSink::peak(std::string name, std::string help, double value, MetricLabels labels) {
  add({std::move(name), std::move(help), std::move(labels), MetricKind::peak, value, 1});
}

void MetricSink::ratio(std::string name, std::string help, double part, double whole, MetricLabels labels) {
  add({std::move(name), std::move(help), std::move(labels), MetricKind::ratio, part, whole});
}

std::vector<Metric> MetricSink::metrics() const {
  std::vector<Metric> result;
  for (const auto& [key, metric] : metrics_) result.push_back(metric);
  return result;
}

void MetricRegistry::add(const MetricSource& source) {
  const std::lock_guard lock(mutex_);
  sources_.push_back(&source);
}

void MetricRegistry::remove(const MetricSource& source) noexcept {
  const std::lock_guard lock(mutex_);
  std::erase(sources_, &source);
  try {
    MetricSink last;
    source.report(last);
    for (auto& [key, metric] : last.metrics_)
      if (metric.kind != MetricKind::gauge) retired_.add(std::move(metric));
  } catch (const std::exception&) {
    // Out of memory, in the destructor of a source: the process loses figures instead of ending.
  }
}

std::vector<Metric> MetricRegistry::collect() const {
  const std::lock_guard lock(mutex_);
  MetricSink all = retired_;
  for (const MetricSource* source : sources_) source->report(all);
  return all.metrics();
}

MetricRegistry& metric_registry() {
  static MetricRegistry registry;
  return registry;
}

std::string prometheus_text(const std::vector<Metric>& metrics) {
  std::string text;
  std::string_view last;
  for (const Metric& metric : metrics) {
    if (metric.name != last)
      text +=
          fmt::format("# HELP {} {}\n# TYPE {} {}\n", metric.name, metric.help, metric.name, type_name(metric.kind));
    last = metric.name;
    text += fmt::format("{}{} {}\n", metric.name, label_text(metric.labels), metric.value());
  }
  return text;
}

}  // namespace frugal
