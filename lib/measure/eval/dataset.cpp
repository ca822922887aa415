#include "measure/eval/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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

// "pt" and "pt-BR" are Portuguese; unknown for a language that the toolkit does not tell apart.
Language parse_language(std::string_view code) {
  for (const Language language : {Language::english, Language::portuguese})
    if (code.substr(0, code.find_first_of("-_")) == to_string(language)) return language;
  return Language::unknown;
}

// The strings and numbers of a field that is a list; none if it is absent. Throws if it is anything else.
std::vector<std::string> strings_of(const nlohmann::json& json, const char* field, const fs::path& path,
                                    int64_t number) {
  std::vector<std::string> strings;
  const auto list = json.value(field, nlohmann::json());
  if (list.is_null()) return strings;
  const auto is_text = [](const nlohmann::json& each) { return each.is_string() || each.is_number(); };
  if (!list.is_array() || !std::all_of(list.begin(), list.end(), is_text))
    throw bad_line(path, number, fmt::format("\"{}\" must be a list of texts", field));
  for (const auto& each : list) strings.push_back(string_or_number(each));
  return strings;
}

// Questions whose language neither the file nor their words tell get that of most others.
void complete_languages(std::vector<EvalQuery>& queries) {
  std::array<int64_t, kLanguages> count{};
  for (EvalQuery& query : queries) {
    if (query.language == Language::unknown) query.language = detect_language(query.text);
    ++count[static_cast<size_t>(query.language)];
  }
  count[static_cast<size_t>(Language::unknown)] = 0;
  const auto most = std::max_element(count.begin(), count.end());
  if (*most == 0) return;
  for (EvalQuery& query : queries)
    if (query.language == Language::unknown) query.language = static_cast<Language>(most - count.begin());
}

EvalQuery parse_query(const fs::path& path, const std::string& line, int64_t number) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object()) throw bad_line(path, number, "not a JSON object");
  EvalQuery query;
  query.id = string_or_number(json.value("_id", nlohmann::json()));
  query.text = string_or_number(json.value("text", nlohmann::json()));
  if (query.id.empty() || query.text.empty()) throw bad_line(path, number, "needs \"_id\" and \"text\"");
  query.answers = strings_of(json, "answers", path, number);
  query.gold = strings_of(json, "gold", path, number);
  query.language = parse_language(string_or_number(json.value("language", nlohmann::json())));
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
  complete_languages(queries);
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
  if (const fs::path file = folder / "unanswerable.jsonl"; fs::exists(file)) set.unanswerable = file;
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
