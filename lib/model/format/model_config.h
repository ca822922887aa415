// A model's configuration: flat text values with typed access. Carried by a pack, and produced by an architecture's
// plan for a checkpoint. Keys are dotted ("bert.num_heads").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace frugal {

class ModelConfig {
 public:
  virtual ~ModelConfig() = default;

  virtual std::optional<std::string_view> text(std::string_view key) const = 0;
  // These throw Error(corrupt_file) naming file and key if a value is absent (require_…), no number, or out of range.
  std::string_view require_text(std::string_view key) const;
  int64_t require_int(std::string_view key, int64_t min, int64_t max) const;
  double require_float(std::string_view key) const;
  std::optional<int64_t> find_int(std::string_view key) const;
  std::optional<double> find_float(std::string_view key) const;

  /// Throws Error(corrupt_file) with the file's name and `what`.
  [[noreturn]] virtual void fail(std::string_view what) const = 0;
};

}  // namespace frugal
