// Reads hyper-parameters from the configuration of a checkpoint, by Hugging Face's key or GGUF's. Every number is
// checked against bounds, because numbers from files decide sizes of memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/format/checkpoint.h"

namespace frugal {

/// The two names of a hyper-parameter. `gguf` lacks the architecture's prefix: "block_count".
struct ConfigKey {
  std::string_view huggingface;
  std::string_view gguf;
};

class ConfigReader {
 public:
  /// `prefix` precedes Hugging Face's keys: "text_config." for a model in which several are nested.
  explicit ConfigReader(const Checkpoint& checkpoint, std::string prefix = {});

  bool gguf() const { return gguf_; }
  /// nullopt if the configuration lacks the key.
  std::optional<std::string> text(ConfigKey key) const;
  /// A list of numbers, unchecked; empty if the configuration lacks the key.
  std::vector<double> numbers(ConfigKey key) const;
  /// Throws Error(bad_input) naming the key if it is absent without a fallback, or outside [min, max].
  int64_t integer(ConfigKey key, int64_t min, int64_t max, std::optional<int64_t> fallback = {}) const;
  double number(ConfigKey key, double min, double max, std::optional<double> fallback = {}) const;

 private:
  std::string name(ConfigKey key) const;
  const Checkpoint& checkpoint_;
  std::string prefix_;
  bool gguf_;
};

}  // namespace frugal
