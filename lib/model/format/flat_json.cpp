#include "model/format/flat_json.h"

#include <fmt/format.h>

#include "base/ascii.h"
#include "base/error.h"
#include "model/format/json_reader.h"

namespace frugal {

std::string large_integers_as_floats(std::string_view json) {
  constexpr size_t kMaxDigits = 18;
  std::string out;
  out.reserve(json.size() + 8);
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    out += c;
    if (in_string && c == '\\' && i + 1 < json.size()) out += json[++i];
    if (c == '"') in_string = !in_string;
    if (in_string || c < '0' || c > '9') continue;
    const bool fraction = i > 0 && json[i - 1] == '.';
    const size_t begin = i;
    while (i + 1 < json.size() && is_digit(json[i + 1])) out += json[++i];
    const char next = i + 1 < json.size() ? json[i + 1] : ',';
    if (!fraction && i + 1 - begin > kMaxDigits && next != '.' && next != 'e' && next != 'E') out += "e0";
  }
  return out;
}

simdjson::dom::object parse_json_object(simdjson::dom::parser& parser, std::string_view json, std::string_view file) {
  simdjson::dom::object object;
  simdjson::error_code status = parser.allocate(json.size() + 1, kMaxJsonDepth);
  if (!status) status = parser.parse(json.data(), json.size()).get_object().get(object);
  if (status == simdjson::NUMBER_ERROR) status = parser.parse(large_integers_as_floats(json)).get_object().get(object);
  if (status)
    throw Error(Code::bad_input, fmt::format("'{}' is not a JSON object: {}", file, simdjson::error_message(status)));
  return object;
}

// No key that is read comes near this. Every member repeats the keys around it, so a file of 330 kB with one long key
// above 10,000 members would need 2 GiB.
constexpr size_t kMaxKeyBytes = 256;
// Texts that are read from a list; the lists that count have a few.
constexpr size_t kMaxTexts = 64;

// Walks the document; the depth is the parser's bound.
struct FlatJsonBuilder {
  std::map<std::string, FlatJson::Value, std::less<>>& values;

  void add(const std::string& key, simdjson::dom::element element) {
    switch (element.type()) {
      case simdjson::dom::element_type::OBJECT:
        return add_members(key + ".", simdjson::dom::object(element));
      case simdjson::dom::element_type::STRING:
        values[key] = std::string(std::string_view(element));
        return;
      case simdjson::dom::element_type::INT64:
        values[key] = int64_t(element);
        return;
      case simdjson::dom::element_type::UINT64:
        values[key] = double(uint64_t(element));
        return;  // above int64 only
      case simdjson::dom::element_type::DOUBLE:
        values[key] = double(element);
        return;
      case simdjson::dom::element_type::BOOL:
        values[key] = int64_t(bool(element));
        return;
      case simdjson::dom::element_type::ARRAY:
        values[key] = list(simdjson::dom::array(element));
        add_texts(key + ".", simdjson::dom::array(element));
        return;
      case simdjson::dom::element_type::NULL_VALUE:
        return;
    }
  }

  void add_members(const std::string& prefix, simdjson::dom::object object) {
    for (const auto [name, value] : object)
      if (prefix.size() + name.size() <= kMaxKeyBytes) add(prefix + std::string(name), value);
  }

  void add_texts(const std::string& prefix, simdjson::dom::array array) {
    size_t place = 0;
    for (const simdjson::dom::element element : array) {
      std::string_view text;
      if (place < kMaxTexts && !element.get_string().get(text))
        values[fmt::format("{}{}", prefix, place)] = std::string(text);
      ++place;
    }
  }

  static FlatJson::Value list(simdjson::dom::array array) {
    std::vector<double> numbers;
    for (const simdjson::dom::element element : array) {
      double number = 0;
      if (element.get_double().get(number)) return std::monostate();
      numbers.push_back(number);
    }
    return numbers;
  }
};

FlatJson::FlatJson(std::string_view json, std::string_view file) {
  simdjson::dom::parser parser;
  FlatJsonBuilder{values_}.add_members("", parse_json_object(parser, json, file));
}

template <typename T>
const T* FlatJson::get(std::string_view key) const {
  const auto at = values_.find(key);
  return at == values_.end() ? nullptr : std::get_if<T>(&at->second);
}

std::optional<std::string> FlatJson::text(std::string_view key) const {
  const auto* value = get<std::string>(key);
  return value ? std::optional(*value) : std::nullopt;
}

std::optional<int64_t> FlatJson::integer(std::string_view key) const {
  const auto* value = get<int64_t>(key);
  return value ? std::optional(*value) : std::nullopt;
}

std::optional<double> FlatJson::number(std::string_view key) const {
  if (const auto* value = get<double>(key)) return *value;
  const std::optional<int64_t> whole = integer(key);
  return whole ? std::optional(static_cast<double>(*whole)) : std::nullopt;
}

std::vector<double> FlatJson::numbers(std::string_view key) const {
  const auto* value = get<std::vector<double>>(key);
  return value ? *value : std::vector<double>();
}

}  // namespace frugal
