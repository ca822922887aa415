#include "rag/reply/cite.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <span>
#include <utility>

#include "base/ascii.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/units.h"
#include "base/utf8.h"
#include "base/visible.h"
#include "model/tokenize/unicode.h"
#include "rag/extract/extract.h"
#include "rag/extract/extraction_child.h"
#include "rag/reply/reply_json.h"

namespace frugal {
namespace {

constexpr char32_t kByteOrderMark = 0xFEFF;

std::string problem_of(const Citation& citation, const Document& document) {
  const std::string_view text = document.text;
  if (citation.quote.empty()) return "the quote is empty";
  if (citation.text_begin > citation.text_end || citation.text_end > text.size())
    return fmt::format("bytes {} to {} are beyond the text's {}", citation.text_begin, citation.text_end, text.size());
  if (text.substr(citation.text_begin, citation.text_end - citation.text_begin) != citation.quote)
    return "the quote is not what the file says there";
  SourceMap::Place place{citation.text_begin, citation.text_end, citation.line};
  if (citation.in_file && document.source)
    place = document.source->find(citation.text_begin, citation.text_end);
  else if (citation.in_file)
    place.line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(citation.text_begin), '\n');
  if (place.begin != citation.start_byte || place.end != citation.end_byte || place.line != citation.line)
    return fmt::format("the quote is at bytes {} to {}, line {}", place.begin, place.end, place.line);
  if (const int64_t page = page_at(text, citation.text_begin, document.first_page); page != citation.page)
    return fmt::format("the quote is on page {}", page);
  return {};
}

// Compares the citations of one file with it, document by document: a record of a file of records is found by its hash.
void compare(const std::string& path, std::span<CitationCheck* const> checks, Budget& budget, ExtractionChild& child) {
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
  options.budget = budget;
  options.child = &child;
  for (CitationCheck* check : checks) check->problem = "the file has changed since: no text in it has the cited hash";
  extract(file, kind, path, options, [&](const Document& document) {
    const std::string hash = sha256_hex(document.text);
    for (CitationCheck* check : checks)
      if (check->citation.sha256 == hash && !check->holds) {
        check->problem = problem_of(check->citation, document);
        check->holds = check->problem.empty();  // of two records with one text, the cited one
      }
  });
}

// The path of a file is absolute in an index; standard input has the name that it was given.
bool was_standard_input(const std::string& path) {
  std::error_code ignored;
  return !std::filesystem::path(path).is_absolute() && !std::filesystem::exists(path, ignored);
}

void check_file(const std::string& path, std::span<CitationCheck* const> checks, Budget& budget,
                ExtractionChild& child) {
  std::string problem;
  try {
    if (was_standard_input(path))
      problem = "it was read from standard input: there is no file to compare with";
    else
      compare(path, checks, budget, child);
  } catch (const Error& error) {
    if (error.code() == Code::over_budget) throw;
    problem = error.message();
  } catch (const std::filesystem::filesystem_error& error) {
    problem = error.code().message();
  }
  if (problem.empty()) return;
  for (CitationCheck* check : checks) {
    check->problem = problem;
    check->holds = false;
  }
}

// What an answer says beyond its citations; empty if nothing is wrong.
std::string problem_of(const SavedAnswer& answer) {
  if (!answer.text) return {};
  if (answer.citations.empty()) return "it has no citation";
  const bool is_quote = answer.mode == to_string(AnswerMode::extract);
  if (is_quote && *answer.text != text_of_quotes(answer.citations) &&
      *answer.text != collapse_spaces(answer.citations.front().quote))  // as it was written until version 0.1
    return "its text is not the quote that it cites";
  return {};
}

}  // namespace

