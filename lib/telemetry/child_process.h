// Runs a function in a process of its own, so that its memory can be measured alone and is freed at its end.
// For other programs see command.h.
#pragma once

#include <functional>
#include <string>

namespace frugal {

/// Runs `body` in a fork of this process, which must have no other thread at that moment, and returns its result.
/// Throws the Error that `body` throws; Error(internal) if the child ends in another way.
std::string run_in_child(const std::function<std::string()>& body);

}  // namespace frugal
