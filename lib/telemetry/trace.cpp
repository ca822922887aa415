#include "telemetry/trace.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/units.h"
#include "telemetry/pseudo_file.h"

namespace frugal {

Trace::Scope::Scope(Trace& trace, std::string_view name) : trace_(trace) {
  record_.name = name;
  if (trace_.memory_) record_.before = read_memory();
  begin_ = trace_.now_();
  record_.start_ns = std::chrono::nanoseconds(begin_ - trace_.begin_).count();
}

Trace::Scope::~Scope() {
  record_.elapsed_ns = std::chrono::nanoseconds(trace_.now_() - begin_).count();
  if (trace_.memory_) record_.after = read_memory();
  trace_.stages_.push_back(std::move(record_));
}

void Trace::skip(std::string_view name, std::string_view why) {
  StageRecord record;
  record.name = name;
  record.skipped = true;
  record.note = why;
  stages_.push_back(std::move(record));
}

void Trace::add_startup(int64_t elapsed_ns) {
  StageRecord record;
  record.name = "startup";
  record.start_ns = -elapsed_ns;
  record.elapsed_ns = elapsed_ns;
  stages_.insert(stages_.begin(), std::move(record));
}

int64_t Trace::elapsed_ns(std::string_view name) const {
  int64_t sum = 0;
  for (const StageRecord& stage : stages_)
    if (stage.name == name) sum += stage.elapsed_ns;
  return sum;
}

int64_t Trace::total_ns() const {
  const int64_t since_begin = std::chrono::nanoseconds(now_() - begin_).count();
  return since_begin + elapsed_ns("startup");
}

int64_t process_age_ns() {
  char stat[1024];
  if (read_proc("/proc/self/stat", stat, sizeof stat) == 0) return 0;
  const uint64_t start_ticks = stat_field(stat, 22);
  if (start_ticks == 0) return 0;
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const int64_t tick_ns = 1'000'000'000 / ::sysconf(_SC_CLK_TCK);
  return nanoseconds(now) - static_cast<int64_t>(start_ticks) * tick_ns;
}

int64_t startup_ns() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  const int64_t tick_ns = 1'000'000'000 / ::sysconf(_SC_CLK_TCK);
  return std::max(nanoseconds(used), process_age_ns() - tick_ns);
}

}  // namespace frugal
