#include "model/quant/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/error.h"

namespace frugal {
namespace {

constexpr size_t kMaxPatternBytes = 1024;
// regcomp() writes repetitions out, nested ones as often as their counts multiplied:
// (((x{1,100}){1,100}){1,100}){1,100} takes all memory.
constexpr uint64_t kMaxRepetitions = 10'000;
constexpr std::array<std::string_view, 6> kNames{"keep", "int8", "int4", "fp16", "fp32", "auto"};
constexpr std::array<std::string_view, 3> kTargets{"size", "speed", "quality"};

// The highest number of `counts` up to its brace, at least 1.
uint64_t highest_count(std::string_view counts) {
  uint64_t highest = 1, number = 0;
  for (const char c : counts.substr(0, counts.find('}'))) {
    number = is_digit(c) ? std::min(number * 10 + static_cast<uint64_t>(c - '0'), kMaxRepetitions + 1) : 0;
    highest = std::max(highest, number);
  }
  return highest;
}

// The product of all counts {n}, {n,} and {n,m}: no less than what nested ones are written out to.
uint64_t repetitions(std::string_view pattern) {
  uint64_t product = 1;
  for (size_t i = 0; i < pattern.size() && product <= kMaxRepetitions; ++i) {
    if (pattern[i] == '\\')
      ++i;
    else if (pattern[i] == '{')
      product *= highest_count(pattern.substr(i + 1));
  }
  return product;
}

}  // namespace

std::string_view to_string(Precision precision) {
  return kNames[static_cast<size_t>(precision)];
}

Precision parse_precision(std::string_view name) {
  const auto* at = std::find(kNames.begin(), kNames.end(), name);
  if (at != kNames.end()) return static_cast<Precision>(at - kNames.begin());
  throw Error(Code::usage, fmt::format("unknown dtype '{}'", name))
      .hint("name one of keep, int8, int4, fp16, fp32, auto");
}

std::string_view to_string(AutoTarget target) {
  return kTargets[static_cast<size_t>(target)];
}

AutoTarget parse_auto_target(std::string_view name) {
  const auto* at = std::find(kTargets.begin(), kTargets.end(), name);
  if (at != kTargets.end()) return static_cast<AutoTarget>(at - kTargets.begin());
  throw Error(Code::usage, fmt::format("unknown target '{}'", name)).hint("name one of size, speed, quality");
}

void NamePattern::Free::operator()(regex_t* compiled) const {
  ::regfree(compiled);
  std::default_delete<regex_t>()(compiled);
}

NamePattern::NamePattern(std::string pattern) : text_(std::move(pattern)) {
  if (text_.empty() || text_.size() > kMaxPatternBytes)
    throw Error(Code::usage, fmt::format("a tensor pattern has 1 to {} bytes, not {}", kMaxPatternBytes, text_.size()));
  if (repetitions(text_) > kMaxRepetitions)
    throw Error(Code::usage, fmt::format("'{}' repeats its parts more than {} times", text_, kMaxRepetitions))
        .hint("write '+' or '*' in the place of {n,m}");
  auto compiled = std::make_unique<regex_t>();
  const int status = ::regcomp(compiled.get(), text_.c_str(), REG_EXTENDED | REG_NOSUB);
  if (status != 0) {
    std::array<char, 256> reason{};
    ::regerror(status, compiled.get(), reason.data(), reason.size());
    throw Error(Code::usage, fmt::format("'{}' is not a regular expression: {}", text_, reason.data()))
        .hint("use POSIX extended syntax, e.g. '^layers\\.[0-9]+\\.down'");
  }
  compiled_.reset(compiled.release());
}

bool NamePattern::matches(std::string_view name) const {
  return ::regexec(compiled_.get(), std::string(name).c_str(), 0, nullptr, 0) == 0;
}

bool Recipe::has_rule_for(std::string_view name) const {
  return std::any_of(rules.begin(), rules.end(), [&](const auto& rule) { return rule.first.matches(name); });
}

Precision Recipe::for_tensor(std::string_view name) const {
  const auto rule = std::find_if(rules.rbegin(), rules.rend(), [&](const auto& r) { return r.first.matches(name); });
  return rule == rules.rend() ? precision : rule->second;
}

std::string Recipe::to_string() const {
  std::string text = fmt::format("dtype={}", frugal::to_string(precision));
  if (precision == Precision::automatic) text += fmt::format("; target={}; {}", frugal::to_string(target), selector);
  for (const auto& [pattern, chosen] : rules) text += fmt::format("; {}={}", pattern.text(), frugal::to_string(chosen));
  return text;
}

std::pair<NamePattern, Precision> parse_rule(std::string_view text) {
  const size_t equals = text.rfind('=');
  if (equals == text.npos)
    throw Error(Code::usage, fmt::format("'{}' is not REGEX=DTYPE", text))
        .hint("write a rule as in --tensor-type 'down=int8'");
  const Precision precision = parse_precision(text.substr(equals + 1));
  if (precision == Precision::automatic)
    throw Error(Code::usage, "'auto' is for a whole model, not for one tensor")
        .hint("use --dtype auto, and --tensor-type REGEX=DTYPE where it must not choose");
  return {NamePattern(std::string(text.substr(0, equals))), precision};
}

}  // namespace frugal
