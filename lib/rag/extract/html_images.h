// The images that a page of HTML has inside itself, as addresses that begin with "data:". Files that it refers to are
// not followed: those beside it are indexed where they lie, and a page from elsewhere must not name others.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace frugal {

/// Passes the bytes of each of them, which may be anything, in the order of the page.
void each_data_image(std::string_view html, const std::function<void(std::string image)>& sink);

}  // namespace frugal
