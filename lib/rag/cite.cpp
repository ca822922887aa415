#include "rag/cite.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/error.h"
#include "base/hash.h"
#include "rag/extract.h"

namespace frugal {
namespace {

Error not_an_answer(std::string_view why) {
  return Error(Code::bad_input, fmt::format("not an answer of rag-query: {}", why))
      .hint("save one with rag-query … --format json > answer.json");
}

Citation parse_citation(const nlohmann::json& json) {
  Citation citation;
  citation.n = json.at("n");
  citation.id = json.at("id");
  citation.path = json.at("path");
  citation.start_byte = json.at("start_byte");
  citation.end_byte = json.at("end_byte");
  citation.line = json.at("line");
  citation.page = json.at("page").is_null() ? 0 : json.at("page").get<int64_t>();
  citation.sha256 = json.at("sha256");
  citation.quote = json.at("quote");
  return citation;
}

void append_citations(const nlohmann::json& answer, std::vector<Citation>& citations) {
  try {
    for (const auto& citation : answer.at("citations")) citations.push_back(parse_citation(citation));
  } catch (const nlohmann::json::exception& error) {
    throw not_an_answer(error.what());
  }
}

// One object, or one object a line; an error object of a batch has no citations.
std::vector<Citation> parse_answers(std::string_view text) {
  std::vector<Citation> citations;
  const auto whole = nlohmann::json::parse(text, nullptr, false);
  if (whole.is_object()) {
    append_citations(whole, citations);
    return citations;
  }
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto object = nlohmann::json::parse(line, nullptr, false);
    if (!object.is_object()) throw not_an_answer(fmt::format("line {} is not a JSON object", number));
    if (!object.contains("error")) append_citations(object, citations);
  }
  if (number == 0) throw not_an_answer("it is empty");
  return citations;
}

// Texts of the documents of a file, by their hash: a record of a file of records is found by what it says.
std::unordered_map<std::string, std::string> extract_documents(const std::string& path) {
  const auto kind = file_kind(path);
  if (!kind) throw Error(Code::bad_input, refusal(path));
  std::ifstream file(path, std::ios::binary);
  if (!file) throw io_error("open", path);
  std::unordered_map<std::string, std::string> documents;
  extract(file, *kind, path, {}, [&](Document document) {
    std::string hash = sha256_hex(document.text);
    documents.emplace(std::move(hash), std::move(document.text));
  });
  return documents;
}

std::string problem_of(const Citation& citation, const std::unordered_map<std::string, std::string>& documents) {
  const auto document = documents.find(citation.sha256);
  if (document == documents.end()) return "the file has changed since: no text in it has the cited hash";
  const std::string_view text = document->second;
  if (citation.start_byte > citation.end_byte || citation.end_byte > text.size())
    return fmt::format("bytes {} to {} are beyond the text's {}", citation.start_byte, citation.end_byte, text.size());
  if (text.substr(citation.start_byte, citation.end_byte - citation.start_byte) != citation.quote)
    return "the quote is not what the file says there";
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

std::vector<CitationCheck> check_citations(std::string_view answer_json) {
  std::map<std::string, std::unordered_map<std::string, std::string>> files;
  std::map<std::string, std::string> unreadable;
  std::vector<CitationCheck> checks;
  for (Citation& citation : parse_answers(answer_json)) {
    CitationCheck check;
    if (!files.contains(citation.path) && !unreadable.contains(citation.path)) {
      try {
        files[citation.path] = extract_documents(citation.path);
      } catch (const Error& error) {
        files.erase(citation.path);
        unreadable[citation.path] = error.message();
      }
    }
    const auto failed = unreadable.find(citation.path);
    check.problem = failed != unreadable.end() ? failed->second : problem_of(citation, files[citation.path]);
    check.holds = check.problem.empty();
    check.citation = std::move(citation);
    checks.push_back(std::move(check));
  }
  return checks;
}

}  // namespace frugal
