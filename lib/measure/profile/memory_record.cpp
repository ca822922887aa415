#include "measure/profile/memory_record.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <simdjson.h>

#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/suggest.h"
#include "base/units.h"
#include "measure/profile/memory_report.h"

namespace frugal {
namespace {

namespace json = simdjson::dom;

constexpr uint64_t kLargestRecord = 256 * kMiB;

constexpr std::string_view kNames[kMemoryMetrics] = {"peak_anon", "held_anon", "peak_pss", "held_pss", "peak_file",
                                                     "held_file", "held_rss",  "peak_gpu", "elapsed"};

constexpr std::string_view kFamilies[] = {"anon", "pss", "file", "rss", "gpu"};

// The family of a metric: "anon" for peak_anon and held_anon; elapsed is its own.
std::string_view family_of(MemoryMetric metric) {
  return in_bytes(metric) ? to_string(metric).substr(to_string(metric).find('_') + 1) : to_string(metric);
}

Error wrong_line(const std::string& origin, size_t line, std::string_view what) {
  return Error(Code::bad_input, fmt::format("{}:{}: {}", origin, line, what))
      .hint("give a file that mem-profile --format json wrote, unchanged");
}

std::optional<double> number(json::element from, const std::string& pointer) {
  double value = 0;
  return from.at_pointer(pointer).get(value) == simdjson::SUCCESS ? std::optional(value) : std::nullopt;
}

std::optional<double> sum(std::optional<double> a, std::optional<double> b) {
  return a && b ? std::optional(*a + *b) : std::nullopt;
}

void read_held(json::element line, const std::string& after, StageRecordLine& record) {
  const auto value = [&](const char* field) { return number(line, after + field); };
  const auto set = [&](MemoryMetric metric, std::optional<double> bytes) {
    record.values[static_cast<size_t>(metric)] = bytes;
  };
  set(MemoryMetric::held_anon, sum(value("/anon_bytes"), value("/swap_bytes")));
  set(MemoryMetric::held_pss, value("/pss_bytes"));
  set(MemoryMetric::held_file, value("/file_bytes"));
  set(MemoryMetric::held_rss, sum(sum(value("/anon_bytes"), value("/file_bytes")), value("/shared_bytes")));
}

StageRecordLine read_stage(json::element line, std::string_view stage) {
  StageRecordLine record;
  record.stage = stage;
  const auto set = [&](MemoryMetric metric, const char* pointer) {
    record.values[static_cast<size_t>(metric)] = number(line, pointer);
  };
  set(MemoryMetric::peak_anon, "/memory_usage_peak/anon_with_swap_bytes");
  set(MemoryMetric::peak_pss, "/memory_usage_peak/pss_bytes");
  set(MemoryMetric::peak_file, "/memory_usage_peak/file_bytes");
  set(MemoryMetric::peak_gpu, "/memory_usage_peak/gpu_used_bytes");
  set(MemoryMetric::elapsed, "/elapsed_ms");
  std::string_view action;
  if (line.at_pointer("/action").get(action) == simdjson::SUCCESS)
    read_held(line, fmt::format("/memory_usage_after_model_{}", action), record);
  return record;
}

// nullopt for an alert, which is no stage.
std::optional<StageRecordLine> read_line(json::parser& parser, std::string_view text, const std::string& origin,
                                         size_t number_of_line) {
  json::element line;
  if (const auto code = parser.parse(text).get(line); code != simdjson::SUCCESS)
    throw wrong_line(origin, number_of_line, fmt::format("not JSON: {}", simdjson::error_message(code)));
  int64_t schema = 0;
  if (!line.is_object() || line.at_pointer("/schema_version").get(schema) != simdjson::SUCCESS)
    throw wrong_line(origin, number_of_line, "not a record of mem-profile: schema_version is missing");
  if (schema != kMemorySchema)
    throw Error(Code::mismatch, fmt::format("{}:{}: schema_version is {}, this build reads {}", origin, number_of_line,
                                            schema, kMemorySchema))
        .hint("measure both again with this build's mem-profile");
  json::element event;
  if (line.at_pointer("/event").get(event) == simdjson::SUCCESS) return std::nullopt;
  std::string_view stage;
  if (line.at_pointer("/stage").get(stage) != simdjson::SUCCESS || !number(line, "/elapsed_ms") ||
      line.at_pointer("/memory_usage_peak/anon_with_swap_bytes").error() != simdjson::SUCCESS)
    throw wrong_line(origin, number_of_line,
                     "not a stage of mem-profile: stage, elapsed_ms or memory_usage_peak is missing");
  return read_stage(line, stage);
}

}  // namespace

std::string_view to_string(MemoryMetric metric) {
  return kNames[static_cast<size_t>(metric)];
}

bool in_bytes(MemoryMetric metric) {
  return metric != MemoryMetric::elapsed;
}

std::string format_metric(MemoryMetric metric, double value) {
  return in_bytes(metric) ? format_bytes(static_cast<uint64_t>(value)) : fmt::format("{:.1f} ms", value);
}

std::vector<MemoryMetric> find_metrics(std::string_view name) {
  std::vector<MemoryMetric> found;
  for (int i = 0; i < kMemoryMetrics; ++i)
    if (const auto metric = static_cast<MemoryMetric>(i); to_string(metric) == name || family_of(metric) == name)
      found.push_back(metric);
  return found;
}

std::vector<MemoryMetric> parse_metrics(std::string_view name) {
  std::vector<MemoryMetric> found = find_metrics(name);
  if (found.empty()) throw unknown_figure(name, {});
  return found;
}

Error unknown_figure(std::string_view name, std::span<const std::string_view> others) {
  std::vector<std::string> known(std::begin(kFamilies), std::end(kFamilies));
  known.insert(known.end(), std::begin(kNames), std::end(kNames));
  known.insert(known.end(), others.begin(), others.end());
  const std::string nearest = nearest_name(std::string(name), known);
  const std::string more = others.empty() ? "" : fmt::format(", {}", fmt::join(others, ", "));
  return Error(Code::usage, fmt::format("unknown figure '{}'", name))
      .hint(nearest.empty() ? fmt::format("known: anon, pss, file, rss, gpu, elapsed, peak_… or held_… of them{}", more)
                            : fmt::format("did you mean '{}'?", nearest));
}

std::vector<StageRecordLine> parse_memory_records(std::string_view lines, const std::string& origin) {
  std::vector<StageRecordLine> records;
  std::map<std::string, int> times_seen;
  json::parser parser;
  size_t number_of_line = 0;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view text = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    ++number_of_line;
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    std::optional<StageRecordLine> record = read_line(parser, text, origin, number_of_line);
    if (!record) continue;
    if (const int seen = ++times_seen[record->stage]; seen > 1) record->stage += fmt::format(" #{}", seen);
    records.push_back(std::move(*record));
  }
  if (records.empty())
    throw Error(Code::bad_input, fmt::format("{}: no stages", origin))
        .hint("give a file that mem-profile --format json wrote");
  return records;
}

std::vector<StageRecordLine> read_memory_records(const std::filesystem::path& file) {
  return parse_memory_records(read_file(file, kLargestRecord), file.native());
}

}  // namespace frugal
