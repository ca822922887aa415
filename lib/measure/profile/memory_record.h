// Reads back the stages of a JSON-lines file written by mem-profile: the input of `mem-profile diff`. Not the measuring
// (measure/profile/stage_profile.h) and not the writing (memory_report.h).
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace frugal {

/// A figure of a stage. held_… is the memory at the end of the stage; a profiled command has none. Anonymous memory
/// includes swap.
enum class MemoryMetric {
  peak_anon,
  held_anon,
  peak_pss,
  held_pss,
  peak_file,
  held_file,
  held_rss,
  peak_gpu,
  elapsed,
};
constexpr int kMemoryMetrics = 9;
std::string_view to_string(MemoryMetric metric);
/// True if the figure is in bytes; otherwise it is in milliseconds (elapsed).
bool in_bytes(MemoryMetric metric);
/// A value for people: "1.5 MiB", "12.3 ms".
std::string format_metric(MemoryMetric metric, double value);

/// The metric `name`, or all metrics of a family: "anon" is peak_anon and held_anon. Empty for another name.
std::vector<MemoryMetric> find_metrics(std::string_view name);
/// The same; throws unknown_figure() for another name.
std::vector<MemoryMetric> parse_metrics(std::string_view name);
/// Error(usage): `name` is neither a metric nor one of `others`. The hint suggests the nearest name, or lists all.
Error unknown_figure(std::string_view name, std::span<const std::string_view> others);

struct StageRecordLine {
  std::string stage;  // "run embedder"; the second of that name is "run embedder #2"
  std::array<std::optional<double>, kMemoryMetrics> values;  // bytes or milliseconds; nullopt: unknown
  std::optional<double> value(MemoryMetric metric) const { return values[static_cast<size_t>(metric)]; }
};

/// Parses the stages of JSON lines, in order, skipping alerts between them. `origin` names the source in messages.
/// Throws Error(bad_input) with the line number for lines not written by mem-profile, Error(mismatch) for another
/// schema_version.
std::vector<StageRecordLine> parse_memory_records(std::string_view lines, const std::string& origin);
/// Reads a file; also throws Error(io).
std::vector<StageRecordLine> read_memory_records(const std::filesystem::path& file);

}  // namespace frugal
