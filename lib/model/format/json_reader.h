// simdjson with this project's limits. Include it only in .cpp files of this room: simdjson's header is large.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

namespace frugal {

/// Maximum nesting; deeper documents are an error, and recursion over a parsed document is bounded by it.
constexpr size_t kMaxJsonDepth = 64;

/// Rewrites integers of 19 digits and more as floats ("1000000000000000019884624838656" → "…e0"): transformers writes
/// "no limit" that way (model_max_length), and simdjson 3 refuses integers beyond 64 bits.
std::string large_integers_as_floats(std::string_view json);

/// Parses `json` as one object, integers beyond 64 bits included. The result refers to `parser`. Throws
/// Error(bad_input) naming `file` and the reason.
simdjson::dom::object parse_json_object(simdjson::dom::parser& parser, std::string_view json, std::string_view file);

}  // namespace frugal
