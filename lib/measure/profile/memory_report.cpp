#include "measure/profile/memory_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/units.h"
#include "measure/report/table.h"

namespace frugal {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kGb = 1e9;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// Error in percent of the measurement; nullopt for a measurement of 0.
std::optional<double> error_percent(uint64_t estimated, uint64_t measured) {
  if (measured == 0) return std::nullopt;
  return 100 * (static_cast<double>(estimated) / static_cast<double>(measured) - 1);
}

Json cgroup_json(const std::optional<CgroupMemory>& cgroup) {
  if (!cgroup) return nullptr;
  return {{"path", cgroup->path.native()},
          {"limit_bytes", cgroup->limit_bytes},
          {"usage_bytes", cgroup->usage_bytes},
          {"reclaimable_bytes", cgroup->reclaimable_bytes},
          {"available_bytes", cgroup->available_bytes()}};
}

Json pressure_json(const std::optional<MemoryPressure>& pressure) {
  if (!pressure) return nullptr;
  return {{"some_avg10", pressure->some_avg10}, {"full_avg10", pressure->full_avg10}};
}

Json process_json(const ProcessMemory& process) {
  return {{"rss_gb", static_cast<double>(process.rss_bytes()) / kGb},
          {"anon_bytes", process.resident.anon_bytes},
          {"file_bytes", process.resident.file_bytes},
          {"shared_bytes", process.resident.shared_bytes},
          {"pss_bytes", or_null(process.pss_bytes)},
          {"uss_bytes", or_null(process.uss_bytes)},
          {"swap_bytes", process.resident.swap_bytes},
          {"minor_faults", process.resident.minor_faults},
          {"major_faults", process.resident.major_faults}};
}

// Without a device the fields exist too, as null, so that readers need no special case.
void add_gpu(Json& json, std::optional<uint64_t> used_bytes, std::optional<uint64_t> reserved_bytes) {
  json["gpu_used_bytes"] = or_null(used_bytes);
  json["gpu_reserved_bytes"] = or_null(reserved_bytes);
}

Json snapshot_json(const MemorySnapshot& snapshot) {
  Json json = process_json(snapshot.process);
  const uint64_t available = snapshot.system.available_bytes();
  json["available_gb"] = static_cast<double>(available) / kGb;
  json["available_bytes"] = available;
  json["mem_available_bytes"] = snapshot.system.mem_available_bytes;
  json["cgroup"] = cgroup_json(snapshot.system.cgroup);
  json["pressure"] = pressure_json(snapshot.system.pressure);
  json["model_file_bytes"] = snapshot.files ? Json(snapshot.files->file_bytes) : Json(nullptr);
  json["model_cached_bytes"] = snapshot.files ? Json(snapshot.files->resident_bytes) : Json(nullptr);
  json["model_mapped_bytes"] = or_null(snapshot.mapped_bytes);
  const GpuMemory gpu = snapshot.gpu.value_or(GpuMemory());
  add_gpu(json, gpu.used_bytes, gpu.reserved_bytes);
  return json;
}

Json peak_json(const SampledPeak& peak, std::optional<uint64_t> high_water_bytes, const GpuMemory& gpu) {
  Json json = process_json(peak.memory);
  json.erase("rss_gb");  // its parts need not peak at the same moment
  json["anon_with_swap_bytes"] = peak.anon_with_swap_bytes;
  if (peak.samples == 0)
    for (Json& value : json) value = nullptr;
  json["high_water_mark_bytes"] = or_null(high_water_bytes);
  json["least_available_bytes"] = peak.least_available_bytes;
  add_gpu(json, gpu.peak_bytes, gpu.reserved_bytes);
  return json;
}

Json sampler_json(const SampledPeak& peak) {
  const bool known = peak.samples > 0;
  return {{"samples", peak.samples},
          {"mean_interval_ms", known ? Json(peak.mean_interval_ms) : Json(nullptr)},
          {"longest_gap_ms", known ? Json(peak.longest_gap_ms) : Json(nullptr)}};
}

Json compared_json(uint64_t estimated, std::optional<uint64_t> measured) {
  return {{"estimated", estimated},
          {"measured", or_null(measured)},
          {"error_percent", or_null(measured ? error_percent(estimated, *measured) : std::nullopt)}};
}

Json estimate_json(const MemoryEstimate& estimate, const StageProfile& stage) {
  return {{"peak_anon_bytes", compared_json(estimate.peak_anon_bytes, stage.peak.anon_with_swap_bytes)},
          {"model_mapped_bytes", compared_json(estimate.mapped_bytes, stage.after.mapped_bytes)},
          {"parts_of_peak_anon",
           {{"runtime_bytes", estimate.runtime_bytes},
            {"model_bytes", estimate.model_bytes},
            {"kv_cache_bytes", estimate.working.kv_cache_bytes},
            {"activation_bytes", estimate.working.activation_bytes},
            {"table_bytes", estimate.working.table_bytes},
            {"result_bytes", estimate.working.result_bytes}}},
          {"activation_layout",
           {{"arena_bytes", estimate.activations.arena_bytes},
            {"planned_bytes", estimate.activations.planned_bytes},
            {"least_bytes", estimate.activations.least_bytes}}}};
}

std::string size(std::optional<uint64_t> bytes) {
  return bytes ? format_bytes(*bytes) : "?";
}

}  // namespace

