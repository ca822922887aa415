// A value of a field as a condition compares it: a number, an ISO date, or words.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "rag/extract/document_fields.h"
#include "rag/filter/chunk_filter.h"

namespace frugal {

class FieldValue {
 public:
  explicit FieldValue(std::string_view text);

  /// A number or a date, which can be less or greater than another.
  bool is_ordered() const { return number_ || !date_.empty(); }
  /// Two numbers are compared as such; else two dates, where a year or a month stands for all of its days; else only
  /// equality is known, of words without regard to case and accents.
  bool is(FieldCondition::Relation relation, const FieldValue& other) const;

 private:
  std::optional<double> number_;
  std::string date_;  // YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS; empty: none
  std::string words_;
};

/// True if a value of the condition's field holds. `not_equal` is the opposite of `equal`, so it holds for a document
/// without that field, too.
bool holds(const FieldCondition& condition, const DocumentFields& fields);

}  // namespace frugal
