// A JSON configuration as flat, dotted keys: {"rope_scaling": {"factor": 8}} is "rope_scaling.factor", and the texts of
// a list have its places: "architectures.0". Not a JSON library: it covers config.json. Nesting is bounded, so hostile
// files cannot exhaust the stack.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace frugal {

class FlatJson {
 public:
  FlatJson() = default;
  /// `file` names the text in errors. Leaves out values whose dotted key has more than 256 bytes. Throws
  /// Error(bad_input) with the parser's reason if it is not one JSON object.
  FlatJson(std::string_view json, std::string_view file);

  std::optional<std::string> text(std::string_view key) const;
  /// A boolean reads as 0 or 1.
  std::optional<int64_t> integer(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  /// A list of numbers; empty if absent or if it holds anything else.
  std::vector<double> numbers(std::string_view key) const;

 private:
  friend struct FlatJsonBuilder;
  using Value = std::variant<std::monostate, std::string, int64_t, double, std::vector<double>>;
  template <typename T>
  const T* get(std::string_view key) const;
  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace frugal
