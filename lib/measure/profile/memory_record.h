// The stages of a JSON-lines file that mem-profile wrote, read back: what `mem-profile diff` compares.
// Not the measuring (measure/profile/stage_profile.h) and not the writing (memory_report.h).
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace frugal {

/// A figure of a stage. Held: when the stage has ended, so a command has none. Anonymous memory is with swap.
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
/// Bytes, or milliseconds (elapsed) otherwise.
bool in_bytes(MemoryMetric metric);
/// A value as people read it: "1.5 MiB", "12.3 ms".
std::string format_metric(MemoryMetric metric, double value);

/// One metric by its name, or every one of a family: "anon" is peak_anon and held_anon. Throws Error(usage) that
/// suggests the nearest name.
std::vector<MemoryMetric> parse_metrics(std::string_view name);

struct StageRecordLine {
  std::string stage;  // "run embedder"; the second of that name is "run embedder #2"
  std::array<std::optional<double>, kMemoryMetrics> values;  // bytes or milliseconds; nullopt: not known
  std::optional<double> value(MemoryMetric metric) const { return values[static_cast<size_t>(metric)]; }
};

/// The stages of JSON lines, in order; alerts between them are passed over. `origin` names them in messages. Throws
/// Error(bad_input) with the line for what mem-profile did not write, Error(mismatch) for another schema_version.
std::vector<StageRecordLine> parse_memory_records(std::string_view lines, const std::string& origin);
/// Throws Error(io) too.
std::vector<StageRecordLine> read_memory_records(const std::filesystem::path& file);

}  // namespace frugal
