// The counts of the parts of a process in one registry: budgets, pagers, managers and caches report on demand.
// A part adds itself, and its sums stay when it is destroyed, so that a short-lived process can report everything at
// its end. Not a log and not a trace: no times, no order.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace frugal {

/// How figures of the same name and labels combine into one.
enum class MetricKind {
  counter,  // summed, including destroyed sources
  gauge,    // summed over the living sources
  peak,     // the largest
  ratio,    // sum of the parts ÷ sum of the wholes
};

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

/// Names have the form of Prometheus: frugal_pager_read_bytes_total.
struct Metric {
  std::string name, help;
  MetricLabels labels;
  MetricKind kind = MetricKind::gauge;
  double part = 0;   // the figure, or the part of a ratio
  double whole = 1;  // of a ratio
  /// 0 for a ratio whose whole is 0.
  double value() const;
};

/// Collects the figures that sources write.
class MetricSink {
 public:
  void counter(std::string name, std::string help, double value, MetricLabels labels = {});
  void gauge(std::string name, std::string help, double value, MetricLabels labels = {});
  void peak(std::string name, std::string help, double value, MetricLabels labels = {});
  void ratio(std::string name, std::string help, double part, double whole, MetricLabels labels = {});
  /// By name, then labels.
  std::vector<Metric> metrics() const;

 private:
  friend class MetricRegistry;
  void add(Metric metric);
  std::map<std::pair<std::string, MetricLabels>, Metric> metrics_;
};

class MetricSource {
 public:
  virtual ~MetricSource() = default;
  /// Called from any thread while the source is registered.
  virtual void report(MetricSink& sink) const = 0;
};

/// Thread-safe.
class MetricRegistry {
 public:
  /// Borrows the source until remove().
  void add(const MetricSource& source);
  /// Keeps the source's last figures, except gauges; loses them if report() throws, since destructors call this.
  void remove(const MetricSource& source) noexcept;
  std::vector<Metric> collect() const;

 private:
  mutable std::mutex mutex_;
  std::vector<const MetricSource*> sources_;
  MetricSink retired_;
};

/// The registry of the process.
MetricRegistry& metric_registry();

/// Prometheus's text format 0.0.4.
std::string prometheus_text(const std::vector<Metric>& metrics);

}  // namespace frugal
