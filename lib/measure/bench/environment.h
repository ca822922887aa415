// The environment of a measurement: figures are comparable only with it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace frugal {

struct ModelIdentity {
  std::string file;    // name without its folder
  std::string sha256;  // hash of the whole pack
  uint64_t bytes = 0;
};

struct Environment {
  std::string cpu;
  std::string isa;  // used by the kernels
  int cpus = 0;     // available to this process
  std::string kernel;
  std::optional<std::string> governor;  // frequency governor of the first processor, if there is one
  uint64_t memory_bytes = 0;
  std::vector<ModelIdentity> models;
};
Environment read_environment(const std::vector<std::filesystem::path>& packs);

/// The share of processor time used since construction, over the whole machine, in percent.
class CpuShare {
 public:
  CpuShare();
  struct Percent {
    double busy = 0;    // by all processes, this one included
    double steal = 0;   // by the host, for other guests
    double others = 0;  // by all but this process and its children that have ended; steal included
  };
  /// nullopt where /proc/stat is not available.
  std::optional<Percent> since() const;

 private:
  struct Ticks {
    uint64_t total = 0, idle = 0, steal = 0;
    double own = 0;  // of this process and of children that were waited for
  };
  static std::optional<Ticks> read();
  std::optional<Ticks> begin_;
};

}  // namespace frugal
