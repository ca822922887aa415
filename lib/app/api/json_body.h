// Reads the JSON body of a request. The fields of a body are untrusted: each is asked for by name and type, and what
// does not fit is an Error(bad_input) that names the field. Fields that are not asked for are ignored, because clients
// send more than they need to.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace frugal::api {

/// Levels of a body that are read; deeper ones are refused.
constexpr int kMaxJsonDepth = 64;

/// Parses JSON. Throws Error(bad_input) if the body is not UTF-8, not JSON, or too deep.
nlohmann::json parse_body(std::string_view body);

/// Parses an object. Throws Error(bad_input) if the body is not UTF-8, not JSON, too deep, or not an object.
nlohmann::json parse_object_body(std::string_view body);

/// The field of that name; a null pointer if it is missing or null.
const nlohmann::json* find_field(const nlohmann::json& object, const char* name);

/// Each throws Error(bad_input) if the field has another type; nullopt if it is missing or null.
std::optional<std::string> string_field(const nlohmann::json& object, const char* name);
std::optional<bool> bool_field(const nlohmann::json& object, const char* name);
std::optional<double> number_field(const nlohmann::json& object, const char* name);
/// Also throws if it is not a whole number within [min, max].
std::optional<int64_t> integer_field(const nlohmann::json& object, const char* name, int64_t min, int64_t max);

/// As string_field(), but throws if it is missing.
std::string required_string(const nlohmann::json& object, const char* name);
/// A string, or a list of strings with at most `limit` entries. Throws Error(bad_input) if it is missing.
std::vector<std::string> required_strings(const nlohmann::json& object, const char* name, size_t limit);

/// Appends "[0.5,-1]": the shortest digits that give the same floats again. Values that are not finite become null.
void append_floats(std::string& json, std::span<const float> values);

/// JSON text, in which bytes that are not UTF-8 are replaced.
std::string dump(const nlohmann::ordered_json& json);

}  // namespace frugal::api
