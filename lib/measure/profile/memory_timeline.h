// What a profile looks like over time: an SVG, an HTML page with its table, and a trace for Chrome and Perfetto.
// Each is one file that needs nothing else: no scripts, no fonts, no addresses. Colours follow the reader's light or
// dark setting.
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
  int64_t begin_ns = 0, end_ns = 0;  // of the steady clock
  std::string note;
};

/// Bytes of a device at a moment; between two moments it is not known and drawn straight.
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

/// Two charts over one time axis: all resident memory with anonymous at the bottom, and anonymous alone, which is
/// often too little to be seen beside the weights; a third where there is a device. Stages are numbered bands.
std::string timeline_svg(const Timeline& timeline);
/// The SVG with a table of the stages.
std::string timeline_html(const Timeline& timeline);
/// Trace Event Format: stages as complete events ("X"), memory as counters ("C"), in microseconds from the first stage.
std::string timeline_trace(const Timeline& timeline);

/// Where to write what; empty: not.
struct TimelineFiles {
  std::string svg, html, trace;
};
/// Whole or not at all (base/file.h). Throws Error(io).
void publish_timeline(const TimelineFiles& files, const Timeline& timeline);

}  // namespace frugal
