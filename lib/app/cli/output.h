// Standard output is the result, standard error is narration. Everything a tool prints goes through here, so that a
// full disk and a closed pipe are noticed.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace frugal::cli {

/// The reader of standard output went away (`… | head`): ends the tool quietly.
struct OutputClosed {};

/// Writes to standard output, buffered. Throws Error(io), OutputClosed.
void print(std::string_view text);
template <typename... Args>
void print(fmt::format_string<Args...> format, Args&&... args) {
  print(std::string_view(fmt::format(format, std::forward<Args>(args)...)));
}
/// Makes what was printed visible: after each answer of a batch, each token of a stream.
void flush_output();

/// "error: …" and, where there is one, "hint: …" on standard error.
void print_error(std::string_view message, std::string_view hint);
/// A line of narration on standard error, above the progress bar if there is one.
void narrate(std::string_view line);

bool stdout_is_terminal();
bool stderr_is_terminal();

}  // namespace frugal::cli
