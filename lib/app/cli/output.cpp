#include "app/cli/output.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "app/cli/progress.h"
#include "base/error.h"
#include "base/visible.h"

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

// A terminal obeys what a pipe only passes on: names of files in a table may hold escape sequences.
void print(std::string_view raw) {
  const bool terminal = ::isatty(::fileno(results)) == 1;
  const std::string safe = terminal ? visible_text(raw) : std::string();
  const std::string_view text = terminal ? std::string_view(safe) : raw;
  if (std::fwrite(text.data(), 1, text.size(), results) != text.size()) fail_output();
}

void print_to_stderr() {
  results = stderr;
}

void flush_output() {
  if (std::fflush(results) != 0) fail_output();
}

void print_error(std::string_view message, std::string_view hint) {
  constexpr std::string_view kRed = "\x1b[1;31m", kPlain = "\x1b[0m";
  const std::string_view on = use_colours() ? kRed : "", off = use_colours() ? kPlain : "";
  std::string text = fmt::format("{}error:{} {}\n", on, off, visible_line(message));
  if (!hint.empty()) text += fmt::format("hint: {}\n", visible_line(hint));
  std::fputs(text.c_str(), stderr);
}

void print_message(std::string_view line) {
  Progress::hide_line();
  std::fputs((visible_line(line) + "\n").c_str(), stderr);
}

void print_messages(std::string_view lines) {
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    print_message(lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
}

bool stdout_is_terminal() {
  return ::isatty(STDOUT_FILENO) == 1;
}
bool stderr_is_terminal() {
  return ::isatty(STDERR_FILENO) == 1;
}

}  // namespace frugal::cli
