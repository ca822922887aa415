#include "measure/eval/dataset.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>

#include "base/error.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// Calls visit(line, number) for every line that is not empty, until it returns false. Numbers count from 1.
void for_each_line(const fs::path& path, const std::function<bool(const std::string&, int64_t)>& visit) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw io_error("open", path.native()).hint("a set holds corpus.jsonl, queries.jsonl and qrels.tsv");
  int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty() && !visit(line, number)) return;
  }
}

Error bad_line(const fs::path& path, int64_t number, std::string_view what) {
  return Error(Code::bad_input, fmt::format("{}:{}: {}", path.native(), number, what));
}

std::string string_or_number(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.is_number() ? value.dump() : std::string();
}

EvalQuery parse_query(const fs::path& path, const std::string& line, int64_t number) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object()) throw bad_line(path, number, "not a JSON object");
  EvalQuery query;
  query.id = string_or_number(json.value("_id", nlohmann::json()));
  query.text = string_or_number(json.value("text", nlohmann::json()));
  if (query.id.empty() || query.text.empty()) throw bad_line(path, number, "needs \"_id\" and \"text\"");
  for (const auto& answer : json.value("answers", nlohmann::json::array()))
    if (answer.is_string()) query.answers.push_back(answer);
  return query;
}

struct Qrel {
  std::string query, document;
  int grade = 0;
};

// Three columns, or TREC's four, of which the second is unused. A line with a tab has tabs between its columns: an id
// may then hold spaces, as "17-Part 12" does.
std::optional<Qrel> parse_qrel(const std::string& line) {
  std::vector<std::string> columns;
  const std::string_view separators = line.find('\t') == std::string::npos ? " " : "\t";
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find_first_of(separators, begin), line.size());
    if (end > begin) columns.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  if (columns.size() == 4) columns.erase(columns.begin() + 1);
  if (columns.size() != 3) return std::nullopt;
  Qrel qrel{columns[0], columns[1], 0};
  const std::string& grade = columns[2];
  const auto [stop, status] = std::from_chars(grade.data(), grade.data() + grade.size(), qrel.grade);
  if (status != std::errc() || stop != grade.data() + grade.size()) return std::nullopt;
  return qrel;
}

std::unordered_map<std::string, Judgements> read_qrels(const fs::path& path) {
  std::unordered_map<std::string, Judgements> judged;
  for_each_line(path, [&](const std::string& line, int64_t number) {
    const auto qrel = parse_qrel(line);
    if (qrel) {
      judged[qrel->query][qrel->document] = qrel->grade;
    } else if (number > 1) {  // the first line may be a header
      throw bad_line(path, number, "needs query-id, corpus-id and a whole number");
    }
    return true;
  });
  return judged;
}

}  // namespace

std::vector<EvalQuery> read_eval_queries(const fs::path& queries_jsonl, int64_t limit) {
  std::vector<EvalQuery> queries;
  for_each_line(queries_jsonl, [&](const std::string& line, int64_t number) {
    queries.push_back(parse_query(queries_jsonl, line, number));
    return limit == 0 || static_cast<int64_t>(queries.size()) < limit;
  });
  return queries;
}

EvalSet read_eval_set(const fs::path& folder, int64_t limit) {
  EvalSet set;
  set.name = fs::absolute(folder).lexically_normal().filename().string();
  if (set.name.empty()) set.name = fs::absolute(folder).lexically_normal().parent_path().filename().string();
  set.corpus = folder / "corpus.jsonl";
  if (!fs::exists(set.corpus))
    throw Error(Code::bad_input, fmt::format("no set at '{}': corpus.jsonl is missing", folder.native()))
        .hint("a set holds corpus.jsonl, queries.jsonl and qrels.tsv");
  const fs::path flat = folder / "qrels.tsv";
  auto judged = read_qrels(fs::exists(flat) ? flat : folder / "qrels" / "test.tsv");
  for (EvalQuery& query : read_eval_queries(folder / "queries.jsonl")) {
    const auto found = judged.find(query.id);
    if (found == judged.end()) continue;
    query.judged = std::move(found->second);
    set.queries.push_back(std::move(query));
    if (limit > 0 && static_cast<int64_t>(set.queries.size()) == limit) break;
  }
  if (set.queries.empty())
    throw Error(Code::bad_input, fmt::format("'{}' has no query with a judgement", folder.native()))
        .hint("the first column of qrels.tsv names queries by the _id of queries.jsonl");
  return set;
}

}  // namespace frugal
