// The visible part of a text of an unknown author, for a prompt or a terminal. base/visible.h shows the rest instead.
#pragma once

#include <string>
#include <string_view>

namespace frugal {

/// Removes escape sequences, control characters except line feed and tab, bidirectional controls, invisible operators
/// and tag characters from `text`, and replaces invalid UTF-8 by U+FFFD. All other characters stay as they are.
std::string plain_text(std::string_view text);

}  // namespace frugal
