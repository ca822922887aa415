// Printing JSON: keys in the order written, ill-formed UTF-8 replaced and never an exception.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace frugal {

/// One line, with its newline: for JSON lines.
std::string json_line(const nlohmann::ordered_json& value);
/// Indented by two spaces, with its newline.
std::string json_document(const nlohmann::ordered_json& value);

}  // namespace frugal
