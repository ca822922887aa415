// Text from files, their names and keys of records, made safe to show: it may hold escape sequences that move the
// cursor or rewrite the screen, line breaks that forge a line, and controls that show it in another order.
#pragma once

#include <string>
#include <string_view>

namespace frugal {

/// `text` on one line: control characters, line breaks among them, bidirectional controls and ill-formed bytes become
/// \n, \x1b, \u202e.
std::string visible_line(std::string_view text);
/// The same, but tabs and line breaks stay.
std::string visible_text(std::string_view text);
/// JSON in which the strings have the control characters that JSON allows, C1 and bidirectional ones, as \u009b: equal
/// to `json` for a parser. `json` is well-formed UTF-8.
std::string visible_json(std::string json);

}  // namespace frugal
