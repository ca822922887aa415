#include "app/api/worker_states.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string>

#include "app/api/json_body.h"
#include "app/api/worker_board.h"
#include "base/statistics.h"
#include "telemetry/process_memory.h"

namespace frugal::api {
namespace {

using nlohmann::ordered_json;

double figure(auto count) {
  return static_cast<double>(count);
}

void add_server(MetricSink& sink, const ServerFigures& figures) {
  sink.gauge("frugal_server_uptime_seconds", "Seconds since the server started", figures.uptime_s);
  sink.gauge("frugal_server_connections", "Open connections", figure(figures.connections));
  sink.gauge("frugal_server_queued_requests", "Requests that wait for a thread", figure(figures.queued));
  sink.gauge("frugal_server_running_requests", "Requests that are handled now", figure(figures.running));
  sink.counter("frugal_server_requests_total", "Requests", figure(figures.requests));
  sink.counter("frugal_server_rejected_requests_total", "Requests refused because the queue was full",
               figure(figures.rejected));
}

void add_engine(MetricSink& sink, const EngineStatus& status) {
  sink.counter("frugal_server_questions_total", "Questions answered from the index", figure(status.asked));
  sink.counter("frugal_server_embedded_texts_total", "Texts embedded", figure(status.embedded));
  sink.counter("frugal_server_ranked_texts_total", "Texts ranked", figure(status.reranked));
  sink.counter("frugal_server_generations_total", "Texts generated", figure(status.generated));
  sink.counter("frugal_server_batches_total", "Passes that embedded or ranked", figure(status.batches));
  sink.counter("frugal_server_cache_hits_total", "Questions answered from the cache", figure(status.times.cache_hits));
  for (const auto& [stage, ms] : status.times.stage_ms)
    sink.counter("frugal_server_stage_seconds_total", "Time of questions by stage", ms / 1000, {{"stage", stage}});
  for (const double p : {50.0, 95.0, 99.0})
    if (!status.times.recent_ms.empty())
      sink.gauge("frugal_server_question_seconds", "Time of the last 256 questions by quantile",
                 percentile(status.times.recent_ms, p) / 1000, {{"quantile", fmt::format("{}", p / 100)}});
  sink.gauge("frugal_server_awake", "1 while an index or a model is open", status.is_awake ? 1 : 0);
  for (const EngineModel& model : status.models)
    sink.gauge("frugal_server_model_loaded", "1 while the model is loaded", model.is_loaded ? 1 : 0,
               {{"model", model.role}});
}

void add_process(MetricSink& sink, const MemoryReading& memory) {
  sink.gauge("frugal_process_anonymous_bytes", "Anonymous memory of the process", figure(memory.anon_bytes));
  sink.gauge("frugal_process_mapped_file_bytes", "Resident pages of mapped files", figure(memory.file_bytes));
  sink.gauge("frugal_process_heap_bytes", "Bytes in use of the heap", figure(heap_in_use_bytes()));
}

std::vector<Metric> metrics_of(const EngineStatus& status, const ServerFigures& figures, const MemoryReading& memory) {
  MetricSink sink;
  add_server(sink, figures);
  add_engine(sink, status);
  add_process(sink, memory);
  std::vector<Metric> all = sink.metrics();
  for (Metric& metric : metric_registry().collect()) all.push_back(std::move(metric));
  return all;
}

std::string text_of(const WorkerState& state) {
  ordered_json json{{"figures", state.figures}, {"metrics", ordered_json::array()}};
  for (const Metric& metric : state.metrics)
    json["metrics"].push_back(
        {metric.name, metric.help, metric.labels, static_cast<int>(metric.kind), metric.part, metric.whole});
  return dump(json);
}

WorkerState state_of(size_t worker, const std::string& text) {
  const ordered_json json = ordered_json::parse(text);
  WorkerState state{worker, json.at("figures")};
  for (const ordered_json& each : json.at("metrics"))
    state.metrics.push_back({each.at(0).get<std::string>(), each.at(1).get<std::string>(),
                             each.at(2).get<MetricLabels>(), static_cast<MetricKind>(each.at(3).get<int>()),
                             each.at(4).get<double>(), each.at(5).get<double>()});
  return state;
}

bool lives(const WorkerState& state) {
  const auto pid = state.figures.at("pid").get<pid_t>();
  return ::kill(pid, 0) == 0 || errno != ESRCH;
}

// nullopt: the worker has posted nothing yet, or is dead.
std::optional<WorkerState> read_state(const WorkerBoard& board, size_t worker) {
  const std::optional<std::string> text = board.read(worker);
  if (!text) return std::nullopt;
  try {
    WorkerState state = state_of(worker, *text);
    return lives(state) ? std::optional(std::move(state)) : std::nullopt;
  } catch (const ordered_json::exception&) {
    return std::nullopt;
  }
}

}  // namespace

WorkerState own_state(const Context& context) {
  const EngineStatus status = context.engine.status();
  const ServerFigures figures = context.figures();
  const MemoryReading memory = read_memory();
  const char* const awake = status.is_awake ? "ready" : "sleeping";
  WorkerState state{context.worker,
                    {{"worker", context.worker},
                     {"pid", ::getpid()},
                     {"state", context.is_ready ? awake : "loading"},
                     {"uptime_s", figures.uptime_s},
                     {"anonymous_bytes", memory.anon_bytes}}};
  state.figures["queue"] = {{"connections", figures.connections},
                            {"queued", figures.queued},
                            {"running", figures.running},
                            {"requests", figures.requests},
                            {"rejected", figures.rejected}};
  state.figures["work"] = {{"questions", status.asked},
                           {"embedded_texts", status.embedded},
                           {"ranked_texts", status.reranked},
                           {"generations", status.generated},
                           {"batches", status.batches}};
  state.metrics = metrics_of(status, figures, memory);
  return state;
}

std::vector<WorkerState> all_states(const Context& context) {
  std::vector<WorkerState> states;
  const size_t count = context.board ? context.board->workers() : 0;
  states.reserve(count + 1);
  for (size_t worker = 0; worker < count; ++worker) {
    if (worker == context.worker) continue;
    if (auto state = read_state(*context.board, worker)) states.push_back(std::move(*state));
  }
  const auto after =
      std::find_if(states.begin(), states.end(), [&](const WorkerState& each) { return each.worker > context.worker; });
  states.insert(after, own_state(context));
  return states;
}

void post_state(const Context& context) {
  if (context.board) context.board->post(context.worker, text_of(own_state(context)));
}

}  // namespace frugal::api
