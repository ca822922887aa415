// The configuration of a model as flat text, key → value, read typed: what a pack carries and what an architecture's
// plan for a checkpoint says. Keys are dotted ("bert.num_heads").
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
  // The others throw Error(corrupt_file) naming file and key for what is absent, no number or out of range.
  std::string_view require_text(std::string_view key) const;
  int64_t require_int(std::string_view key, int64_t min, int64_t max) const;
  double require_float(std::string_view key) const;
  std::optional<int64_t> find_int(std::string_view key) const;
  std::optional<double> find_float(std::string_view key) const;

  /// Throws Error(corrupt_file): `what` is wrong with the file this comes from.
  [[noreturn]] virtual void fail(std::string_view what) const = 0;
};

}  // namespace frugal
