#include "app/api/json_body.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "base/error.h"
#include "base/utf8.h"

namespace frugal::api {
namespace {

Error wrong_type(const char* name, std::string_view expected) {
  return Error(Code::bad_input, fmt::format("'{}' is not {}", name, expected));
}

Error missing_field(const char* name) {
  return Error(Code::bad_input, fmt::format("'{}' is missing", name));
}

}  // namespace

nlohmann::json parse_body(std::string_view body) {
  if (!is_valid_utf8(body)) throw Error(Code::bad_input, "the body is not UTF-8");
  int deepest = 0;
  const auto watch = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > deepest) deepest = depth;
    if (depth > kMaxJsonDepth)
      throw Error(Code::bad_input, fmt::format("the body has more than {} levels", kMaxJsonDepth));
    return true;
  };
  nlohmann::json parsed = nlohmann::json::parse(body, watch, false);
  if (parsed.is_discarded()) throw Error(Code::bad_input, "the body is not JSON");
  return parsed;
}

nlohmann::json parse_object_body(std::string_view body) {
  nlohmann::json object = parse_body(body);
  if (!object.is_object()) throw Error(Code::bad_input, "the body is not a JSON object");
  return object;
}

const nlohmann::json* find_field(const nlohmann::json& object, const char* name) {
  const auto field = object.find(name);
  return field == object.end() || field->is_null() ? nullptr : &*field;
}

std::optional<std::string> string_field(const nlohmann::json& object, const char* name) {
  const nlohmann::json* field = find_field(object, name);
  if (!field) return std::nullopt;
  if (!field->is_string()) throw wrong_type(name, "a string");
  return field->get<std::string>();
}

std::optional<bool> bool_field(const nlohmann::json& object, const char* name) {
  const nlohmann::json* field = find_field(object, name);
  if (!field) return std::nullopt;
  if (!field->is_boolean()) throw wrong_type(name, "true or false");
  return field->get<bool>();
}

std::optional<double> number_field(const nlohmann::json& object, const char* name) {
  const nlohmann::json* field = find_field(object, name);
  if (!field) return std::nullopt;
  if (!field->is_number()) throw wrong_type(name, "a number");
  return field->get<double>();
}

std::optional<int64_t> integer_field(const nlohmann::json& object, const char* name, int64_t min, int64_t max) {
  const std::optional<double> value = number_field(object, name);
  if (!value) return std::nullopt;
  if (*value != std::floor(*value) || *value < double(min) || *value > double(max))
    throw wrong_type(name, fmt::format("a whole number from {} to {}", min, max));
  return static_cast<int64_t>(*value);
}

std::string required_string(const nlohmann::json& object, const char* name) {
  std::optional<std::string> text = string_field(object, name);
  if (!text) throw missing_field(name);
  return std::move(*text);
}

std::vector<std::string> required_strings(const nlohmann::json& object, const char* name, size_t limit) {
  const nlohmann::json* field = find_field(object, name);
  if (!field) throw missing_field(name);
  if (field->is_string()) return {field->get<std::string>()};
  if (!field->is_array()) throw wrong_type(name, "a string or a list of strings");
  if (field->size() > limit)
    throw Error(Code::bad_input,
                fmt::format("'{}' has {} entries, and at most {} are taken", name, field->size(), limit))
        .hint("send them in several requests");
  std::vector<std::string> texts;
  texts.reserve(field->size());
  for (const nlohmann::json& each : *field) {
    if (!each.is_string()) throw wrong_type(name, "a string or a list of strings");
    texts.push_back(each.get<std::string>());
  }
  return texts;
}

void append_floats(std::string& json, std::span<const float> values) {
  json += '[';
  for (const float value : values) {
    if (std::isfinite(value))
      fmt::format_to(std::back_inserter(json), "{},", value);
    else
      json += "null,";
  }
  if (values.empty())
    json += ']';
  else
    json.back() = ']';
}

std::string dump(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace frugal::api
