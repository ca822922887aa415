#include "rag/reply/source_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace frugal {

Extracted extract_again(const std::string& path, Budget& budget, const std::function<void(const Document&)>& sink) {
  const FileKind kind = file_kind(path).value_or(FileKind::text);  // as rag-index reads what is named outright
  std::error_code unreadable;                                      // then it cannot be opened either
  if (std::filesystem::exists(path, unreadable) && !std::filesystem::is_regular_file(path, unreadable))
    throw Error(Code::bad_input, fmt::format("'{}' is not a regular file", path));  // a FIFO would be waited for
  std::ifstream file(path, std::ios::binary);
  if (!file) throw io_error("open", path);
  ExtractOptions options;
  options.max_file_bytes = std::filesystem::file_size(path, unreadable);
  options.budget = budget;
  return extract(file, kind, path, options, [&](const Document& document) { sink(document); });
}

bool was_standard_input(const std::string& path) {
  std::error_code ignored;
  return !std::filesystem::path(path).is_absolute() && !std::filesystem::exists(path, ignored);
}

}  // namespace frugal
