#include "rag/answer/batch.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <streambuf>
#include <utility>

#include "base/ascii.h"
#include "base/error.h"
#include "rag/answer/question.h"
#include "rag/reply/reply_json.h"

namespace frugal {
namespace {

std::string question_of(const nlohmann::json& object) {
  const auto field = object.contains("query") ? object.find("query") : object.find("text");
  if (field == object.end()) return {};
  if (field->is_string()) return field->get<std::string>();
  if (field->is_number()) return field->dump();
  throw Error(Code::bad_input, fmt::format("batch line: '{}' is neither a string nor a number", field.key()));
}

// The strings of a field that is one or a list of them.
std::vector<std::string> strings_of(const nlohmann::json& object, const char* key) {
  const auto field = object.find(key);
  if (field == object.end() || field->is_null()) return {};
  std::vector<std::string> strings;
  const nlohmann::json one = nlohmann::json::array({*field});
  for (const nlohmann::json& each : field->is_array() ? *field : one) {
    if (!each.is_string())
      throw Error(Code::bad_input, fmt::format("batch line: '{}' is neither a string nor a list of strings", key));
    strings.push_back(each.get<std::string>());
  }
  return strings;
}

// {"year": 2024} as year=2024.
std::vector<std::string> conditions_of(const nlohmann::json& object) {
  const auto where = object.find("where");
  if (where == object.end() || !where->is_object()) return strings_of(object, "where");
  std::vector<std::string> conditions;
  for (const auto& [key, value] : where->items())
    conditions.push_back(fmt::format("{}={}", key, value.is_string() ? value.get<std::string>() : value.dump()));
  return conditions;
}

void read_filter(const nlohmann::json& object, ChunkFilter& filter) {
  const std::vector<std::string> paths = strings_of(object, "path");
  if (!paths.empty()) filter.paths.clear();
  add_restrictions(filter, paths, conditions_of(object));
}

// The start of a line, to echo it in an error: the line may be far longer than any question.
std::string excerpt(std::string_view line) {
  return std::string(line.substr(0, 200));
}

// Longer than any question with its id, even if each byte of it is written as an escape.
constexpr size_t kMaxLineBytes = 8 * kMaxQuestionBytes;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Parses a line, which may be broken or cut: discarded then. `id` gets the JSON of the "id", or else of the "_id", as
// soon as it is read.
nlohmann::json parse_object(std::string_view line, std::string& id) {
  using Event = nlohmann::json::parse_event_t;
  std::string key;
  bool has_id = false;
  return nlohmann::json::parse(
      line,
      [&](int depth, Event event, nlohmann::json& parsed) {
        if (depth != 1) return true;
        if (event == Event::key) key = parsed.get<std::string>();
        const bool is_value = event == Event::value || event == Event::object_end || event == Event::array_end;
        if (is_value && (key == "id" || (key == "_id" && !has_id))) {
          id = parsed.dump();
          has_id = has_id || key == "id";
        }
        return true;
      },
      false);
}

// Reads a line, of which at most one byte more than the limit is kept; false at the end.
bool read_line(std::istream& lines, std::string& line) try {
  line.clear();
  std::streambuf& buffer = *lines.rdbuf();
  int c = buffer.sbumpc();
  if (c == std::char_traits<char>::eof()) return false;
  for (; c != std::char_traits<char>::eof() && c != '\n'; c = buffer.sbumpc())
    if (line.size() <= kMaxLineBytes) line += static_cast<char>(c);
  return true;
} catch (const std::ios_base::failure&) {
  throw io_error("read", "the questions");
}

}  // namespace

void parse_batch_line(std::string_view line, Query& query) {
  const bool is_object = trim(line).starts_with('{');
  const nlohmann::json object = is_object ? parse_object(line, query.id) : nlohmann::json();
  if (line.size() > kMaxLineBytes)
    throw Error(Code::bad_input, fmt::format("batch line: longer than {} bytes", kMaxLineBytes))
        .hint("a question has at most 16 KiB");
  if (object.is_discarded())
    throw Error(Code::bad_input, "batch line: not a JSON object")
        .hint("write {\"id\": …, \"query\": …}, or plain text");
  query.text = is_object ? question_of(object) : std::string(line);
  if (is_object) read_filter(object, query.filter);
  if (query.text.empty())
    throw Error(Code::bad_input, "batch line: no \"query\"").hint("write {\"id\": …, \"query\": …}, or plain text");
}

BatchResult answer_batch(Pipeline& pipeline, const Query& asked, std::istream& lines, bool explain, Trace first,
                         const std::function<void(const std::string& json)>& emit) {
  const ReplyDetail detail = explain ? ReplyDetail::explain : ReplyDetail::contract;
  BatchResult result;
  Trace trace = std::move(first);
  bool is_first = true;
  for (std::string line; read_line(lines, line); trace = Trace(true)) {
    if (std::exchange(is_first, false) && line.starts_with(kByteOrderMark)) line.erase(0, kByteOrderMark.size());
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    ++result.asked;
    Query query = asked;
    query.text = excerpt(line);
    try {
      parse_batch_line(line, query);
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
