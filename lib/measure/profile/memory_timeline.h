// Draws a profile over time: an SVG, an HTML page with the SVG and a table, and a trace for Chrome and Perfetto. Each
// is one self-contained file: no scripts, no fonts, no external addresses. Colours follow the reader's light or dark
// setting.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "measure/profile/stage_profile.h"
#include "telemetry/command.h"

namespace frugal {

struct TimelineStage {
  std::string name;
  int64_t begin_ns = 0, end_ns = 0;  // steady clock
  std::string note;
};

/// Device memory in use at a moment; between two moments it is unknown and drawn as a straight line.
struct GpuPoint {
  int64_t time_ns = 0;
  uint64_t used_bytes = 0;
};

struct Timeline {
  std::string title;
  std::vector<TimelineStage> stages;  // in order, not overlapping
  std::vector<MemoryPoint> points;    // in order
  std::vector<GpuPoint> gpu;          // empty: no device
  std::optional<uint64_t> budget_bytes;
};

Timeline timeline_of(std::string title, const std::vector<StageProfile>& stages, std::optional<uint64_t> budget_bytes);
Timeline timeline_of(std::string title, const CommandResult& command);

/// Two charts over one time axis: all resident memory, with anonymous memory at the bottom; and anonymous memory alone,
/// often too small to see beside the weights. A third if there is a device. Stages are numbered bands.
std::string timeline_svg(const Timeline& timeline);
/// The SVG with a table of the stages.
std::string timeline_html(const Timeline& timeline);
/// Trace Event Format: stages as complete events ("X"), memory as counters ("C"), in microseconds from the first stage.
std::string timeline_trace(const Timeline& timeline);

/// Paths of the files to write; empty: not written.
struct TimelineFiles {
  std::string svg, html, trace;
};
/// Writes the files; each appears complete or not at all (base/file.h). Throws Error(io).
void publish_timeline(const TimelineFiles& files, const Timeline& timeline);

}  // namespace frugal
