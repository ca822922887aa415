// Routes that are asked often and by machines: they load nothing, open nothing and wait for nothing, so that a server
// that is watched still sleeps.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "app/api/handlers.h"
#include "app/api/json_body.h"
#include "app/api/worker_states.h"
#include "base/statistics.h"
#include "base/version.h"
#include "telemetry/metrics.h"
#include "telemetry/process_memory.h"

namespace frugal::api {
namespace {

nlohmann::ordered_json models_json(const EngineStatus& status) {
  auto models = nlohmann::ordered_json::array();
  for (const EngineModel& model : status.models)
    models.push_back({{"role", model.role},
                      {"name", model.name},
                      {"available", !model.file.empty()},
                      {"file_bytes", model.file_bytes},
                      {"loaded", model.is_loaded},
                      {"loads", model.loads},
                      {"uses", model.uses}});
  return models;
}

constexpr double kPercentiles[] = {50, 95, 99};

nlohmann::ordered_json times_json(const EngineTimes& times) {
  nlohmann::ordered_json json{{"cache_hits", times.cache_hits}, {"stages_ms", nlohmann::ordered_json::object()}};
  for (const auto& [stage, ms] : times.stage_ms) json["stages_ms"][stage] = ms;
  for (const double p : kPercentiles)
    json[fmt::format("p{}_ms", p)] =
        times.recent_ms.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(percentile(times.recent_ms, p));
  return json;
}

/// The sums of the counts of all workers.
nlohmann::ordered_json sums_of(const std::vector<WorkerState>& states, const char* group) {
  nlohmann::ordered_json sums = nlohmann::ordered_json::object();
  for (const WorkerState& state : states)
    for (const auto& [name, count] : state.figures.at(group).items())
      sums[name] = sums.value(name, int64_t(0)) + count.get<int64_t>();
  return sums;
}

void add_labelled(MetricSink& sink, Metric metric, size_t worker) {
  metric.labels.emplace_back("worker", std::to_string(worker));
  switch (metric.kind) {
    case MetricKind::counter:
      return sink.counter(metric.name, metric.help, metric.part, metric.labels);
    case MetricKind::gauge:
      return sink.gauge(metric.name, metric.help, metric.part, metric.labels);
    case MetricKind::peak:
      return sink.peak(metric.name, metric.help, metric.part, metric.labels);
    case MetricKind::ratio:
      return sink.ratio(metric.name, metric.help, metric.part, metric.whole, metric.labels);
  }
}

// All samples of a name must stand together, whichever worker they are of.
std::string metrics_of(const Context& context) {
  if (!context.board) return prometheus_text(own_state(context).metrics);
  MetricSink sink;
  for (const WorkerState& state : all_states(context))
    for (const Metric& metric : state.metrics) add_labelled(sink, metric, state.worker);
  return prometheus_text(sink.metrics());
}

}  // namespace

void get_health(Context& context, const HttpRequest&, Exchange& exchange) {
  const EngineStatus status = context.engine.status();
  exchange.send(json_reply(dump({{"status", context.is_ready ? "ok" : "loading"}, {"sleeping", !status.is_awake}}),
                           context.is_ready ? 200 : 503));
}

void get_status(Context& context, const HttpRequest&, Exchange& exchange) {
  const EngineStatus status = context.engine.status();
  const std::vector<WorkerState> states = all_states(context);
  const auto own = std::find_if(states.begin(), states.end(),
                                [&](const WorkerState& each) { return each.worker == context.worker; });
  nlohmann::ordered_json json{{"schema_version", 1},
                              {"version", version()},
                              {"commit", commit()},
                              {"state", own->figures["state"]},
                              {"uptime_s", own->figures["uptime_s"]}};
  json["index"] = {{"name", status.index.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(status.index)},
                   {"generation", nullptr}};
  if (status.generation) json["index"]["generation"] = *status.generation;
  json["models"] = models_json(status);
  json["queue"] = sums_of(states, "queue");
  json["work"] = sums_of(states, "work");
  json["times"] = times_json(status.times);
  if (context.board) json["workers"] = nlohmann::ordered_json::array();
  for (const WorkerState& state : states)
    if (context.board) json["workers"].push_back(state.figures);
  exchange.send(json_reply(dump(json)));
}

void get_memory(Context& context, const HttpRequest&, Exchange& exchange) {
  const EngineStatus status = context.engine.status();
  nlohmann::ordered_json json{{"schema_version", 1}};
  const auto process = read_process();
  if (process) {
    json["anonymous_bytes"] = process->resident.anon_bytes;
    json["mapped_file_bytes"] = process->resident.file_bytes;
    json["swap_bytes"] = process->resident.swap_bytes;
    json["heap_bytes"] = heap_in_use_bytes();
    json["pss_bytes"] = process->pss_bytes ? nlohmann::ordered_json(*process->pss_bytes) : nlohmann::ordered_json();
  }
  json["models"] = models_json(status);
  exchange.send(json_reply(dump(json)));
}

void get_metrics(Context& context, const HttpRequest&, Exchange& exchange) {
  HttpReply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = metrics_of(context);
  exchange.send(std::move(reply));
}

}  // namespace frugal::api
