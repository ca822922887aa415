#include "app/cli/progress.h"

#include <fmt/format.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "app/cli/output.h"
#include "base/log.h"
#include "base/units.h"

namespace frugal::cli {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kSparseLines = std::chrono::seconds(10);

std::atomic<bool> disabled{false};
std::atomic<bool> line_is_drawn{false};

bool can_redraw() {
  const char* term = std::getenv("TERM");
  return !disabled && stderr_is_terminal() && !(term && std::string_view(term) == "dumb");
}

std::string amount(uint64_t value, ProgressUnit unit) {
  return unit == ProgressUnit::bytes ? format_bytes(value) : fmt::format("{}", value);
}

std::string duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole >= 3600) return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace

Progress::Progress(std::string activity, std::string items, uint64_t total, ProgressUnit unit)
    : activity_(std::move(activity)), items_(std::move(items)), unit_(unit), total_(total) {
  // The first draw is delayed, so that a short job draws nothing.
  next_draw_ = begin_ + (can_redraw() ? Clock::duration(kRedraw) : Clock::duration(kSparseLines));
}

Progress::~Progress() {
  hide_line();
}

void Progress::update(uint64_t done) {
  throw_if_interrupted();
  std::lock_guard lock(mutex_);
  const Clock::time_point now = Clock::now();
  if (now >= next_draw_) draw(done, now);
}

void Progress::update(uint64_t done, uint64_t total) {
  {
    std::lock_guard lock(mutex_);
    total_ = total;
  }
  update(done);
}

void Progress::draw(uint64_t done, Clock::time_point now) {
  if (can_redraw()) {
    next_draw_ = now + kRedraw;
    line_is_drawn = true;
    std::fputs(fmt::format("\r\x1b[K{}", line(done, now)).c_str(), stderr);
  } else {
    next_draw_ = now + kSparseLines;
    log(LogLevel::info, "{}", line(done, now));
  }
}

std::string Progress::line(uint64_t done, Clock::time_point now) const {
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string text = fmt::format("{} {}", activity_, amount(done, unit_));
  if (total_ > 0) text += fmt::format("/{} ({}%)", amount(total_, unit_), done * 100 / total_);
  if (unit_ == ProgressUnit::bytes) {
    text += fmt::format(", {}/s", format_bytes(static_cast<uint64_t>(rate)));
  } else {
    text += fmt::format(" {}, {:.3g}/s", items_, rate);
  }
  if (total_ > done && rate > 0) text += fmt::format(", {} left", duration(static_cast<double>(total_ - done) / rate));
  return text;
}

void Progress::hide_line() {
  if (line_is_drawn.exchange(false)) std::fputs("\r\x1b[K", stderr);
}

void Progress::disable() {
  disabled = true;
}

}  // namespace frugal::cli
