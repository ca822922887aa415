// Errors about the content of a file that name the file, although they are thrown where only a field of it is known.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace frugal {

/// True if the message has the path in quotes, or begins with it, alone or followed by the name of a file below it.
inline bool names_file(const Error& error, const std::filesystem::path& file) {
  std::string_view path = file.native(), message = error.message();
  if (path.ends_with('/')) path.remove_suffix(1);
  for (size_t at = message.find(path); at != message.npos; at = message.find(path, at + 1)) {
    const std::string_view rest = message.substr(at + path.size());
    const bool ends = rest.empty() || rest[0] == '\'' || rest[0] == '/' || rest[0] == ':';
    if (ends && (at == 0 || message[at - 1] == '\'')) return true;
  }
  return false;
}

/// Returns body(), which reads what `file` holds. An Error about that content (bad_input, corrupt_file, mismatch) whose
/// message does not name the file gets it in front: "'a.gguf': unknown activation 'x'".
template <class Body>
decltype(auto) naming_file(const std::filesystem::path& file, Body&& body) {
  try {
    return body();
  } catch (Error& error) {
    const Code code = error.code();
    const bool about_content = code == Code::bad_input || code == Code::corrupt_file || code == Code::mismatch;
    if (about_content && !names_file(error, file)) error.within("'" + file.native() + "'");
    throw;
  }
}

}  // namespace frugal
