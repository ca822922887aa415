// What a question restricts its search to: an exact phrase, a word that must be absent, paths, fields of documents.
// Only data and the rules that decide about one text, path or field; a store applies them (rag/index/store.h).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace frugal {

/// A condition on a field of a document (rag/extract/document_fields.h).
struct FieldCondition {
  enum class Relation { equal, not_equal, less, at_most, greater, at_least };
  std::string key;  // folded
  Relation relation = Relation::equal;
  std::string value;  // as it was written, trimmed
};
std::string_view to_string(FieldCondition::Relation relation);
std::string to_string(const FieldCondition& condition);

/// Reads "key=value", or with !=, <, <=, >, >=. Throws Error(usage) if it is no condition, or orders by something that
/// is neither a number nor an ISO date.
FieldCondition parse_condition(std::string_view text);

/// A chunk passes if it passes all parts.
struct ChunkFilter {
  // At most as many of each part: every one costs a pass over what is searched.
  static constexpr size_t kMaxParts = 64;
  static constexpr size_t kMaxPartBytes = 4096;

  std::vector<std::string> phrases = {};   // the text has these words in a row; folded, with single spaces
  std::vector<std::string> excluded = {};  // the text does not have these words in a row; folded
  std::vector<std::string> paths = {};     // globs, as PathFilter reads them
  std::vector<FieldCondition> where = {};  // on the fields of its document

  bool empty() const { return phrases.empty() && excluded.empty() && paths.empty() && where.empty(); }
  /// Equal for filters that select the same chunks of any index; empty for an empty filter.
  std::string key() const;
};

/// Adds globs and conditions as a user wrote them. Throws Error(usage) for one that is empty or too long, if there are
/// too many, and what parse_condition() throws.
void add_restrictions(ChunkFilter& filter, const std::vector<std::string>& globs,
                      const std::vector<std::string>& conditions);

}  // namespace frugal
