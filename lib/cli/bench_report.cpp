#include "cli/bench_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/units.h"
#include "cli/table.h"
#include "cli/version.h"

namespace frugal::cli {
namespace {

using Json = nlohmann::ordered_json;
constexpr auto kRight = Table::Align::right;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json proof_json(const std::optional<ColdProof>& proof) {
  if (!proof) return nullptr;
  return {{"dropped_bytes", proof->dropped_bytes},
          {"still_cached_bytes", proof->still_cached_bytes},
          {"still_cached", proof->still_cached}};
}

Json seconds(const LatencyRow& row) {
  Json times = Json::array();
  for (const LatencySample& sample : row.samples) times.push_back(sample.wall_ms / 1e3);
  return times;
}

Json row_json(const LatencyRow& row, const std::vector<std::string>& command) {
  const Summary& wall = row.wall_ms;
  Json exit_codes = Json::array();
  for (const LatencySample& sample : row.samples) exit_codes.push_back(sample.exit_code);
  return {{"command", fmt::format("{} [{}]", fmt::join(command, " "), to_string(row.mode))},
          {"mean", wall.mean / 1e3},
          {"stddev", wall.stddev / 1e3},
          {"median", wall.median / 1e3},
          {"user", nullptr},
          {"system", nullptr},
          {"min", wall.min / 1e3},
          {"max", wall.max / 1e3},
          {"times", seconds(row)},
          {"exit_codes", exit_codes},
          {"mode", to_string(row.mode)},
          {"runs", wall.count},
          {"median_ms", wall.median},
          {"median_ci95_ms", {wall.median_ci95.low, wall.median_ci95.high}},
          {"p95_ms", wall.p95},
          {"p99_ms", wall.p99},
          {"outliers", wall.outliers},
          {"stages_ms", row.stage_medians_ms},
          {"peak_anon_bytes", or_null(row.peak_anon_bytes)},
          {"pss_bytes", or_null(row.pss_bytes)},
          {"answers_sha256", row.answers_sha256},
          {"page_cache", proof_json(row.cold_proof)}};
}

std::string size(std::optional<uint64_t> bytes) {
  return bytes ? format_bytes(*bytes) : "?";
}

// Share of the machine's best in the resource that bounds the test: products where many tokens share a weight, reads
// where each token reads them all.
std::string bound_by(const Throughput& row, const MachinePeak& peak) {
  const double rate = row.tokens_per_second();
  if (row.test.compare(0, 2, "tg") == 0)
    return fmt::format("{:.0f}% of read", 100 * rate * row.bytes_per_token / peak.read_bytes_per_second);
  return fmt::format("{:.0f}% of int8", 100 * rate * row.products_per_token / peak.int8_products_per_second);
}

Json environment_json(const Environment& environment, const std::optional<CpuShare::Percent>& load) {
  Json models = Json::array();
  for (const ModelIdentity& model : environment.models)
    models.push_back({{"file", model.file}, {"sha256", model.sha256}, {"bytes", model.bytes}});
  return {{"cpu", environment.cpu},
          {"isa", environment.isa},
          {"cpus", environment.cpus},
          {"kernel", environment.kernel},
          {"governor", or_null(environment.governor)},
          {"memory_bytes", environment.memory_bytes},
          {"busy_percent", load ? Json(load->busy) : Json(nullptr)},
          {"steal_percent", load ? Json(load->steal) : Json(nullptr)},
          {"version", version()},
          {"commit", commit()},
          {"models", models}};
}

std::string environment_text(const Environment& environment, const std::optional<CpuShare::Percent>& load) {
  std::string text =
      fmt::format("{} · {} · {} cpus · {} · governor {} · frugal {} ({})\n", environment.cpu, environment.isa,
                  environment.cpus, environment.kernel, environment.governor.value_or("none"), version(), commit());
  if (load) text += fmt::format("machine busy {:.0f} %, stolen {:.1f} % while this ran\n", load->busy, load->steal);
  for (const ModelIdentity& model : environment.models)
    text += fmt::format("{} · {} · sha256 {}\n", model.file, format_bytes(model.bytes), model.sha256.substr(0, 16));
  return text;
}

Table latency_table(const std::vector<LatencyRow>& rows) {
  Table table({{"mode"},
               {"runs", kRight},
               {"median ms", kRight},
               {"95 % interval", kRight},
               {"p95", kRight},
               {"p99", kRight},
               {"min", kRight},
               {"max", kRight},
               {"peak anon", kRight},
               {"pss", kRight},
               {"answers"}});
  for (const LatencyRow& row : rows) {
    const Summary& wall = row.wall_ms;
    const auto ms = [](double value) { return fmt::format("{:.1f}", value); };
    table.add({std::string(to_string(row.mode)), fmt::format("{}", wall.count), ms(wall.median),
               fmt::format("{:.1f}–{:.1f}", wall.median_ci95.low, wall.median_ci95.high), ms(wall.p95), ms(wall.p99),
               ms(wall.min), ms(wall.max), size(row.peak_anon_bytes), size(row.pss_bytes),
               row.answers_sha256.substr(0, 12)});
  }
  return table;
}

Table stage_median_table(const std::vector<LatencyRow>& rows) {
  std::vector<Table::Column> columns = {{"stage, median ms"}};
  std::set<std::string> names;
  for (const LatencyRow& row : rows) {
    columns.push_back({std::string(to_string(row.mode)), kRight});
    for (const auto& [name, ms] : row.stage_medians_ms) names.insert(name);
  }
  Table table(columns);
  for (const std::string& name : names) {
    std::vector<std::string> cells = {name};
    for (const LatencyRow& row : rows) {
      const auto found = row.stage_medians_ms.find(name);
      cells.push_back(found == row.stage_medians_ms.end() ? "" : fmt::format("{:.2f}", found->second));
    }
    table.add(cells);
  }
  return table;
}

Json throughput_json(const std::vector<Throughput>& rows, const std::vector<MachinePeak>& peaks) {
  Json results = Json::array();
  for (size_t i = 0; i < rows.size(); ++i) {
    const Throughput& row = rows[i];
    const double rate = row.tokens_per_second();
    results.push_back(
        {{"test", row.test},
         {"threads", row.threads},
         {"tokens", row.tokens},
         {"texts", row.texts > 0 ? Json(row.texts) : Json(nullptr)},
         {"tokens_per_second", rate},
         {"texts_per_second", row.texts > 0 ? Json(row.texts_per_second()) : Json(nullptr)},
         {"samples_ns", Json::array()},
         {"share_of_int8_peak", rate * row.products_per_token / peaks[i].int8_products_per_second},
         {"share_of_read_bandwidth",
          row.texts > 0 ? Json(nullptr) : Json(rate * row.bytes_per_token / peaks[i].read_bytes_per_second)},
         {"machine_int8_products_per_second", peaks[i].int8_products_per_second},
         {"machine_read_bytes_per_second", peaks[i].read_bytes_per_second},
         {"peak_anon_bytes", row.peak_anon_bytes}});
    for (double s : row.seconds) results.back()["samples_ns"].push_back(static_cast<int64_t>(s * 1e9));
  }
  return results;
}

Table throughput_table(const std::vector<Throughput>& rows, const std::vector<MachinePeak>& peaks) {
  Table table({{"test"},
               {"threads", kRight},
               {"tokens/s", kRight},
               {"texts/s", kRight},
               {"spread", kRight},
               {"of the machine", kRight},
               {"peak anon", kRight}});
  for (size_t i = 0; i < rows.size(); ++i) {
    const Throughput& row = rows[i];
    const double spread = 100 * standard_deviation(row.seconds) / mean(row.seconds);
    table.add({row.test, fmt::format("{}", row.threads), fmt::format("{:.1f}", row.tokens_per_second()),
               row.texts > 0 ? fmt::format("{:.1f}", row.texts_per_second()) : "", fmt::format("±{:.1f} %", spread),
               bound_by(row, peaks[i]), format_bytes(row.peak_anon_bytes)});
  }
  return table;
}

}  // namespace

std::vector<std::string> LatencyReport::remarks() const {
  std::vector<std::string> remarks;
  for (const LatencyRow& row : rows) {
    if (row.answers_sha256 != rows.front().answers_sha256)
      remarks.push_back(
          fmt::format("{} and {} did not give the same answers", to_string(rows.front().mode), to_string(row.mode)));
    if (row.wall_ms.outliers > 0)
      remarks.push_back(fmt::format("{}: {} outliers (kept)", to_string(row.mode), row.wall_ms.outliers));
    if (row.cold_proof)
      remarks.push_back(
          fmt::format("{}: {} dropped from the page cache; {} of {} files stayed, other processes map them",
                      to_string(row.mode), format_bytes(row.cold_proof->dropped_bytes),
                      format_bytes(row.cold_proof->still_cached_bytes), row.cold_proof->still_cached.size()));
  }
  return remarks;
}

std::string LatencyReport::text() const {
  return fmt::format("{}\n{}{}\n{}", latency_table(rows).text(), stage_median_table(rows).text(),
                     fmt::join(remarks(), "\n"), environment_text(environment, load));
}

std::string LatencyReport::markdown() const {
  return fmt::format("{}\n{}\n{}\n{}", latency_table(rows).markdown(), stage_median_table(rows).markdown(),
                     fmt::join(remarks(), "\n"), environment_text(environment, load));
}

Json LatencyReport::json() const {
  Json results = Json::array();
  for (const LatencyRow& row : rows) results.push_back(row_json(row, command));
  return {{"schema_version", 1}, {"environment", environment_json(environment, load)}, {"results", results}};
}

std::string ThroughputReport::text() const {
  return throughput_table(rows, peaks).text() + environment_text(environment, load);
}

Json ThroughputReport::json() const {
  return {{"schema_version", 1},
          {"environment", environment_json(environment, load)},
          {"results", throughput_json(rows, peaks)}};
}

}  // namespace frugal::cli
