// What the user asked for: a precision for the model, and exceptions by tensor name.
#pragma once

#include <regex.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace frugal {

/// `keep` stores a tensor in the type that holds its source with the least loss and no more bits than it needs;
/// `automatic` ("auto") leaves each tensor to the compression selector (model/quant/selector.h).
enum class Precision { keep, int8, int4, fp16, fp32, automatic };

std::string_view to_string(Precision precision);
/// Throws Error(usage) listing the known ones.
Precision parse_precision(std::string_view name);

/// What the selector strives for within the quality limit: the fewest bytes, the least time by its cost model, or the
/// least loss in no more bytes than int8 takes.
enum class AutoTarget { size, speed, quality };

std::string_view to_string(AutoTarget target);
/// Throws Error(usage) listing the known ones.
AutoTarget parse_auto_target(std::string_view name);

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
  // Where the precision is automatic:
  AutoTarget target = AutoTarget::size;
  std::string selector;  // its revision, the calibration text's digest, the instruction set: what decides its choice

  /// True where the selector is to choose among types for the tensor of this name.
  bool is_automatic(std::string_view name) const { return for_tensor(name) == Precision::automatic; }
  /// The last rule that matches decides, so that a later flag refines an earlier one.
  Precision for_tensor(std::string_view name) const;
  /// One line that is the same for the same recipe: part of a pack's identity.
  std::string to_string() const;
};

/// A rule as the command line has it, "REGEX=DTYPE". Throws Error(usage).
std::pair<NamePattern, Precision> parse_rule(std::string_view text);

}  // namespace frugal
