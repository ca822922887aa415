// Settings that suit a kind of machine, in configs/profiles/*.yaml: beneath everything that the user has set.
// What the machine is like is told by the caller (app/cli/machine.h); this is the choice and the reading.
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

/// What a profile is chosen by.
struct Machine {
  uint64_t memory_bytes = 0;  // the machine's, or the cgroup's limit where that is less
  int processors = 1;         // that this process may run on
  bool gpu = false;           // one that libtorch could use
  bool ci = false;            // the environment variable CI is set, as runners do
  std::string architecture;   // as uname -m tells: x86_64, aarch64
};
/// "3.9 GiB of memory, 2 processors, no GPU, x86_64".
std::string describe(const Machine& machine);

struct HardwareProfile {
  std::string name;         // of the file, without .yaml
  std::string description;  // one line
  // What a machine must have to be one of these.
  uint64_t memory_at_least = 0;
  uint64_t memory_below = std::numeric_limits<uint64_t>::max();
  int64_t processors_at_most = std::numeric_limits<int64_t>::max();
  bool needs_gpu = false, needs_ci = false;
  std::string architecture;  // empty: any
  std::filesystem::path file;
};

/// Reads a profile's conditions, and its settings too so that a mistake there shows; `settings` stay as they are.
/// Throws Error(usage) naming file and line.
HardwareProfile read_hardware_profile(const std::filesystem::path& file, const SettingList& settings);
/// All of hardware_profile_files() (paths.h).
std::vector<HardwareProfile> hardware_profiles(const SettingList& settings);

/// Of those whose conditions `machine` meets the one with the most conditions, the first where several have as many.
/// null: none fits.
const HardwareProfile* choose_profile(std::span<const HardwareProfile> profiles, const Machine& machine);

/// Overrides `settings` by those of a profile's file.
void apply_profile(const SettingList& settings, const std::filesystem::path& file);

}  // namespace frugal
