// Time, memory and faults of each stage of a job: the record that mem-profile, bench-latency and --timings all print.
// Not a sampling profiler: stages are the blocks that the code names.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "telemetry/process_memory.h"

namespace frugal {

struct StageRecord {
  std::string name;
  int64_t start_ns = 0;  // since the trace began
  int64_t elapsed_ns = 0;
  MemoryReading before, after;
  bool skipped = false;
  std::string note;  // why the stage was skipped, or its decision
};

class Trace {
 public:
  using Clock = std::chrono::steady_clock;

  using Now = std::function<Clock::time_point()>;

  /// With `memory` false, stages record time only. `now` is a parameter for the tests.
  explicit Trace(bool memory = false, Now now = Clock::now) : now_(std::move(now)), begin_(now_()), memory_(memory) {}

  /// Runs `body` as the stage `name` and returns its result. An exception passes through; the stage is recorded.
  template <typename Body>
  auto stage(std::string_view name, Body&& body) {
    Scope scope(*this, name);
    return body();
  }
  void skip(std::string_view name, std::string_view why);
  /// Time spent before the trace could begin (process start-up), as a stage of its own at the front.
  void add_startup(int64_t elapsed_ns);

  const std::vector<StageRecord>& stages() const { return stages_; }
  Clock::time_point now() const { return now_(); }
  /// Sum over the stages of that name, in nanoseconds; 0 if it never ran.
  int64_t elapsed_ns(std::string_view name) const;
  int64_t total_ns() const;

 private:
  class Scope {
   public:
    Scope(Trace& trace, std::string_view name);
    ~Scope();

   private:
    Trace& trace_;
    StageRecord record_;
    Clock::time_point begin_;
  };

  Now now_;
  Clock::time_point begin_;
  bool memory_;
  std::vector<StageRecord> stages_;
};

/// Nanoseconds since the kernel started this process (/proc/self/stat), to a resolution of one clock tick.
int64_t process_age_ns();

/// Nanoseconds from the start of this process to now, for its first lines: processor time it used, or its age less the
/// clock tick that the age may be too long by, whichever is more. Loading a program is work, so the two are close.
int64_t startup_ns();

}  // namespace frugal
