// Hardware profiles: settings that suit a kind of machine, from configs/profiles/*.yaml. They replace defaults, and
// every setting of the user overrides them. This header reads profiles and chooses among them; app/cli/machine.h reads
// the machine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/setting_list.h"

namespace frugal {

/// The properties by which a profile is chosen.
struct Machine {
  uint64_t memory_bytes = 0;  // total memory of the machine, or the cgroup's limit if that is less
  int processors = 1;         // processors that this process may run on
  bool gpu = false;           // has a GPU that libtorch can use
  bool ci = false;            // the environment variable CI is set, as on CI runners
  std::string architecture;   // output of uname -m: x86_64, aarch64
};
/// Describes it for messages: "3.9 GiB of memory, 2 processors, no GPU, x86_64".
std::string describe(const Machine& machine);

struct HardwareProfile {
  std::string name;         // name of the file without .yaml
  std::string description;  // one line
  // Conditions, all of which a machine must meet.
  uint64_t memory_at_least = 0;
  uint64_t memory_below = std::numeric_limits<uint64_t>::max();
  int64_t processors_at_most = std::numeric_limits<int64_t>::max();
  bool needs_gpu = false, needs_ci = false;
  std::string architecture;  // empty: any
  std::filesystem::path file;
};

/// Reads a profile's conditions, and validates its settings against `settings`, whose values do not change. Throws
/// Error(usage) naming file and line.
HardwareProfile read_hardware_profile(const std::filesystem::path& file, const SettingList& settings);
/// Reads all of hardware_profile_files() (paths.h). Throws like read_hardware_profile().
std::vector<HardwareProfile> hardware_profiles(const SettingList& settings);

/// The profile with the most conditions among those that `machine` meets; the first of several with as many. null: none
/// fits.
const HardwareProfile* choose_profile(std::span<const HardwareProfile> profiles, const Machine& machine);

/// Overrides `settings` by those of the profile in `file`. Throws Error(usage) naming file and line.
void apply_profile(const SettingList& settings, const std::filesystem::path& file);

}  // namespace frugal
