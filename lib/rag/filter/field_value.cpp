// Dates are compared as text. A coarse one, "2024-05", is a period: it begins with itself, and ends before "2024-05~",
// since '~' follows every character of a date. So "<" is "ends before the other begins", and "=" is "within the other".
#include "rag/filter/field_value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/ascii.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

using Relation = FieldCondition::Relation;

std::optional<double> number_of(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

bool fits(std::string_view text, std::string_view form) {
  return text.size() == form.size() && std::equal(text.begin(), text.end(), form.begin(), [](char c, char f) {
           return f == '0' ? is_digit(static_cast<unsigned char>(c)) : c == f;
         });
}

/// Fractions of a second and the zone are dropped: times are compared as they are written.
std::string date_of(std::string_view text) {
  if (fits(text, "0000") || fits(text, "0000-00") || fits(text, "0000-00-00")) return std::string(text);
  if (text.size() < 16 || !fits(text.substr(0, 10), "0000-00-00") || (text[10] != 'T' && text[10] != ' ')) return {};
  const bool has_seconds = text.size() >= 19 && fits(text.substr(11, 8), "00:00:00");
  if (!has_seconds && !fits(text.substr(11, 5), "00:00")) return {};
  return std::string(text.substr(0, 10)) + "T" + std::string(text.substr(11, has_seconds ? 8 : 5));
}

template <typename T>
bool compare(Relation relation, const T& a, const T& b) {
  switch (relation) {
    case Relation::equal:
      return a == b;
    case Relation::not_equal:
      return a != b;
    case Relation::less:
      return a < b;
    case Relation::at_most:
      return a <= b;
    case Relation::greater:
      return a > b;
    case Relation::at_least:
      return a >= b;
  }
  return false;
}

bool compare_dates(Relation relation, const std::string& a, const std::string& b) {
  constexpr char kEnd = '~';
  switch (relation) {
    case Relation::equal:
      return a.starts_with(b);
    case Relation::not_equal:
      return !a.starts_with(b);
    case Relation::less:
      return a + kEnd < b;
    case Relation::at_most:
      return a + kEnd <= b + kEnd;
    case Relation::greater:
      return a > b + kEnd;
    case Relation::at_least:
      return a >= b;
  }
  return false;
}

}  // namespace

FieldValue::FieldValue(std::string_view text)
    : number_(number_of(trim(text))), date_(date_of(trim(text))), words_(collapse_spaces(fold(text))) {}

bool FieldValue::is(Relation relation, const FieldValue& other) const {
  if (number_ && other.number_) return compare(relation, *number_, *other.number_);
  if (!date_.empty() && !other.date_.empty()) return compare_dates(relation, date_, other.date_);
  if (relation == Relation::equal) return words_ == other.words_;
  return relation == Relation::not_equal && words_ != other.words_;
}

bool holds(const FieldCondition& condition, const DocumentFields& fields) {
  const bool denies = condition.relation == Relation::not_equal;
  const Relation relation = denies ? Relation::equal : condition.relation;
  const FieldValue wanted(condition.value);
  const bool any = std::any_of(fields.all().begin(), fields.all().end(), [&](const DocumentField& field) {
    return field.key == condition.key && FieldValue(field.value).is(relation, wanted);
  });
  return any != denies;
}

}  // namespace frugal
