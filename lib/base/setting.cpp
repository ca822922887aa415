#include "base/setting.h"

#include <fmt/ranges.h>

#include "base/error.h"

namespace frugal {

void throw_unknown_name(std::string_view what, std::string_view text, const std::vector<std::string_view>& known) {
  throw Error(Code::usage, fmt::format("unknown {} '{}'", what, text))
      .hint(fmt::format("known: {}", fmt::join(known, ", ")));
}

}  // namespace frugal
