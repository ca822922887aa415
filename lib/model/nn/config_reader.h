// Hyper-parameters from a checkpoint, by Hugging Face's key or GGUF's, each within stated bounds: a number from a file
// never sizes anything unchecked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/format/checkpoint.h"

namespace frugal {

/// One hyper-parameter under its two names. `gguf` is without the architecture prefix ("block_count").
struct ConfigKey {
  std::string_view huggingface;
  std::string_view gguf;
};

class ConfigReader {
 public:
  explicit ConfigReader(const Checkpoint& checkpoint);

  bool gguf() const { return gguf_; }
  std::optional<std::string> text(ConfigKey key) const;
  /// Throws Error(bad_input) if it is absent and has no fallback, or lies outside [min, max].
  int64_t integer(ConfigKey key, int64_t min, int64_t max, std::optional<int64_t> fallback = {}) const;
  double number(ConfigKey key, double min, double max, std::optional<double> fallback = {}) const;

 private:
  std::string name(ConfigKey key) const;
  const Checkpoint& checkpoint_;
  bool gguf_;
};

}  // namespace frugal
