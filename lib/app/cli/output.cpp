#include "app/cli/output.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "app/cli/progress.h"
#include "base/error.h"

namespace frugal::cli {
namespace {

std::FILE* results = stdout;

[[noreturn]] void fail_output() {
  if (errno == EPIPE) throw OutputClosed();
  throw io_error("write to", results == stdout ? "standard output" : "standard error");
}

bool use_colours() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return stderr_is_terminal() && (!no_color || !*no_color) && !(term && std::string_view(term) == "dumb");
}

}  // namespace

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) fail_output();
}

void flush_output() {
  if (std::fflush(results) != 0) fail_output();
}

void print_error(std::string_view message, std::string_view hint) {
  constexpr std::string_view kRed = "\x1b[1;31m", kPlain = "\x1b[0m";
  const std::string_view on = use_colours() ? kRed : "", off = use_colours() ? kPlain : "";
  std::string text = fmt::format("{}error:{} {}\n", on, off, message);
  if (!hint.empty()) text += fmt::format("hint: {}\n", hint);
  std::fputs(text.c_str(), stderr);
}

void print_message(std::string_view line) {
  Progress::hide_line();
  std::fputs(fmt::format("{}\n", line).c_str(), stderr);
}

bool stdout_is_terminal() {
  return ::isatty(STDOUT_FILENO) == 1;
}
bool stderr_is_terminal() {
  return ::isatty(STDERR_FILENO) == 1;
}

}  // namespace frugal::cli
