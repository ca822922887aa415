#include "rag/answer/batch.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <streambuf>
#include <utility>

#include "base/error.h"
#include "rag/answer/question.h"
#include "rag/answer/reply_json.h"

namespace frugal {
namespace {

std::string text_field(const nlohmann::json& object, const char* name, const char* other_name) {
  const auto field = object.contains(name) ? object.find(name) : object.find(other_name);
  if (field == object.end()) return {};
  if (field->is_string()) return field->get<std::string>();
  if (field->is_number()) return field->dump();
  throw Error(Code::bad_input, fmt::format("batch line: '{}' is neither a string nor a number", field.key()));
}

// The start of a line, to echo it in an error: the line may be far longer than any question.
std::string excerpt(std::string_view line) {
  return std::string(line.substr(0, 200));
}

// Longer than any question with its id, even if each byte of it is written as an escape.
constexpr size_t kMaxLineBytes = 8 * kMaxQuestionBytes;

// Reads a line, of which at most one byte more than the limit is kept; false at the end.
bool read_line(std::istream& lines, std::string& line) {
  line.clear();
  std::streambuf& buffer = *lines.rdbuf();
  int c = buffer.sbumpc();
  if (c == std::char_traits<char>::eof()) return false;
  for (; c != std::char_traits<char>::eof() && c != '\n'; c = buffer.sbumpc())
    if (line.size() <= kMaxLineBytes) line += static_cast<char>(c);
  return true;
}

}  // namespace

Query parse_batch_line(std::string_view line) {
  if (!line.starts_with('{')) return {{}, std::string(line)};
  const auto object = nlohmann::json::parse(line, nullptr, false);
  if (object.is_discarded())
    throw Error(Code::bad_input, "batch line: not a JSON object")
        .hint("write {\"id\": …, \"query\": …}, or plain text");
  Query query{text_field(object, "id", "_id"), text_field(object, "query", "text")};
  if (query.text.empty())
    throw Error(Code::bad_input, "batch line: no \"query\"").hint("write {\"id\": …, \"query\": …}, or plain text");
  return query;
}

BatchResult answer_batch(Pipeline& pipeline, std::istream& lines, bool explain, Trace first,
                         const std::function<void(const std::string& json)>& emit) {
  const ReplyDetail detail = explain ? ReplyDetail::explain : ReplyDetail::contract;
  BatchResult result;
  Trace trace = std::move(first);
  for (std::string line; read_line(lines, line); trace = Trace(true)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    ++result.asked;
    Query query{{}, excerpt(line)};
    try {
      if (line.size() > kMaxLineBytes)
        throw Error(Code::bad_input, fmt::format("batch line: longer than {} bytes", kMaxLineBytes))
            .hint("a question has at most 16 KiB");
      query = parse_batch_line(line);
      const Reply reply = pipeline.ask(query, {}, std::move(trace));
      result.abstained += reply.answer.abstained;
      emit(reply_to_json(reply, detail));
    } catch (const Error& error) {
      // A model or an index that cannot be used fails every line.
      if (error.code() == Code::missing || error.code() == Code::mismatch) throw;
      ++result.failed;
      query.text = excerpt(query.text);
      emit(error_to_json(query, error));
    }
  }
  return result;
}

}  // namespace frugal
