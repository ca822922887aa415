// Where a figure was measured: without it a number cannot be compared with another.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace frugal {

struct ModelIdentity {
  std::string file;    // name without its folder
  std::string sha256;  // of the whole pack
  uint64_t bytes = 0;
};

struct Environment {
  std::string cpu;
  std::string isa;  // that the kernels use
  int cpus = 0;     // that this process may run on
  std::string kernel;
  std::optional<std::string> governor;  // of the first processor, where the machine has frequency scaling
  uint64_t memory_bytes = 0;
  std::vector<ModelIdentity> models;
};
Environment read_environment(const std::vector<std::filesystem::path>& packs);

/// Share of the processors' time since this object was made, over the whole machine, in percent.
class CpuShare {
 public:
  CpuShare();
  struct Percent {
    double busy = 0;   // anyone, us included
    double steal = 0;  // taken by the host for other guests
  };
  /// nullopt where /proc/stat does not tell.
  std::optional<Percent> since() const;

 private:
  struct Ticks {
    uint64_t total = 0, idle = 0, steal = 0;
  };
  static std::optional<Ticks> read();
  std::optional<Ticks> begin_;
};

}  // namespace frugal
