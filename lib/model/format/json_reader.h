// simdjson with this project's limits. For .cpp files of this room: the header is large.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

namespace frugal {

/// Deepest nesting that is read; deeper is an error, and recursion over a parsed document is bounded by it.
constexpr size_t kMaxJsonDepth = 64;

/// Integers of 19 digits and more as floats ("1000000000000000019884624838656" → "…e0"): transformers writes "no limit"
/// so (model_max_length), and simdjson 3 refuses what does not fit 64 bits.
std::string large_integers_as_floats(std::string_view json);

/// Parses `json` as one object, integers beyond 64 bits included. The result lives in `parser`. Throws Error(bad_input)
/// naming `file` and the reason.
simdjson::dom::object parse_json_object(simdjson::dom::parser& parser, std::string_view json, std::string_view file);

}  // namespace frugal
