// The nearest known name to a misspelt one: for messages about unknown flags, keys and names.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace frugal {

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (optimal string alignment).
size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `word`; empty if more than a third of its letters would have to change.
std::string nearest_name(std::string_view word, std::span<const std::string> candidates);

}  // namespace frugal