Citation cite(const Hit& hit, uint32_t begin, uint32_t end, int64_t n) {
  const Chunk& chunk = hit.chunk;
  const std::string_view text = chunk.text;
  Citation citation;
  citation.n = n;
  citation.id = chunk.id;
  citation.path = chunk.path;
  citation.record = chunk.external_id;
  citation.text_begin = chunk.start_byte + begin;
  citation.text_end = chunk.start_byte + end;
  citation.in_file = chunk.in_file;
  // Without a map, a record's line is that of the record: its own line breaks may be escapes.
  const bool is_record = !chunk.external_id.empty();
  const SourceMap::Place same{citation.text_begin, citation.text_end,
                              chunk.line + (is_record ? 0 : std::count(text.begin(), text.begin() + begin, '\n'))};
  const SourceMap::Place place = chunk.source ? chunk.source->find(begin, end) : same;
  citation.start_byte = place.begin;
  citation.end_byte = place.end;
  citation.line = place.line;
  citation.file_bytes = chunk.file_bytes;
  citation.file_mtime_ns = chunk.file_mtime_ns;
  citation.page = page_at(text, begin, chunk.page);
  citation.sha256 = chunk.sha256;
  citation.quote = text.substr(begin, end - begin);
  return citation;
}

std::string text_of_quote(std::string_view quote) {
  std::string text;
  bool space_due = false;
  for (size_t at = 0; at < quote.size();) {
    const CodePoint point = decode_utf8(quote, at);
    const std::string_view bytes = quote.substr(at, point.num_bytes);
    at += point.num_bytes;
    if (point.value == kByteOrderMark) continue;
    if (unicode::is_space(point.value)) {
      space_due = !text.empty();
      continue;
    }
    if (std::exchange(space_due, false)) text += ' ';
    text += bytes;
  }
  return text;
}

std::string text_of_quotes(std::span<const Citation> citations) {
  std::string text;
  for (const Citation& citation : citations) text += (text.empty() ? "" : "\n") + text_of_quote(citation.quote);
  return text;
}

void look_at_sources(std::span<Citation> citations) {
  std::map<std::string_view, SourceState> states;
  for (Citation& citation : citations) {
    if (citation.file_bytes < 0) continue;
    const auto [known, is_new] = states.try_emplace(citation.path, SourceState::gone);
    struct stat info {};
    if (is_new && ::stat(citation.path.c_str(), &info) == 0) {
      const int64_t mtime_ns = nanoseconds(info.st_mtim);
      const bool same = info.st_size == citation.file_bytes && mtime_ns == citation.file_mtime_ns;
      known->second = same ? SourceState::unchanged : SourceState::changed;
    }
    citation.source = known->second;
  }
}

bool AnswerCheck::holds() const {
  return problems.empty() &&
         std::all_of(citations.begin(), citations.end(), [](const CitationCheck& each) { return each.holds; });
}

AnswerCheck check_citations(std::string_view answer_json, Budget& budget) {
  AnswerCheck result;
  for (SavedAnswer& answer : answers_from_json(answer_json)) {
    result.answers += answer.text.has_value();
    if (const std::string problem = problem_of(answer); !problem.empty())
      result.problems.push_back(fmt::format("{}: {}", answer.name, problem));
    for (Citation& citation : answer.citations) result.citations.push_back({std::move(citation), false, {}});
  }
  std::map<std::string, std::vector<CitationCheck*>> by_file;
  for (CitationCheck& check : result.citations) by_file[check.citation.path].push_back(&check);
  ExtractionChild child;
  for (const auto& [path, checks] : by_file) check_file(path, checks, budget, child);
  return result;
}

std::string render_check(const AnswerCheck& check, bool as_json) {
  if (as_json) return check_to_json(check);
  std::string out;
  for (const CitationCheck& each : check.citations)
    out +=
        fmt::format("[{}] {} bytes {}-{}: {}\n", each.citation.n, visible_line(each.citation.path),
                    each.citation.start_byte, each.citation.end_byte, each.holds ? "ok" : visible_line(each.problem));
  for (const std::string& problem : check.problems) out += visible_line(problem) + "\n";
  if (check.citations.empty() && check.answers == 0) out += "no answer, no citations: nothing to check\n";
  return out;
}

}  // namespace frugal
