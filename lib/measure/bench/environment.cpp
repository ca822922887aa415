#include "measure/bench/environment.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "telemetry/system_memory.h"

namespace frugal {
namespace {

// The content of a file of /proc or /sys without its last line feed; empty if there is no such file.
std::optional<std::string> read_line(const char* path) {
  try {
    const std::string text = read_file(path, 1 << 20);
    return text.substr(0, text.find('\n'));
  } catch (const Error&) {
    return std::nullopt;
  }
}

double own_seconds() {
  double seconds = 0;
  for (const int whose : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    ::getrusage(whose, &usage);
    for (const timeval& time : {usage.ru_utime, usage.ru_stime})
      seconds += static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  }
  return seconds;
}

}  // namespace

Environment read_environment(const std::vector<std::filesystem::path>& packs) {
  Environment environment;
  environment.cpu = cpu_model();
  environment.isa = to_string(choose_isa());
  environment.cpus = available_cpus();
  utsname system{};
  if (::uname(&system) == 0) environment.kernel = std::string(system.sysname) + " " + system.release;
  environment.governor = read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  environment.memory_bytes = read_system_memory().total_bytes;
  for (const std::filesystem::path& pack : packs)
    environment.models.push_back({pack.filename().native(), sha256_file(pack), std::filesystem::file_size(pack)});
  return environment;
}

CpuShare::CpuShare() : begin_(read()) {}

// First line of /proc/stat: cpu user nice system idle iowait irq softirq steal guest guest_nice, in ticks. Guest time
// is part of user time already.
std::optional<CpuShare::Ticks> CpuShare::read() {
  const std::optional<std::string> line = read_line("/proc/stat");
  if (!line) return std::nullopt;
  std::istringstream fields(line->substr(line->find(' ') + 1));
  Ticks ticks;
  uint64_t value = 0;
  for (int field = 0; field < 8 && fields >> value; ++field) {
    ticks.total += value;
    if (field == 3 || field == 4) ticks.idle += value;
    if (field == 7) ticks.steal = value;
  }
  ticks.own = own_seconds() * static_cast<double>(::sysconf(_SC_CLK_TCK));
  return ticks;
}

std::optional<CpuShare::Percent> CpuShare::since() const {
  const std::optional<Ticks> now = read();
  if (!begin_ || !now || now->total <= begin_->total) return std::nullopt;
  const double total = static_cast<double>(now->total - begin_->total);
  const double idle = static_cast<double>(now->idle - begin_->idle);
  const double busy = 100 * (1 - idle / total), own = 100 * (now->own - begin_->own) / total;
  return Percent{busy, 100 * static_cast<double>(now->steal - begin_->steal) / total, std::max(0.0, busy - own)};
}

}  // namespace frugal
