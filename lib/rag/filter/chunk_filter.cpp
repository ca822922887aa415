#include "rag/filter/chunk_filter.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.h"
#include "base/error.h"
#include "rag/filter/field_value.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

using Relation = FieldCondition::Relation;

Error no_condition(std::string_view text, std::string_view why) {
  Error error(Code::usage, fmt::format("--where '{}': {}", first_bytes(text, 100), why));
  error.hint("write KEY=VALUE, or compare with !=, <, <=, > or >=: --where year>=2020");
  return error;
}

/// Each part with its length, so that no two lists give one text.
void append_parts(std::string& key, std::string_view name, std::vector<std::string> parts, bool ordered) {
  if (parts.empty()) return;
  if (!ordered) std::sort(parts.begin(), parts.end());
  key += name;
  for (const std::string& part : parts) key += fmt::format(" {}:{}", part.size(), part);
  key += '\n';
}

void check_parts(const std::vector<std::string>& parts, size_t others, std::string_view flag) {
  if (parts.size() + others > ChunkFilter::kMaxParts)
    throw Error(Code::usage,
                fmt::format("{} {}: the limit is {}", parts.size() + others, flag, ChunkFilter::kMaxParts));
  for (const std::string& part : parts) {
    if (trim(part).empty()) throw Error(Code::usage, fmt::format("{} is empty", flag));
    if (part.size() > ChunkFilter::kMaxPartBytes)
      throw Error(Code::usage,
                  fmt::format("{} has {} bytes, the limit is {}", flag, part.size(), ChunkFilter::kMaxPartBytes));
  }
}

}  // namespace

std::string_view to_string(Relation relation) {
  switch (relation) {
    case Relation::equal:
      return "=";
    case Relation::not_equal:
      return "!=";
    case Relation::less:
      return "<";
    case Relation::at_most:
      return "<=";
    case Relation::greater:
      return ">";
    case Relation::at_least:
      return ">=";
  }
  return "=";
}

std::string to_string(const FieldCondition& condition) {
  return fmt::format("{}{}{}", condition.key, to_string(condition.relation), condition.value);
}

FieldCondition parse_condition(std::string_view text) {
  const size_t at = text.find_first_of("=!<>");
  if (at == text.npos) throw no_condition(text, "it compares nothing");
  const bool has_equal = at + 1 < text.size() && text[at + 1] == '=';
  if (text[at] == '!' && !has_equal) throw no_condition(text, "'!' stands only before '='");
  const Relation relation = text[at] == '='   ? Relation::equal
                            : text[at] == '!' ? Relation::not_equal
                            : text[at] == '<' ? (has_equal ? Relation::at_most : Relation::less)
                                              : (has_equal ? Relation::at_least : Relation::greater);
  const size_t value_at = at + (text[at] != '=' && has_equal ? 2 : 1);
  FieldCondition condition{collapse_spaces(fold(text.substr(0, at))), relation,
                           std::string(trim(text.substr(value_at)))};
  if (condition.key.empty()) throw no_condition(text, "no key before the comparison");
  if (condition.value.empty()) throw no_condition(text, "no value to compare with");
  const bool orders = relation != Relation::equal && relation != Relation::not_equal;
  if (orders && !FieldValue(condition.value).is_ordered())
    throw no_condition(text, fmt::format("'{}' is neither a number nor a date like 2024-05-31", condition.value));
  return condition;
}

std::string ChunkFilter::key() const {
  std::vector<std::string> conditions;
  for (const FieldCondition& each : where) conditions.push_back(to_string(each));
  std::string key;
  append_parts(key, "phrases", phrases, false);
  append_parts(key, "excluded", excluded, false);
  append_parts(key, "paths", paths, true);
  append_parts(key, "where", std::move(conditions), false);
  return key;
}

void add_restrictions(ChunkFilter& filter, const std::vector<std::string>& globs,
                      const std::vector<std::string>& conditions) {
  check_parts(globs, filter.paths.size(), "--path");
  check_parts(conditions, filter.where.size(), "--where");
  filter.paths.insert(filter.paths.end(), globs.begin(), globs.end());
  for (const std::string& condition : conditions) filter.where.push_back(parse_condition(condition));
}

}  // namespace frugal
