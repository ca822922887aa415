#include "app/cli/input.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "base/error.h"

namespace frugal::cli {
namespace {

// The stream of standard input ends at an error as it does at the end.
void require_readable_stdin() {
  if (std::ferror(stdin) != 0) throw io_error("read", "standard input");
}

}  // namespace

std::string read_standard_input(size_t limit) {
  std::string text;
  std::array<char, 4096> block;
  while (text.size() <= limit && (std::cin.read(block.data(), block.size()) || std::cin.gcount() > 0))
    text.append(block.data(), std::min(static_cast<size_t>(std::cin.gcount()), limit + 1 - text.size()));
  require_readable_stdin();
  return text;
}

void read_input(const std::string& file, const std::function<void(std::istream& input)>& read) {
  if (file == "-") {
    read(std::cin);
    return require_readable_stdin();
  }
  if (std::filesystem::is_directory(file))
    throw Error(Code::bad_input, fmt::format("'{}' is a folder", file)).hint("name a file, or - for standard input");
  std::ifstream input(file, std::ios::binary);
  if (!input) throw io_error("open", file);
  read(input);
}

}  // namespace frugal::cli
