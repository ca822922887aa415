// Output of the tools: results on standard output, messages on standard error. All printing goes through these
// functions, so that a full disk is an error and a closed pipe ends the tool.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace frugal::cli {

/// Thrown if the reader of standard output closed its end of the pipe (`… | head`). run_tool() ends the tool without a
/// message.
struct OutputClosed {};

/// Writes to standard output through a buffer. Throws Error(io) or OutputClosed.
void print(std::string_view text);
template <typename... Args>
void print(fmt::format_string<Args...> format, Args&&... args) {
  print(std::string_view(fmt::format(format, std::forward<Args>(args)...)));
}
/// From here on print() writes to standard error: standard output is a file that the user named for something else.
void print_to_stderr();
/// Writes the buffer out; called after each answer of a batch and each token of a stream. Throws like print().
void flush_output();

/// Prints "error: MESSAGE" and, unless `hint` is empty, "hint: HINT" on standard error.
void print_error(std::string_view message, std::string_view hint);
/// Prints a line on standard error, above the progress line if one is drawn.
void print_message(std::string_view line);
/// The same for a text of several lines.
void print_messages(std::string_view lines);

bool stdout_is_terminal();
bool stderr_is_terminal();

}  // namespace frugal::cli
