#include "app/cli/machine.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <filesystem>

#include "app/cli/output.h"
#include "app/config/paths.h"
#include "base/cpu.h"
#include "base/error.h"
#include "compute/ops/plugin.h"
#include "telemetry/system_memory.h"

namespace frugal::cli {
namespace {

// True for a GPU that can be used: its driver is loaded and the torch plugin is installed.
bool has_gpu() {
  std::error_code unreadable;
  if (!std::filesystem::exists("/proc/driver/nvidia/version", unreadable)) return false;
  try {
    find_torch();
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

Machine read_machine() {
  const SystemMemory system = read_system_memory();
  Machine machine;
  machine.memory_bytes = system.limit_bytes();
  machine.processors = available_cpus();
  machine.gpu = has_gpu();
  const char* ci = std::getenv("CI");
  machine.ci = ci && *ci;
  utsname name{};
  if (::uname(&name) == 0) machine.architecture = name.machine;
  return machine;
}

void apply_named_profile(const SettingList& settings, const std::string& name) {
  if (name != "auto") return apply_profile(settings, find_hardware_profile(name));
  const Machine machine = read_machine();
  const std::vector<HardwareProfile> profiles = hardware_profiles(settings);
  const HardwareProfile* chosen = choose_profile(profiles, machine);
  if (!chosen)
    return print_message(fmt::format("profile: none fits this machine ({}); the defaults are used", describe(machine)));
  print_message(fmt::format("profile: {} ({}), for {}", chosen->name, chosen->description, describe(machine)));
  apply_profile(settings, chosen->file);
}

}  // namespace frugal::cli
