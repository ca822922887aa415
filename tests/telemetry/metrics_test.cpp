#include "telemetry/metrics.h"

#include <doctest/doctest.h>

#include <new>

using namespace frugal;

namespace {

struct Source final : MetricSource {
  explicit Source(double figure) : figure_(figure) {}
  void report(MetricSink& sink) const override {
    sink.counter("reads_total", "Reads", figure_);
    sink.gauge("held", "Held", figure_, {{"tag", "a\"b\\c\nd"}});
    sink.peak("most", "Most", figure_);
    sink.ratio("share", "Share", figure_, 10);
  }
  double figure_;
};

double value(const MetricRegistry& registry, const std::string& name) {
  for (const Metric& metric : registry.collect())
    if (metric.name == name) return metric.value();
  return -1;
}

}  // namespace

TEST_CASE("figures of one name become one: sums, the largest, a ratio of sums") {
  MetricRegistry registry;
  const Source three(3), five(5);
  registry.add(three);
  registry.add(five);
  CHECK(value(registry, "reads_total") == 8);
  CHECK(value(registry, "held") == 8);
  CHECK(value(registry, "most") == 5);
  CHECK(value(registry, "share") == 0.4);
}

TEST_CASE("what has gone leaves its sums and peaks, not what it held") {
  MetricRegistry registry;
  const Source three(3), five(5);
  registry.add(three);
  registry.add(five);
  registry.remove(five);
  CHECK(value(registry, "reads_total") == 8);
  CHECK(value(registry, "held") == 3);
  CHECK(value(registry, "most") == 5);
  CHECK(value(registry, "share") == 0.4);
  registry.remove(three);
  CHECK(value(registry, "held") == -1);
  CHECK(value(registry, "reads_total") == 8);
}

TEST_CASE("a source that has no memory left to report with is removed all the same") {
  struct Starved final : MetricSource {
    void report(MetricSink& sink) const override {
      if (starved) throw std::bad_alloc();
      sink.counter("reads_total", "Reads", 1);
    }
    bool starved = false;
  } starved;
  MetricRegistry registry;
  registry.add(starved);
  CHECK(value(registry, "reads_total") == 1);
  starved.starved = true;
  registry.remove(starved);
  CHECK(registry.collect().empty());
}

TEST_CASE("a ratio of nothing is 0") {
  MetricSink sink;
  sink.ratio("share", "Share", 0, 0);
  CHECK(sink.metrics().at(0).value() == 0);
}

TEST_CASE("Prometheus text: one HELP and TYPE a name, labels escaped") {
  MetricSink sink;
  sink.gauge("held", "Held", 1.5, {{"tag", "a\"b\\c\nd"}});
  sink.gauge("held", "Held", 2, {{"tag", "e"}});
  sink.counter("reads_total", "Reads", 8);
  CHECK(prometheus_text(sink.metrics()) ==
        "# HELP held Held\n# TYPE held gauge\n"
        "held{tag=\"a\\\"b\\\\c\\nd\"} 1.5\nheld{tag=\"e\"} 2\n"
        "# HELP reads_total Reads\n# TYPE reads_total counter\nreads_total 8\n");
}
