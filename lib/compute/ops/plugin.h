// Backends in shared objects: opened when --backend names one, and not before. What crosses the boundary is
// plugin_abi.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compute/ops/ops.h"
#include "memory/budget.h"

namespace frugal {

/// What --backend names: "cpu", or PLUGIN[:DEVICE][:PRECISION], as in "torch", "torch:cuda", "torch:cuda:1:bf16".
struct Backend {
  std::string plugin;                                                     // "torch"; empty: the native one
  std::string device = "cpu";                                             // "cpu", "cuda" or "cuda:N"
  enum class Precision { fp32, bf16, fp16 } precision = Precision::fp32;  // of weights and products
  /// That may be held on a device that is not the host; none: nine tenths of what is free there. 0: no limit.
  std::optional<uint64_t> device_bytes = {};

  bool native() const { return plugin.empty(); }
};
/// Throws Error(usage) naming what it did not understand.
Backend parse_backend(std::string_view text);

/// Memory of a backend's device in bytes; nullopt where it is not known, as for every figure on the host.
struct DeviceMemory {
  std::optional<uint64_t> used_bytes;      // by live matrices and weights
  std::optional<uint64_t> reserved_bytes;  // taken from the device, caches included
  std::optional<uint64_t> peak_bytes;      // the most that was in use since reset_peak()
  std::optional<uint64_t> free_bytes;
  std::optional<uint64_t> total_bytes;
};

/// Thin singular value decomposition a = u · diag(s) · vᵀ; u [rows, k], s [k] descending, vt [k, cols].
struct Svd {
  std::vector<float> u, s, vt;
};

/// A backend behind a plugin. Not thread-safe. The shared object is let go with the last of its backends.
class PluginOps : public Ops {
 public:
  virtual std::string library() const = 0;  // "libtorch 1.13.1"
  virtual std::string device() const = 0;   // "cpu", "cuda:0"
  virtual DeviceMemory memory() const = 0;
  virtual void drop_caches() = 0;
  virtual void reset_peak() = 0;
  /// a: row-major [rows, cols].
  virtual Svd svd(std::span<const float> a, int64_t rows, int64_t cols) = 0;
};

/// The file of a plugin: frugal_NAME.so in $FRUGAL_PLUGINS, or beside the executable in ../plugins (a build tree) or
/// ../lib/frugal (an installation). Throws Error(missing) that says where it looked and how to get it.
std::filesystem::path find_plugin(const std::string& name);

/// Opens `file` and a context in it on `threads` of the host. Borrows `budget` (may be null), which counts weights and
/// activations on the host; a device has a budget of its own. Packed weights that do not fit are brought for each use
/// (compute/ops/device_weights.h), so they are borrowed too. Throws Error(missing) if the file cannot be loaded (with
/// the linker's words) or the device is not there, Error(mismatch) if it is no plugin or one of another ABI.
std::unique_ptr<PluginOps> open_plugin_ops(const std::filesystem::path& file, const Backend& backend, int threads,
                                           Budget& budget);

/// The backend that `backend` names: make_cpu_ops() or open_plugin_ops().
std::unique_ptr<Ops> make_ops(const Backend& backend, ThreadPool& threads, Budget& budget);

}  // namespace frugal
