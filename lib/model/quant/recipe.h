// The precision that the user asks for: one for the model, and exceptions by tensor name.
#pragma once

#include <regex.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace frugal {

/// `keep` stores a tensor in the type nearest to its source's: linear weights of 4 bits as int4 and of 5 to 8 bits as
/// int8 in groups, quantised tables as int8, all others as fp16 or fp32. `automatic` ("auto") leaves the type to the
/// compression selector (model/quant/selector.h).
enum class Precision { keep, int8, int4, fp16, fp32, automatic };

std::string_view to_string(Precision precision);
/// Throws Error(usage), whose hint lists the known names.
Precision parse_precision(std::string_view name);

/// The selector's objective: the fewest bytes or the least time (by its cost model) within the limit on the loss, or
/// the least loss in no more bytes than int8 takes.
enum class AutoTarget { size, speed, quality };

std::string_view to_string(AutoTarget target);
/// Throws Error(usage), whose hint lists the known names.
AutoTarget parse_auto_target(std::string_view name);

/// A POSIX extended regular expression that is searched for in a tensor's name. Uses regcomp(): std::regex recurses
/// once for each character and can overflow the stack.
class NamePattern {
 public:
  /// Throws Error(usage) with the reason if `pattern` is not an expression of 1 to 1,024 bytes.
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
  // For an automatic precision:
  AutoTarget target = AutoTarget::size;
  std::string selector;  // everything else that decides its choice: revision, digests of the texts, instruction set

  /// True if the selector chooses the type of the tensor with this name.
  bool is_automatic(std::string_view name) const { return for_tensor(name) == Precision::automatic; }
  /// True if a rule matches, so that the precision was chosen for this tensor and not for the model.
  bool has_rule_for(std::string_view name) const;
  /// The precision of the last rule that matches, so that a later flag refines an earlier one; else the model's.
  Precision for_tensor(std::string_view name) const;
  /// The recipe as one line, equal for equal recipes. Part of a pack's identity.
  std::string to_string() const;
};

/// Parses a rule of the command line, "REGEX=DTYPE". Throws Error(usage).
std::pair<NamePattern, Precision> parse_rule(std::string_view text);

}  // namespace frugal
