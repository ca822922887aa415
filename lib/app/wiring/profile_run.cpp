#include "app/wiring/profile_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "app/cli/output.h"
#include "app/cli/signals.h"
#include "measure/report/json.h"
#include "measure/report/metrics_report.h"
#include "telemetry/command.h"

namespace frugal::cli {
namespace {

// Prints an event for each limit that was exceeded; returns true if there was one.
bool report_alerts(const ProfileRequest& request, const nlohmann::ordered_json& line, const SampledPeak& peak,
                   const std::vector<Metric>& metrics) {
  const auto record = parse_memory_records(json_line(line), "this stage").front();
  const AlertFigures figures = alert_figures(peak.least_available_bytes, read_system_memory().pressure, metrics);
  const auto alerts = check_alerts(request.alerts, record, figures);
  for (const MemoryAlert& alert : alerts) {
    print_message(alert_text(alert));
    if (request.json) print(json_line(alert_json(alert)));
  }
  return !alerts.empty();
}

}  // namespace

int profile_scenario(const Scenario& pipeline, const ProfileOptions& options, const ProfileRequest& request) {
  Estimates estimates(pipeline.stages.size());
  if (request.estimate) estimates = estimate_scenario(pipeline.stages, options);
  ScenarioProfiler profiler(options);
  if (request.estimate) profiler.add_runtime(pipeline.stages, estimates);
  std::vector<StageProfile> profiles;
  bool alerted = false;
  for (const ScenarioStage& stage : pipeline.stages) {
    release_free_heap();  // freed pages of earlier output do not count for the stage
    profiles.push_back(profiler.profile(stage));
    const StageLabel label = {std::string(to_string(stage.action)), stage.model, profiler.note(),
                              estimates[profiles.size() - 1], options.load_mode};
    nlohmann::ordered_json line = stage_json(profiles.back(), label);
    const std::vector<Metric> metrics = metric_registry().collect();
    line["metrics"] = metrics_json(metrics)["metrics"];
    if (request.json) print(json_line(line));
    alerted |= report_alerts(request, line, profiles.back().peak, metrics);
    flush_output();
  }
  if (!request.json) print(stage_table(profiles));
  if (request.estimate && !request.json) print("\n" + estimate_table(profiles, estimates));
  const auto drawn_budget = options.drawn_budget_bytes ? std::optional(options.drawn_budget_bytes) : std::nullopt;
  publish_timeline(request.pictures, timeline_of(request.title, profiles, drawn_budget));
  return alerted ? 1 : 0;
}

int profile_command(const std::vector<std::string>& command, const ProfileRequest& request) {
  const GracefulStop graceful;
  CommandOptions options;
  options.sample_memory = true;
  options.cancelled = interrupted;
  CommandResult result;
  try {
    result = run_command(command, options);
  } catch (const CannotStart& error) {
    print_error(error.message(), error.hint());
    return error.shell_exit_code();
  }
  const nlohmann::ordered_json line = command_json(command, result.exit_code, result.elapsed_ns, *result.peak);
  print(request.json ? json_line(line) : command_text(result.elapsed_ns, *result.peak));
  const bool alerted = report_alerts(request, line, *result.peak, metric_registry().collect());
  publish_timeline(request.pictures, timeline_of(fmt::format("{}", fmt::join(command, " ")), result));
  return result.exit_code == 0 && alerted ? 1 : result.exit_code;
}

}  // namespace frugal::cli
