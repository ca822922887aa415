// What the user asked for: a precision for the model, and exceptions by tensor name.
#pragma once

#include <regex.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace frugal {

/// `keep` stores a tensor in the type that holds its source with the least loss and no more bits than it needs.
enum class Precision { keep, int8, int4, fp16, fp32 };

std::string_view to_string(Precision precision);
/// Throws Error(usage) listing the known ones; for those that are yet to come it says so.
Precision parse_precision(std::string_view name);

/// A POSIX extended regular expression that is searched for in a tensor's name. Not std::regex, which recurses on every
/// character.
class NamePattern {
 public:
  /// Throws Error(usage) with the reason if `pattern` is no expression or longer than 1,024 bytes.
  explicit NamePattern(std::string pattern);
  bool matches(std::string_view name) const;
  const std::string& text() const { return text_; }

 private:
  struct Free {
    void operator()(regex_t* compiled) const;
  };
  std::string text_;
  std::unique_ptr<regex_t, Free> compiled_;
};

struct Recipe {
  Precision precision = Precision::keep;
  std::vector<std::pair<NamePattern, Precision>> rules;

  /// The last rule that matches decides, so that a later flag refines an earlier one.
  Precision for_tensor(std::string_view name) const;
  /// One line that is the same for the same recipe: part of a pack's identity.
  std::string to_string() const;
};

/// A rule as the command line has it, "REGEX=DTYPE". Throws Error(usage).
std::pair<NamePattern, Precision> parse_rule(std::string_view text);

}  // namespace frugal
