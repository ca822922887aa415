// Progress of a long job: amount done, rate and estimated time left, redrawn on one line of standard error. If standard
// error is not a terminal, nothing is drawn; with -v, a line is logged every ten seconds instead.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "app/cli/signals.h"

namespace frugal::cli {

enum class ProgressUnit { count, bytes };

/// Thread-safe. While it lives, Ctrl-C stops the job at the next update(), so that destructors remove unfinished files.
class Progress {
 public:
  /// `activity`: "indexing". `items`: "chunks" (ignored for bytes). `total`: items or bytes; 0: unknown.
  Progress(std::string activity, std::string items, uint64_t total = 0, ProgressUnit unit = ProgressUnit::count);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  /// `done`: items or bytes so far. Throws Interrupted after SIGINT or SIGTERM.
  void update(uint64_t done);
  void update(uint64_t done, uint64_t total);

  /// Clears the drawn line, if any, so that other output can be written. The next update draws it again.
  static void hide_line();
  /// Draws no line from now on (--no-progress).
  static void disable();

 private:
  using Clock = std::chrono::steady_clock;
  void draw(uint64_t done, Clock::time_point now);
  std::string line(uint64_t done, Clock::time_point now) const;

  const std::string activity_, items_;
  const ProgressUnit unit_;
  std::mutex mutex_;
  uint64_t total_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point next_draw_;
  GracefulStop graceful_;
};

}  // namespace frugal::cli
