#include "rag/answer/query.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/error.h"

namespace frugal {
namespace {

template <typename Enum, size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

constexpr Names<Fusion, 2> kFusions{{{Fusion::weighted, "weighted"}, {Fusion::rrf, "rrf"}}};
constexpr Names<HydeMode, 3> kHydeModes{
    {{HydeMode::automatic, "auto"}, {HydeMode::always, "always"}, {HydeMode::never, "never"}}};
constexpr Names<AnswerMode, 4> kAnswerModes{{{AnswerMode::automatic, "auto"},
                                             {AnswerMode::extract, "extract"},
                                             {AnswerMode::generate, "generate"},
                                             {AnswerMode::none, "none"}}};
constexpr Names<CacheStatus, 4> kCacheStatuses{{{CacheStatus::off, "off"},
                                                {CacheStatus::miss, "miss"},
                                                {CacheStatus::exact, "exact"},
                                                {CacheStatus::semantic, "semantic"}}};

template <typename Enum, size_t N>
std::string_view name_of(const Names<Enum, N>& names, Enum value) {
  for (const auto& [known, name] : names)
    if (known == value) return name;
  return "unknown";
}

template <typename Enum, size_t N>
Enum value_of(const Names<Enum, N>& names, std::string_view what, std::string_view text) {
  std::string known_names;
  for (const auto& [value, name] : names) {
    if (name == text) return value;
    known_names += fmt::format("{}{}", known_names.empty() ? "" : ", ", name);
  }
  throw Error(Code::usage, fmt::format("{}: '{}' is not known", what, text)).hint("use one of: " + known_names);
}

}  // namespace

std::string_view to_string(Fusion fusion) {
  return name_of(kFusions, fusion);
}
std::string_view to_string(HydeMode mode) {
  return name_of(kHydeModes, mode);
}
std::string_view to_string(AnswerMode mode) {
  return name_of(kAnswerModes, mode);
}
std::string_view to_string(CacheStatus status) {
  return name_of(kCacheStatuses, status);
}
Fusion parse_fusion(std::string_view name) {
  return value_of(kFusions, "fusion", name);
}
HydeMode parse_hyde_mode(std::string_view name) {
  return value_of(kHydeModes, "hyde", name);
}
AnswerMode parse_answer_mode(std::string_view name) {
  return value_of(kAnswerModes, "answer", name);
}

}  // namespace frugal
