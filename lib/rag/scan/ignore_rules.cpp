#include "rag/scan/ignore_rules.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"

namespace frugal {
namespace {

std::vector<std::string_view> split_names(std::string_view path) {
  std::vector<std::string_view> names;
  for (size_t at = 0; at <= path.size();) {
    const size_t slash = std::min(path.find('/', at), path.size());
    if (slash > at) names.push_back(path.substr(at, slash - at));
    at = slash + 1;
  }
  return names;
}

/// Removes the end of the line and spaces before it, unless they are escaped.
std::string_view without_blank_end(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  while (line.ends_with(' ') && !line.ends_with("\\ ")) line.remove_suffix(1);
  return line;
}

size_t code_point_end(std::string_view text, size_t at) {
  for (++at; at < text.size() && is_continuation(text[at]);) ++at;
  return at;
}

/// The index of the ']' that closes the class at `open`, npos if there is none. A ']' in the first place is a member.
size_t class_end(std::string_view pattern, size_t open) {
  size_t at = open + 1;
  if (at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^')) ++at;
  return pattern.find(']', at + 1);
}

bool class_contains(std::string_view members, char c) {
  const bool negated = members.starts_with('!') || members.starts_with('^');
  if (negated) members.remove_prefix(1);
  bool found = false;
  for (size_t i = 0; i < members.size(); ++i) {
    const bool is_range = i + 2 < members.size() && members[i + 1] == '-';
    const auto low = static_cast<unsigned char>(members[i]), each = static_cast<unsigned char>(c);
    const auto high = static_cast<unsigned char>(members[is_range ? i + 2 : i]);
    found |= low <= each && each <= high;
    if (is_range) i += 2;
  }
  return found != negated;
}

/// Matches one character of a pattern, other than '*', and moves both positions behind it.
bool match_one(std::string_view pattern, size_t& p, std::string_view name, size_t& n) {
  if (pattern[p] == '?') {
    ++p;
    n = code_point_end(name, n);
    return true;
  }
  const size_t end = pattern[p] == '[' ? class_end(pattern, p) : pattern.npos;
  if (end != pattern.npos) {
    const bool contains = class_contains(pattern.substr(p + 1, end - p - 1), name[n++]);
    p = end + 1;
    return contains;
  }
  if (pattern[p] == '\\' && p + 1 < pattern.size()) ++p;
  return pattern[p++] == name[n++];
}

}  // namespace

bool matches_name(std::string_view pattern, std::string_view name) {
  // Only the last '*' is tried again: what an earlier one could take more, the last one can take too.
  size_t p = 0, n = 0, star = pattern.npos, star_end = 0;
  while (n < name.size()) {
    size_t next_p = p, next_n = n;
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_end = n;
    } else if (p < pattern.size() && match_one(pattern, next_p, name, next_n)) {
      p = next_p;
      n = next_n;
    } else if (star != pattern.npos) {
      p = star + 1;
      n = ++star_end;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

IgnoreRules::IgnoreRules(const std::filesystem::path& base, std::string_view lines) : base_(base.native()) {
  if (!base_.ends_with('/')) base_ += '/';
  for (size_t at = 0; at < lines.size();) {
    const size_t end = std::min(lines.find('\n', at), lines.size());
    add(without_blank_end(lines.substr(at, end - at)));
    at = end + 1;
  }
}

void IgnoreRules::add(std::string_view line) {
  if (line.empty() || line.starts_with('#')) return;
  Pattern pattern;
  pattern.negated = line.starts_with('!');
  if (pattern.negated) line.remove_prefix(1);
  pattern.only_folders = line.ends_with('/');
  if (pattern.only_folders) line.remove_suffix(1);
  pattern.anywhere = line.find('/') == line.npos;
  for (const std::string_view name : split_names(line)) pattern.names.emplace_back(name);
  if (!pattern.names.empty()) patterns_.push_back(std::move(pattern));
}

std::optional<bool> IgnoreRules::ignores(const std::filesystem::path& path, bool is_folder) const {
  const std::string_view full = path.native();
  if (patterns_.empty() || !full.starts_with(base_)) return std::nullopt;
  const std::vector<std::string_view> names = split_names(full.substr(base_.size()));
  for (auto pattern = patterns_.rbegin(); pattern != patterns_.rend(); ++pattern)
    if ((is_folder || !pattern->only_folders) && matches(*pattern, names)) return !pattern->negated;
  return std::nullopt;
}

bool IgnoreRules::matches(const Pattern& pattern, const std::vector<std::string_view>& names) {
  if (names.empty()) return false;
  if (pattern.anywhere) return matches_name(pattern.names.front(), names.back());
  // matched[i]: the names of the pattern so far match the first i names of the path.
  std::vector<bool> matched(names.size() + 1);
  matched[0] = true;
  for (size_t p = 0; p < pattern.names.size(); ++p) {
    std::vector<bool> next(names.size() + 1);
    const bool any = pattern.names[p] == "**", is_last = p + 1 == pattern.names.size();
    for (size_t i = 0; i <= names.size(); ++i) {
      if (any) {
        // At the end it stands for what is inside a folder, so for one name at least.
        next[i] = (!is_last && matched[i]) || (i > 0 && (next[i - 1] || matched[i - 1]));
      } else {
        next[i] = i > 0 && matched[i - 1] && matches_name(pattern.names[p], names[i - 1]);
      }
    }
    matched = std::move(next);
  }
  return matched[names.size()];
}

}  // namespace frugal
