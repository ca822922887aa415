// How far a long job is, with its rate and an estimate, redrawn on one line of standard error. Where that is no
// terminal it draws nothing, and says a line every ten seconds under -v.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "app/cli/signals.h"

namespace frugal::cli {

enum class ProgressUnit { count, bytes };

/// Thread-safe. While it lives, Ctrl-C stops the job at the next update(), so that its files are cleaned up.
class Progress {
 public:
  /// `doing`: "indexing". `things`: "chunks" (ignored for bytes). total 0: not known.
  Progress(std::string doing, std::string things, uint64_t total = 0, ProgressUnit unit = ProgressUnit::count);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  /// Throws Interrupted if the user asked to stop.
  void update(uint64_t done);
  void update(uint64_t done, uint64_t total);

  /// Clears the line that is drawn, if any, so that something else can be written; the next update draws it again.
  static void hide_line();
  /// --no-progress.
  static void disable();

 private:
  using Clock = std::chrono::steady_clock;
  void draw(uint64_t done, Clock::time_point now);
  std::string line(uint64_t done, Clock::time_point now) const;

  const std::string doing_, things_;
  const ProgressUnit unit_;
  std::mutex mutex_;
  uint64_t total_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point next_draw_;
  GracefulStop graceful_;
};

}  // namespace frugal::cli
