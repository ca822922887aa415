// simdjson with this project's limits. For .cpp files of this room: the header is large.
#pragma once

#include <simdjson.h>

#include <string_view>

namespace frugal {

/// Deepest nesting that is read; deeper is an error, and recursion over a parsed document is bounded by it.
constexpr size_t kMaxJsonDepth = 64;

/// Parses `json` as one object. The result lives in `parser`. Throws Error(bad_input) naming `file` and the reason.
simdjson::dom::object parse_json_object(simdjson::dom::parser& parser, std::string_view json, std::string_view file);

}  // namespace frugal
