#include "rag/answer/cite.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <span>

#include "base/error.h"
#include "base/hash.h"
#include "rag/answer/reply_json.h"
#include "rag/extract/extract.h"

namespace frugal {
namespace {

// Of a document while it is read: a string that grows, and its decoded text.
constexpr uint64_t kCopiesWhileRead = 3;

std::string problem_of(const Citation& citation, std::string_view text) {
  if (citation.start_byte > citation.end_byte || citation.end_byte > text.size())
    return fmt::format("bytes {} to {} are beyond the text's {}", citation.start_byte, citation.end_byte, text.size());
  if (text.substr(citation.start_byte, citation.end_byte - citation.start_byte) != citation.quote)
    return "the quote is not what the file says there";
  return {};
}

// Compares the citations of one file with it, document by document: a record of a file of records is found by its hash.
void compare(const std::string& path, std::span<CitationCheck* const> checks, Budget& budget) {
  const FileKind kind = file_kind(path).value_or(FileKind::text);  // as rag-index reads what is named outright
  std::error_code unreadable;                                      // then it cannot be opened either
  if (std::filesystem::exists(path, unreadable) && !std::filesystem::is_regular_file(path, unreadable))
    throw Error(Code::bad_input, fmt::format("'{}' is not a regular file", path));  // a FIFO would be waited for
  std::ifstream file(path, std::ios::binary);
  if (!file) throw io_error("open", path);
  // The file was indexed with a limit of the user's, which the citation does not record; its size now is as good, since
  // a file that holds more than was indexed has another hash.
  ExtractOptions options;
  options.max_file_bytes = std::filesystem::file_size(path);
  const bool has_records = kind == FileKind::csv || kind == FileKind::jsonl;
  const uint64_t longest = std::min(options.max_file_bytes, has_records ? options.max_record_bytes : ~uint64_t(0));
  const Reservation reading =
      budget.reserve(MemoryTag::io, kCopiesWhileRead * longest, fmt::format("reading '{}' again", path));
  for (CitationCheck* check : checks) check->problem = "the file has changed since: no text in it has the cited hash";
  extract(file, kind, path, options, [&](const Document& document) {
    const std::string hash = sha256_hex(document.text);
    for (CitationCheck* check : checks)
      if (check->citation.sha256 == hash) check->problem = problem_of(check->citation, document.text);
  });
}

}  // namespace

Citation cite(const Hit& hit, uint32_t begin, uint32_t end, int64_t n) {
  const Chunk& chunk = hit.chunk;
  const std::string_view text = chunk.text;
  Citation citation;
  citation.n = n;
  citation.id = chunk.id;
  citation.path = chunk.path;
  citation.start_byte = chunk.start_byte + begin;
  citation.end_byte = chunk.start_byte + end;
  // A record's line is that of its file, where its own line breaks may be escapes.
  const bool is_record = !chunk.external_id.empty();
  citation.line = chunk.line + (is_record ? 0 : std::count(text.begin(), text.begin() + begin, '\n'));
  citation.page = chunk.page;
  citation.sha256 = chunk.sha256;
  citation.quote = text.substr(begin, end - begin);
  return citation;
}

std::vector<CitationCheck> check_citations(std::string_view answer_json, Budget& budget) {
  std::vector<CitationCheck> checks;
  for (Citation& citation : citations_from_json(answer_json)) checks.push_back({std::move(citation), false, {}});
  std::map<std::string, std::vector<CitationCheck*>> by_file;
  for (CitationCheck& check : checks) by_file[check.citation.path].push_back(&check);
  for (const auto& [path, of_file] : by_file) {
    try {
      compare(path, of_file, budget);
    } catch (const Error& error) {
      if (error.code() == Code::over_budget) throw;
      for (CitationCheck* check : of_file) check->problem = error.message();
    } catch (const std::filesystem::filesystem_error& error) {
      for (CitationCheck* check : of_file) check->problem = error.code().message();
    }
  }
  for (CitationCheck& check : checks) check.holds = check.problem.empty();
  return checks;
}

}  // namespace frugal