Json stage_json(const StageProfile& stage, const StageLabel& label) {
  Json json = {
      {"schema_version", kMemorySchema}, {"stage", stage.name}, {"action", label.action}, {"model", label.model}};
  json["load_mode"] = to_string(label.load_mode);
  json["note"] = label.note.empty() ? Json(nullptr) : Json(label.note);
  json["elapsed_ms"] = to_milliseconds(stage.elapsed_ns);
  json["memory_usage_before_model_" + label.action] = snapshot_json(stage.before);
  json["memory_usage_after_model_" + label.action] = snapshot_json(stage.after);
  json["memory_usage_peak"] = peak_json(stage.peak, stage.high_water_bytes, stage.after.gpu.value_or(GpuMemory()));
  json["sampler"] = sampler_json(stage.peak);
  json["estimate"] = label.estimate ? estimate_json(*label.estimate, stage) : Json(nullptr);
  return json;
}

std::string estimate_table(const std::vector<StageProfile>& stages,
                           const std::vector<std::optional<MemoryEstimate>>& estimates) {
  constexpr auto right = Table::Align::right;
  Table table({{"stage"},
               {"anon peak: estimate", right},
               {"measured", right},
               {"error", right},
               {"pack mapped: estimate", right},
               {"measured", right},
               {"error", right}});
  for (size_t i = 0; i < stages.size(); ++i) {
    if (!estimates[i]) continue;
    std::vector<std::string> row = {stages[i].name};
    const auto add = [&](uint64_t estimated, std::optional<uint64_t> measured) {
      const std::optional<double> error = measured ? error_percent(estimated, *measured) : std::nullopt;
      row.insert(row.end(), {size(estimated), size(measured), error ? fmt::format("{:+.1f}%", *error) : "?"});
    };
    add(estimates[i]->peak_anon_bytes, stages[i].peak.anon_with_swap_bytes);
    add(estimates[i]->mapped_bytes, stages[i].after.mapped_bytes);
    table.add(std::move(row));
  }
  return table.text();
}

std::string stage_table(const std::vector<StageProfile>& stages) {
  constexpr auto right = Table::Align::right;
  Table table({{"stage"},
               {"ms", right},
               {"anon before", right},
               {"peak", right},
               {"after", right},
               {"file after", right},
               {"pss after", right},
               {"swap", right},
               {"major faults", right},
               {"model in cache", right},
               {"available", right}});
  for (const StageProfile& stage : stages) {
    const MemoryReading &before = stage.before.process.resident, &after = stage.after.process.resident;
    const std::string cached = stage.after.files
                                   ? fmt::format("{} of {}", format_bytes(stage.after.files->resident_bytes),
                                                 format_bytes(stage.after.files->file_bytes))
                                   : "?";
    table.add({stage.name, fmt::format("{:.1f}", to_milliseconds(stage.elapsed_ns)), size(before.anon_bytes),
               size(stage.peak.anon_with_swap_bytes), size(after.anon_bytes), size(after.file_bytes),
               size(stage.after.process.pss_bytes), size(after.swap_bytes),
               fmt::format("{}", after.major_faults - before.major_faults), cached,
               size(stage.after.system.available_bytes())});
  }
  return table.text();
}

Json command_json(const std::vector<std::string>& command, int exit_code, int64_t elapsed_ns, const SampledPeak& peak) {
  return {{"schema_version", kMemorySchema},
          {"stage", "command"},
          {"command", command},
          {"exit_code", exit_code},
          {"elapsed_ms", to_milliseconds(elapsed_ns)},
          {"memory_usage_peak", peak_json(peak, std::nullopt, {})},
          {"sampler", sampler_json(peak)}};
}

std::string command_text(int64_t elapsed_ns, const SampledPeak& peak) {
  constexpr auto right = Table::Align::right;
  const MemoryReading& resident = peak.memory.resident;
  Table table({{"ms", right},
               {"anon peak", right},
               {"file peak", right},
               {"shared peak", right},
               {"pss peak", right},
               {"uss peak", right},
               {"swap peak", right},
               {"major faults", right},
               {"sampled every ms", right}});
  std::vector<std::string> row = {size(peak.anon_with_swap_bytes),
                                  size(resident.file_bytes),
                                  size(resident.shared_bytes),
                                  size(peak.memory.pss_bytes),
                                  size(peak.memory.uss_bytes),
                                  size(resident.swap_bytes),
                                  fmt::format("{}", resident.major_faults),
                                  fmt::format("{:.1f}", peak.mean_interval_ms)};
  if (peak.samples == 0) row.assign(row.size(), size(std::nullopt));
  row.insert(row.begin(), fmt::format("{:.1f}", to_milliseconds(elapsed_ns)));
  table.add(std::move(row));
  return table.text();
}

}  // namespace frugal
