#include "telemetry/trace.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace frugal {
namespace {

// A small file of /proc in one read, without a stream's locale machinery: this runs on the cold path.
size_t read_proc(const char* path, char* buffer, size_t capacity) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t got = ::read(fd, buffer, capacity - 1);
  ::close(fd);
  buffer[got > 0 ? got : 0] = '\0';
  return got > 0 ? static_cast<size_t>(got) : 0;
}

// Value in bytes of a "Name:   123 kB" line.
uint64_t status_bytes(const char* status, const char* name) {
  const char* line = std::strstr(status, name);
  return line ? std::strtoull(line + std::strlen(name), nullptr, 10) * 1024 : 0;
}

MemoryReading parse_status(const char* status) {
  MemoryReading reading;
  reading.anon_bytes = status_bytes(status, "RssAnon:");
  reading.file_bytes = status_bytes(status, "RssFile:");
  reading.shared_bytes = status_bytes(status, "RssShmem:");
  reading.swap_bytes = status_bytes(status, "VmSwap:");
  return reading;
}

// Field `number` of a /proc/PID/stat line, numbered from 1 as in proc(5), from 4 on. The name may hold spaces and
// parentheses, so fields are counted after the last one.
uint64_t stat_field(const char* stat, int number) {
  const char* field = std::strrchr(stat, ')');
  for (int i = 2; field && i < number; ++i) field = std::strchr(field + 1, ' ');
  return field ? std::strtoull(field, nullptr, 10) : 0;
}

}  // namespace

MemoryReading read_memory() {
  MemoryReading reading;
  char status[4096];
  if (read_proc("/proc/self/status", status, sizeof status) > 0) reading = parse_status(status);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  reading.minor_faults = static_cast<uint64_t>(usage.ru_minflt);
  reading.major_faults = static_cast<uint64_t>(usage.ru_majflt);
  return reading;
}

std::optional<MemoryReading> read_memory_of(int pid) {
  if (pid == 0) return read_memory();
  const std::string folder = "/proc/" + std::to_string(pid);
  char status[4096], stat[1024];
  if (read_proc((folder + "/status").c_str(), status, sizeof status) == 0) return std::nullopt;
  if (read_proc((folder + "/stat").c_str(), stat, sizeof stat) == 0) return std::nullopt;
  MemoryReading reading = parse_status(status);
  reading.minor_faults = stat_field(stat, 10);
  reading.major_faults = stat_field(stat, 12);
  return reading;
}

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
  return int64_t(now.tv_sec) * 1'000'000'000 + now.tv_nsec - static_cast<int64_t>(start_ticks) * tick_ns;
}

int64_t startup_ns() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  const int64_t tick_ns = 1'000'000'000 / ::sysconf(_SC_CLK_TCK);
  return std::max(int64_t(used.tv_sec) * 1'000'000'000 + used.tv_nsec, process_age_ns() - tick_ns);
}

}  // namespace frugal
