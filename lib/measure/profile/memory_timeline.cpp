#include "measure/profile/memory_timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include <simdjson.h>

#include "base/ascii.h"
#include "base/output_file.h"
#include "base/units.h"
#include "measure/report/json.h"

namespace frugal {
namespace {

// Sizes in pixels; the SVG scales to its container.
constexpr double kWidth = 1000, kLeftMargin = 84, kRightMargin = 24;
constexpr double kPlotWidth = kWidth - kLeftMargin - kRightMargin;
constexpr double kTitleHeight = 58, kTagHeight = 46, kPanelHeight = 190, kPanelGap = 44, kAxisHeight = 52,
                 kKeyHeight = 18;
constexpr double kTagSpacing = 22;
// A generous estimate of a character's width in the sans-serif face at 12 px.
constexpr double kCharacterWidth = 7.2;

// Classes instead of attributes: one rule changes a colour for dark mode.
constexpr std::string_view kStyle = R"(<style>
.page { fill: #ffffff } text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: #24292f }
.title { font-size: 16px; font-weight: 600 } .dim { fill: #57606a } .number { font-size: 11px; font-weight: 600 }
.grid { stroke: #d0d7de; stroke-width: 1 } .frame { stroke: #8c959f; stroke-width: 1; fill: none }
.band0 { fill: #f6f8fa } .band1 { fill: #e7edf3 } .leader { stroke: #8c959f; fill: none }
.anon { fill: #0969da } .file { fill: #a6d8ae } .shared { fill: #e3b341 }
.gpu { stroke: #8250df; stroke-width: 2; fill: none } .gpu-key { fill: #8250df }
.budget { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 6 4 } .budget-text { fill: #cf222e }
.halo { paint-order: stroke; stroke: #ffffff; stroke-width: 3px; stroke-linejoin: round }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117 } text { fill: #e6edf3 } .dim { fill: #9da7b3 }
.grid { stroke: #30363d } .frame { stroke: #6e7681 }
.band0 { fill: #161b22 } .band1 { fill: #1f2730 } .leader { stroke: #6e7681 }
.anon { fill: #58a6ff } .file { fill: #2c6b3a } .shared { fill: #9e6a03 }
.gpu { stroke: #bc8cff } .gpu-key { fill: #bc8cff } .budget { stroke: #ff7b72 } .budget-text { fill: #ff7b72 }
.halo { stroke: #0d1117 }
}
</style>
)";

// Shortened to fit a title's line, and valid UTF-8 whatever the arguments of the command.
std::string escape(std::string_view text) {
  constexpr size_t kLongest = 96;
  const bool utf8 = simdjson::validate_utf8(text.data(), text.size());
  std::string escaped;
  size_t characters = 0;
  for (const char c : text) {
    const bool continues = utf8 && is_continuation(c);
    if (!continues && ++characters > kLongest) return escaped + "…";
    if (c == '<')
      escaped += "&lt;";
    else if (c == '>')
      escaped += "&gt;";
    else if (c == '&')
      escaped += "&amp;";
    else if (c == '"')
      escaped += "&quot;";
    else if (static_cast<unsigned char>(c) < 0x20 || (!utf8 && static_cast<unsigned char>(c) >= 0x80))
      escaped += ' ';
    else
      escaped += c;
  }
  return escaped;
}

// A step such that about five fit below `max`: 1, 2 or 5 times a power of ten.
double nice_step(double max) {
  const double rough = std::max(max, 1e-9) / 5, power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough) return factor * power;
  return 10 * power;
}

// The same in bytes: a power of two, which is a whole number of KiB, MiB or GiB.
double nice_byte_step(double max) {
  return std::max<double>(kKiB, std::exp2(std::ceil(std::log2(std::max(max, 1.0) / 5))));
}

// "64 MiB" of a whole multiple, without the decimals that format_bytes gives a measured figure.
std::string axis_bytes(double bytes) {
  for (const auto& [unit, name] : {std::pair(kGiB, "GiB"), std::pair(kMiB, "MiB"), std::pair(kKiB, "KiB")})
    if (bytes >= static_cast<double>(unit)) return fmt::format("{:g} {}", bytes / static_cast<double>(unit), name);
  return "0";
}

std::string axis_time(double ms, double step_ms) {
  return step_ms >= 1000 ? fmt::format("{:g} s", ms / 1000) : fmt::format("{:g} ms", ms);
}

uint64_t resident(const MemoryPoint& point) {
  return point.anon_with_swap_bytes + point.file_bytes + point.shared_bytes;
}

int64_t first_ns(const Timeline& timeline) {
  int64_t first = INT64_MAX;
  for (const TimelineStage& stage : timeline.stages) first = std::min(first, stage.begin_ns);
  for (const MemoryPoint& point : timeline.points) first = std::min(first, point.time_ns);
  return first == INT64_MAX ? 0 : first;
}

int64_t last_ns(const Timeline& timeline) {
  int64_t last = first_ns(timeline) + 1;
  for (const TimelineStage& stage : timeline.stages) last = std::max(last, stage.end_ns);
  for (const MemoryPoint& point : timeline.points) last = std::max(last, point.time_ns);
  return last;
}

// The drawing. Axes are laid out first, so that everything is placed by time and bytes.
class Drawing {
 public:
  /// `keys`: the names of the stages stand under the picture, for where there is no table.
  Drawing(const Timeline& timeline, bool keys)
      : timeline_(timeline),
        keys_(keys),
        first_ns_(first_ns(timeline)),
        span_ns_(static_cast<double>(last_ns(timeline) - first_ns_)) {}

  std::string svg() {
    const double top = kTitleHeight + kTagHeight;
    const int panels = timeline_.gpu.empty() ? 2 : 3;
    plot_bottom_ = top + panels * kPanelHeight + (panels - 1) * kPanelGap;
    const std::vector<std::string> keys = keys_ ? stage_keys() : std::vector<std::string>();
    const double height = plot_bottom_ + kAxisHeight + kKeyHeight * static_cast<double>(keys.size());
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"{}\">\n", kWidth,
        height, escape(timeline_.title));
    out_ += kStyle;
    out_ += fmt::format("<rect class=\"page\" width=\"{:g}\" height=\"{:g}\"/>\n", kWidth, height);
    draw_title();
    draw_bands(top);
    draw_resident(top);
    draw_anonymous(top + kPanelHeight + kPanelGap);
    if (!timeline_.gpu.empty()) draw_gpu(top + 2 * (kPanelHeight + kPanelGap));
    draw_time_axis();
    double y = plot_bottom_ + kAxisHeight + 4;
    for (const std::string& line : keys) {
      add("<text class=\"dim\" x=\"{:g}\" y=\"{:g}\">{}</text>\n", kLeftMargin, y, line);
      y += kKeyHeight;
    }
    return out_ + "</svg>\n";
  }

 private:
  template <typename... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }
  double x_of(int64_t time_ns) const {
    return kLeftMargin + kPlotWidth * static_cast<double>(time_ns - first_ns_) / span_ns_;
  }

  void draw_title() {
    add("<text class=\"title\" x=\"{:g}\" y=\"24\">{}</text>\n", kLeftMargin, escape(timeline_.title));
    double x = kLeftMargin;
    const auto key = [&](const char* name, const char* label) {
      add("<rect class=\"{}\" x=\"{:g}\" y=\"36\" width=\"12\" height=\"12\"/>", name, x);
      add("<text x=\"{:g}\" y=\"46\">{}</text>\n", x + 17, label);
      x += 17 + kCharacterWidth * static_cast<double>(std::string_view(label).size()) + 22;
    };
    key("anon", "anonymous, with swap");
    key("file", "file-backed");
    if (std::any_of(timeline_.points.begin(), timeline_.points.end(), [](const auto& p) { return p.shared_bytes > 0; }))
      key("shared", "shared");
    if (!timeline_.gpu.empty()) key("gpu-key", "GPU, in use");
  }

  // "1 load embedder   2 run embedder …" in lines that fit.
  std::vector<std::string> stage_keys() const {
    std::vector<std::string> lines;
    double width = kPlotWidth;
    for (size_t i = 0; i < timeline_.stages.size(); ++i) {
      const std::string& name = timeline_.stages[i].name;
      const double needed = kCharacterWidth * static_cast<double>(name.size() + 7);
      if (width + needed > kPlotWidth) {
        lines.emplace_back();
        width = 0;
      }
      lines.back() += fmt::format("{}{} {}", width > 0 ? "\u2003" : "", i + 1, escape(name));
      width += needed;
    }
    return lines;
  }

  // A numbered tag above each stage, pushed apart where stages are short, with a line to its place.
  void draw_bands(double top) {
    std::vector<double> tags;
    for (const TimelineStage& stage : timeline_.stages)
      tags.push_back(std::max((x_of(stage.begin_ns) + x_of(stage.end_ns)) / 2,
                              tags.empty() ? kLeftMargin : tags.back() + kTagSpacing));
    double limit = kWidth - kRightMargin;
    for (auto tag = tags.rbegin(); tag != tags.rend(); ++tag, limit -= kTagSpacing) *tag = std::min(*tag, limit);
    for (size_t i = 0; i < tags.size(); ++i) draw_band(i, top, tags);
  }

  void draw_band(size_t i, double top, const std::vector<double>& tags) {
    const TimelineStage& stage = timeline_.stages[i];
    const double x = x_of(stage.begin_ns), width = std::max(1.0, x_of(stage.end_ns) - x), middle = x + width / 2;
    const std::string name = escape(stage.name);
    add("<g><title>{}. {}: {:.1f} ms{}{}</title>", i + 1, name, to_milliseconds(stage.end_ns - stage.begin_ns),
        stage.note.empty() ? "" : ", ", escape(stage.note));
    add("<rect class=\"band{}\" x=\"{:.1f}\" y=\"{:g}\" width=\"{:.1f}\" height=\"{:g}\"/>", i % 2, x, top, width,
        plot_bottom_ - top);
    const double number_y = kTitleHeight + 20, tag = tags[i];
    add("<path class=\"leader\" d=\"M{:.1f} {:g}V{:g}L{:.1f} {:g}\"/>", tag, number_y + 4, number_y + 10, middle, top);
    // The name stands beside its number where neither a neighbour's number nor the edge is in the way.
    const double half = (kCharacterWidth * static_cast<double>(stage.name.size() + 4)) / 2;
    const bool left_free = tag - half > (i == 0 ? 0 : tags[i - 1] + kTagSpacing / 2);
    const bool right_free = tag + half < (i + 1 == tags.size() ? kWidth : tags[i + 1] - kTagSpacing / 2);
    const bool named = left_free && right_free && 2 * half < width;
    add("<text class=\"number\" x=\"{:.1f}\" y=\"{:g}\" text-anchor=\"middle\">{}{}{}</text></g>\n", tag, number_y,
        i + 1, named ? " " : "", named ? name : "");
  }

  struct Panel {
    double top, max;
    double y_of(double bytes) const { return top + kPanelHeight * (1 - bytes / max); }
  };

  // The frame, with a line at each whole number of KiB, MiB or GiB; `max` fits with some room above.
  Panel draw_panel(double top, double max, const char* label) {
    const double step = nice_byte_step(max * 1.05);
    const Panel panel{top, step * std::max(1.0, std::ceil(max * 1.05 / step))};
    for (double value = 0; value <= panel.max; value += step) {
      const double y = panel.y_of(value);
      add("<path class=\"grid\" d=\"M{:g} {:.1f}H{:g}\"/>", kLeftMargin, y, kWidth - kRightMargin);
      add("<text class=\"dim\" x=\"{:g}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", kLeftMargin - 8, y + 4,
          axis_bytes(value));
    }
    add("<text class=\"dim\" x=\"{:g}\" y=\"{:g}\">{}</text>\n", kLeftMargin, top + kPanelHeight + 18, label);
    return panel;
  }

  void draw_frame(const Panel& panel) {
    add("<rect class=\"frame\" x=\"{:g}\" y=\"{:g}\" width=\"{:g}\" height=\"{:g}\"/>\n", kLeftMargin, panel.top,
        kPlotWidth, kPanelHeight);
  }

  // The area from the axis to value(point). Areas are drawn from the tallest sum down, each over the one before.
  template <typename Value>
  void draw_area(const Panel& panel, const char* name, Value&& value) {
    if (timeline_.points.empty()) return;
    add("<path class=\"{}\" d=\"M{:.1f} {:.1f}", name, x_of(timeline_.points.front().time_ns), panel.y_of(0));
    for (const MemoryPoint& point : timeline_.points)
      add("L{:.1f} {:.1f}", x_of(point.time_ns), panel.y_of(static_cast<double>(value(point))));
    add("L{:.1f} {:.1f}Z\"/>\n", x_of(timeline_.points.back().time_ns), panel.y_of(0));
  }

  void draw_resident(double top) {
    uint64_t max = timeline_.budget_bytes.value_or(0);
    for (const MemoryPoint& point : timeline_.points) max = std::max(max, resident(point));
    const Panel panel = draw_panel(top, static_cast<double>(max), "all resident memory");
    draw_area(panel, "shared", resident);
    draw_area(panel, "file", [](const MemoryPoint& p) { return p.anon_with_swap_bytes + p.file_bytes; });
    draw_area(panel, "anon", [](const MemoryPoint& p) { return p.anon_with_swap_bytes; });
    if (timeline_.budget_bytes) draw_budget(panel);
    draw_frame(panel);
  }

  void draw_budget(const Panel& panel) {
    const double y = panel.y_of(static_cast<double>(*timeline_.budget_bytes));
    add("<path class=\"budget\" d=\"M{:g} {:.1f}H{:g}\"/>", kLeftMargin, y, kWidth - kRightMargin);
    add("<text class=\"budget-text halo\" x=\"{:g}\" y=\"{:.1f}\" text-anchor=\"end\">budget {}</text>\n",
        kWidth - kRightMargin - 6, y - 5, format_bytes(*timeline_.budget_bytes));
  }

  void draw_anonymous(double top) {
    const auto larger = [](const MemoryPoint& a, const MemoryPoint& b) {
      return a.anon_with_swap_bytes < b.anon_with_swap_bytes;
    };
    const auto peak = std::max_element(timeline_.points.begin(), timeline_.points.end(), larger);
    const bool any = peak != timeline_.points.end();
    const double max = any ? static_cast<double>(peak->anon_with_swap_bytes) : 0;
    const Panel panel = draw_panel(top, max * 1.1, "anonymous memory alone, on its own scale");
    draw_area(panel, "anon", [](const MemoryPoint& p) { return p.anon_with_swap_bytes; });
    draw_frame(panel);
    if (!any) return;
    const double x = x_of(peak->time_ns);
    const char* anchor = x < kLeftMargin + 70 ? "start" : x > kWidth - kRightMargin - 70 ? "end" : "middle";
    add("<text class=\"halo\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">peak {}</text>\n", x, panel.y_of(max) - 6,
        anchor, format_bytes(peak->anon_with_swap_bytes));
  }

  void draw_gpu(double top) {
    uint64_t max = 0;
    for (const GpuPoint& point : timeline_.gpu) max = std::max(max, point.used_bytes);
    const Panel panel = draw_panel(top, static_cast<double>(max), "GPU memory in use, read between stages");
    std::string path;
    for (const GpuPoint& point : timeline_.gpu)
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? 'M' : 'L', x_of(point.time_ns),
                          panel.y_of(static_cast<double>(point.used_bytes)));
    add("<path class=\"gpu\" d=\"{}\"/>\n", path);
    draw_frame(panel);
  }

  void draw_time_axis() {
    const double total_ms = span_ns_ / 1e6, step = nice_step(total_ms);
    for (double ms = 0; ms <= total_ms; ms += step) {
      const double x = kLeftMargin + kPlotWidth * ms / total_ms;
      add("<path class=\"grid\" d=\"M{:.1f} {:g}v6\"/>", x, plot_bottom_);
      add("<text class=\"dim\" x=\"{:.1f}\" y=\"{:g}\" text-anchor=\"middle\">{}</text>\n", x, plot_bottom_ + 38,
          axis_time(ms, step));
    }
  }

  const Timeline& timeline_;
  bool keys_;
  int64_t first_ns_;
  double span_ns_;
  double plot_bottom_ = 0;
  std::string out_;
};

struct StagePeaks {
  uint64_t anon = 0, file = 0;
};

StagePeaks peaks_within(const Timeline& timeline, const TimelineStage& stage) {
  StagePeaks peaks;
  for (const MemoryPoint& point : timeline.points) {
    if (point.time_ns < stage.begin_ns || point.time_ns > stage.end_ns) continue;
    peaks.anon = std::max(peaks.anon, point.anon_with_swap_bytes);
    peaks.file = std::max(peaks.file, point.file_bytes);
  }
  return peaks;
}

MemoryPoint point_at(int64_t time_ns, const MemorySnapshot& snapshot) {
  const MemoryReading& reading = snapshot.process.resident;
  return {time_ns, reading.anon_bytes + reading.swap_bytes, reading.file_bytes, reading.shared_bytes};
}

void add_gpu(std::vector<GpuPoint>& points, int64_t time_ns, const MemorySnapshot& snapshot) {
  if (snapshot.gpu && snapshot.gpu->used_bytes) points.push_back({time_ns, *snapshot.gpu->used_bytes});
}

}  // namespace

Timeline timeline_of(std::string title, const std::vector<StageProfile>& stages, std::optional<uint64_t> budget_bytes) {
  Timeline timeline{std::move(title), {}, {}, {}, budget_bytes};
  for (const StageProfile& stage : stages) {
    const int64_t end_ns = stage.begin_ns + stage.elapsed_ns;
    timeline.stages.push_back({stage.name, stage.begin_ns, end_ns, {}});
    // The sampler's last reading comes after the end: it is the snapshot's that counts.
    timeline.points.push_back(point_at(stage.begin_ns, stage.before));
    for (const MemoryPoint& point : stage.series)
      if (point.time_ns > stage.begin_ns && point.time_ns <= end_ns) timeline.points.push_back(point);
    timeline.points.push_back(point_at(end_ns, stage.after));
    add_gpu(timeline.gpu, stage.begin_ns, stage.before);
    add_gpu(timeline.gpu, end_ns, stage.after);
  }
  return timeline;
}

Timeline timeline_of(std::string title, const CommandResult& command) {
  Timeline timeline{std::move(title), {}, command.series, {}, std::nullopt};
  timeline.stages.push_back({"command", command.begin_ns, command.begin_ns + command.elapsed_ns, {}});
  return timeline;
}

std::string timeline_svg(const Timeline& timeline) {
  return Drawing(timeline, true).svg();
}

std::string timeline_html(const Timeline& timeline) {
  std::string html = fmt::format(R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{}</title>
<style>
body {{ font: 14px system-ui, "DejaVu Sans", sans-serif; max-width: 1100px; margin: 24px auto; padding: 0 16px;
  background: #ffffff; color: #24292f }}
svg {{ width: 100%; height: auto }} table {{ border-collapse: collapse; margin-top: 16px }}
th, td {{ padding: 4px 14px 4px 0; text-align: right; border-bottom: 1px solid #d0d7de; white-space: nowrap }}
th:nth-child(2), td:nth-child(2) {{ text-align: left }} th {{ font-weight: 600 }}
@media (prefers-color-scheme: dark) {{ body {{ background: #0d1117; color: #e6edf3 }}
th, td {{ border-color: #30363d }} }}
</style></head><body>
)",
                                 escape(timeline.title));
  html += Drawing(timeline, false).svg();
  html +=
      "<table><thead><tr><th>#</th><th>stage</th><th>start</th><th>time</th><th>anonymous peak</th>"
      "<th>file-backed peak</th></tr></thead><tbody>\n";
  for (size_t i = 0; i < timeline.stages.size(); ++i) {
    const TimelineStage& stage = timeline.stages[i];
    const StagePeaks peaks = peaks_within(timeline, stage);
    html +=
        fmt::format("<tr><td>{}</td><td>{}</td><td>{:.1f} ms</td><td>{:.1f} ms</td><td>{}</td><td>{}</td></tr>\n",
                    i + 1, escape(stage.name), to_milliseconds(stage.begin_ns - first_ns(timeline)),
                    to_milliseconds(stage.end_ns - stage.begin_ns), format_bytes(peaks.anon), format_bytes(peaks.file));
  }
  return html + "</tbody></table>\n</body></html>\n";
}

std::string timeline_trace(const Timeline& timeline) {
  using Json = nlohmann::ordered_json;
  const int64_t begin = first_ns(timeline);
  const auto at = [&](int64_t time_ns) { return static_cast<double>(time_ns - begin) / 1e3; };
  Json events = Json::array();
  events.push_back({{"name", "process_name"}, {"ph", "M"}, {"pid", 1}, {"args", {{"name", timeline.title}}}});
  for (const TimelineStage& stage : timeline.stages)
    events.push_back({{"name", stage.name},
                      {"ph", "X"},
                      {"pid", 1},
                      {"tid", 1},
                      {"ts", at(stage.begin_ns)},
                      {"dur", static_cast<double>(stage.end_ns - stage.begin_ns) / 1e3},
                      {"args", {{"note", stage.note}}}});
  for (const MemoryPoint& point : timeline.points)
    events.push_back({{"name", "memory"},
                      {"ph", "C"},
                      {"pid", 1},
                      {"ts", at(point.time_ns)},
                      {"args",
                       {{"anonymous_bytes", point.anon_with_swap_bytes},
                        {"file_bytes", point.file_bytes},
                        {"shared_bytes", point.shared_bytes}}}});
  for (const GpuPoint& point : timeline.gpu)
    events.push_back({{"name", "gpu"},
                      {"ph", "C"},
                      {"pid", 1},
                      {"ts", at(point.time_ns)},
                      {"args", {{"used_bytes", point.used_bytes}}}});
  const Json trace = {{"displayTimeUnit", "ms"}, {"traceEvents", events}};
  return json_line(trace);
}

void publish_timeline(const TimelineFiles& files, const Timeline& timeline) {
  if (!files.svg.empty()) write_output(files.svg, timeline_svg(timeline));
  if (!files.html.empty()) write_output(files.html, timeline_html(timeline));
  if (!files.trace.empty()) write_output(files.trace, timeline_trace(timeline));
}

}  // namespace frugal
