// A piece of work in a process of its own: what it takes is its own, and what it keeps ends with it.
// For other programs see command.h.
#pragma once

#include <functional>
#include <string>

namespace frugal {

/// Runs `body` in a copy of this process, which may have no other thread at that moment, and returns the bytes that it
/// returns. An Error that `body` throws is thrown here; Error(internal) where the child ends in another way.
std::string run_in_child(const std::function<std::string()>& body);

}  // namespace frugal
