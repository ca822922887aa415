// Prints JSON: keys in insertion order, ill-formed UTF-8 replaced, never an exception.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace frugal {

/// The value on one line, with a newline: for JSON lines.
std::string json_line(const nlohmann::ordered_json& value);
/// The value indented by two spaces, with a newline.
std::string json_document(const nlohmann::ordered_json& value);

}  // namespace frugal
