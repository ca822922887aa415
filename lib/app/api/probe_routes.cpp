// Routes that are asked often and by machines: they load nothing, open nothing and wait for nothing, so that a server
// that is watched still sleeps.
#include <fmt/format.h>

#include "app/api/handlers.h"
#include "app/api/json_body.h"
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

const char* state_of(const Context& context, const EngineStatus& status) {
  if (!context.is_ready) return "loading";
  return status.is_awake ? "ready" : "sleeping";
}

std::string metrics_of(const Context& context) {
  const EngineStatus status = context.engine.status();
  const ServerFigures figures = context.figures();
  const MemoryReading memory = read_memory();
  MetricSink sink;
  const auto figure = [](auto count) { return static_cast<double>(count); };
  sink.gauge("frugal_server_uptime_seconds", "Seconds since the server started", figures.uptime_s);
  sink.gauge("frugal_server_connections", "Open connections", figure(figures.connections));
  sink.gauge("frugal_server_queued_requests", "Requests that wait for a thread", figure(figures.queued));
  sink.gauge("frugal_server_running_requests", "Requests that are handled now", figure(figures.running));
  sink.counter("frugal_server_requests_total", "Requests", figure(figures.requests));
  sink.counter("frugal_server_rejected_requests_total", "Requests refused because the queue was full",
               figure(figures.rejected));
  sink.counter("frugal_server_questions_total", "Questions answered from the index", figure(status.asked));
  sink.counter("frugal_server_embedded_texts_total", "Texts embedded", figure(status.embedded));
  sink.counter("frugal_server_ranked_texts_total", "Texts ranked", figure(status.reranked));
  sink.counter("frugal_server_generations_total", "Texts generated", figure(status.generated));
  sink.counter("frugal_server_batches_total", "Passes that embedded or ranked", figure(status.batches));
  sink.counter("frugal_server_cache_hits_total", "Questions answered from the cache", figure(status.times.cache_hits));
  for (const auto& [stage, ms] : status.times.stage_ms)
    sink.counter("frugal_server_stage_seconds_total", "Time of questions by stage", ms / 1000, {{"stage", stage}});
  for (const double p : kPercentiles)
    if (!status.times.recent_ms.empty())
      sink.gauge("frugal_server_question_seconds", "Time of the last 256 questions by quantile",
                 percentile(status.times.recent_ms, p) / 1000, {{"quantile", fmt::format("{}", p / 100)}});
  sink.gauge("frugal_server_awake", "1 while an index or a model is open", status.is_awake ? 1 : 0);
  for (const EngineModel& model : status.models)
    sink.gauge("frugal_server_model_loaded", "1 while the model is loaded", model.is_loaded ? 1 : 0,
               {{"model", model.role}});
  sink.gauge("frugal_process_anonymous_bytes", "Anonymous memory of the process", figure(memory.anon_bytes));
  sink.gauge("frugal_process_mapped_file_bytes", "Resident pages of mapped files", figure(memory.file_bytes));
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
  const ServerFigures figures = context.figures();
  nlohmann::ordered_json json{{"schema_version", 1},
                              {"version", version()},
                              {"commit", commit()},
                              {"state", state_of(context, status)},
                              {"uptime_s", figures.uptime_s}};
  json["index"] = {{"name", status.index.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(status.index)},
                   {"generation", nullptr}};
  if (status.generation) json["index"]["generation"] = *status.generation;
  json["models"] = models_json(status);
  json["queue"] = {{"connections", figures.connections},
                   {"queued", figures.queued},
                   {"running", figures.running},
                   {"requests", figures.requests},
                   {"rejected", figures.rejected}};
  json["work"] = {{"questions", status.asked},
                  {"embedded_texts", status.embedded},
                  {"ranked_texts", status.reranked},
                  {"generations", status.generated},
                  {"batches", status.batches}};
  json["times"] = times_json(status.times);
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
    json["pss_bytes"] = process->pss_bytes ? nlohmann::ordered_json(*process->pss_bytes) : nlohmann::ordered_json();
  }
  json["models"] = models_json(status);
  exchange.send(json_reply(dump(json)));
}

void get_metrics(Context& context, const HttpRequest&, Exchange& exchange) {
  HttpReply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = metrics_of(context) + prometheus_text(metric_registry().collect());
  exchange.send(std::move(reply));
}

}  // namespace frugal::api
