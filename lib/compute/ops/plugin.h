// Backends in shared objects, which are loaded only if --backend names one. plugin_abi.h is the C interface between
// host and plugin.
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

/// A parsed --backend: "cpu", or PLUGIN[:DEVICE][:PRECISION], as in "torch", "torch:cuda", "torch:cuda:1:bf16".
struct Backend {
  std::string plugin;                                                     // "torch"; empty: the native backend
  std::string device = "cpu";                                             // "cpu", "cuda" or "cuda:N"
  enum class Precision { fp32, bf16, fp16 } precision = Precision::fp32;  // of weights and products
  /// Budget of a device other than the host, in bytes. nullopt: nine tenths of its free memory; 0: no limit.
  std::optional<uint64_t> device_bytes = {};

  bool native() const { return plugin.empty(); }
};
/// Throws Error(usage) naming the text that is not a backend.
Backend parse_backend(std::string_view text);

/// Memory of a backend's device in bytes; nullopt: not known, as always on the host.
struct DeviceMemory {
  std::optional<uint64_t> used_bytes;      // by live matrices and weights
  std::optional<uint64_t> reserved_bytes;  // taken from the device, caches included
  std::optional<uint64_t> peak_bytes;      // peak of used_bytes since reset_peak()
  std::optional<uint64_t> free_bytes;
  std::optional<uint64_t> total_bytes;
};

/// Thin singular value decomposition a = u · diag(s) · vᵀ; u [rows, k], s [k] descending, vt [k, cols].
struct Svd {
  std::vector<float> u, s, vt;
};

/// A backend behind a plugin. Not thread-safe. The shared object is closed with the last of its backends.
class PluginOps : public Ops {
 public:
  virtual std::string library() const = 0;  // "libtorch 1.13.1"
  virtual std::string device() const = 0;   // "cpu", "cuda:0"
  virtual DeviceMemory memory() const = 0;
  virtual void drop_caches() = 0;  // returns unused memory to the device
  virtual void reset_peak() = 0;
  /// a: row-major [rows, cols], in the host's memory.
  virtual Svd svd(std::span<const float> a, int64_t rows, int64_t cols) = 0;
};

/// The file of the torch plugin (base/plugin_library.h). Throws Error(missing), whose hint says how to install it.
std::filesystem::path find_torch();

/// Loads `file` and opens a context in it with `threads` host threads. Borrows `budget`, which counts weights and
/// activations on the host; a device has a budget of its own. Packed weights are borrowed too, since those that do not
/// fit are streamed for each use (compute/ops/device_weights.h). Throws Error(missing) if the file cannot be loaded,
/// with the linker's words, or if the device does not exist; Error(mismatch) if the file is not a plugin or has another
/// ABI.
std::unique_ptr<PluginOps> open_plugin_ops(const std::filesystem::path& file, const Backend& backend, int threads,
                                           Budget& budget);

/// The backend that `backend` names: make_cpu_ops() or open_plugin_ops().
std::unique_ptr<Ops> make_ops(const Backend& backend, ThreadPool& threads, Budget& budget);

}  // namespace frugal
