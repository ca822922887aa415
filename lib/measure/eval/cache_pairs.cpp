#include "measure/eval/cache_pairs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/ascii.h"
#include "base/error.h"
#include "base/utf8.h"
#include "measure/report/table.h"
#include "rag/guard/guard.h"

namespace frugal {
namespace {

using nlohmann::ordered_json;

constexpr size_t kMaxLineBytes = 64 << 10;
constexpr size_t kMaxPairs = 1'000'000;

struct Columns {
  size_t a = 1, b = 2, label = 3;
  size_t type = std::string::npos, language = std::string::npos;
  size_t count = 4;
};

std::vector<std::string> fields_of(std::string_view line) {
  std::vector<std::string> fields;
  for (;;) {
    const size_t tab = line.find('\t');
    fields.emplace_back(line.substr(0, tab));
    if (tab == line.npos) return fields;
    line.remove_prefix(tab + 1);
  }
}

Error bad_pair(const std::filesystem::path& file, int64_t line, std::string_view why) {
  return Error(Code::bad_input, fmt::format("{}:{}: {}", file.native(), line, why))
      .hint(
          "a line is label, type, lang, a and b under a line with these names, or id, a, b and label, with tabs "
          "between");
}

std::optional<Columns> named_columns(const std::vector<std::string>& names) {
  const auto find = [&](std::string_view name) {
    const auto at = std::find(names.begin(), names.end(), name);
    return at == names.end() ? std::string::npos : static_cast<size_t>(at - names.begin());
  };
  const Columns columns{find("a"), find("b"), find("label"), find("type"), find("lang"), names.size()};
  const bool has_names = std::max({columns.a, columns.b, columns.label}) != std::string::npos;
  return has_names ? std::optional(columns) : std::nullopt;
}

QuestionPair pair_of(const std::vector<std::string>& fields, const Columns& columns, const std::filesystem::path& file,
                     int64_t line) {
  if (fields.size() != columns.count)
    throw bad_pair(file, line, fmt::format("{} columns, expected {}", fields.size(), columns.count));
  const std::string& label = fields[columns.label];
  if (label != "0" && label != "1") throw bad_pair(file, line, fmt::format("label '{}' is neither 0 nor 1", label));
  QuestionPair pair{fields[columns.a], fields[columns.b], label == "1", "all", "", line};
  if (columns.type != std::string::npos) pair.type = fields[columns.type];
  if (columns.language != std::string::npos) pair.language = fields[columns.language];
  return pair;
}

std::string percent(double rate) {
  return fmt::format("{:.2f} %", 100 * rate);
}

// The probability of at most `hits` of `pairs`, each with probability `rate`.
double binomial_cdf(int64_t hits, int64_t pairs, double rate) {
  const auto n = static_cast<double>(pairs);
  double sum = 0;
  for (int64_t k = 0; k <= hits; ++k) {
    const auto d = static_cast<double>(k);
    sum += std::exp(std::lgamma(n + 1) - std::lgamma(d + 1) - std::lgamma(n - d + 1) + d * std::log(rate) +
                    (n - d) * std::log1p(-rate));
  }
  return sum;
}

ordered_json count_json(const PairCount& count) {
  ordered_json json{{"label", count.same ? 1 : 0},
                    {"type", count.type},
                    {"lang", count.language},
                    {"pairs", count.pairs},
                    {"hits", count.hits}};
  json["rate"] = count.pairs > 0 ? ordered_json(count.rate()) : ordered_json(nullptr);
  json["upper_95"] = count.pairs > 0 ? ordered_json(upper_bound_95(count.hits, count.pairs)) : ordered_json(nullptr);
  return json;
}

}  // namespace

std::vector<QuestionPair> read_question_pairs(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in || std::filesystem::is_directory(file)) throw io_error("open", file.native());
  std::vector<QuestionPair> pairs;
  std::optional<Columns> columns;
  std::string line;
  for (int64_t number = 1; std::getline(in, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    if (line.size() > kMaxLineBytes) throw bad_pair(file, number, "longer than 64 KiB");
    if (!is_valid_utf8(line)) throw bad_pair(file, number, "not UTF-8");
    const std::vector<std::string> fields = fields_of(line);
    if (!columns) {
      const std::optional<Columns> named = named_columns(fields);
      columns = named.value_or(Columns{});
      if (named) continue;
    }
    pairs.push_back(pair_of(fields, *columns, file, number));
    if (pairs.size() > kMaxPairs) throw bad_pair(file, number, "more than a million pairs");
  }
  if (pairs.empty()) throw Error(Code::bad_input, fmt::format("'{}' has no pairs", file.native()));
  return pairs;
}

PairReport measure_guard(const std::vector<QuestionPair>& pairs, const LawTable& laws) {
  PairReport report;
  report.false_hits = {"all", "", false, 0, 0};
  report.hits = {"all", "", true, 0, 0};
  std::map<std::tuple<bool, std::string, std::string>, PairCount> counts;
  for (const QuestionPair& pair : pairs) {
    const GuardVerdict verdict = compare_questions(pair.a, pair.b, laws);
    PairCount& count = counts[{pair.same, pair.type, pair.language}];
    count.type = pair.type, count.language = pair.language, count.same = pair.same;
    for (PairCount* each : {&count, pair.same ? &report.hits : &report.false_hits}) {
      ++each->pairs;
      each->hits += verdict.same;
    }
    if (verdict.same != pair.same) report.mistakes.push_back({pair, verdict.reason});
  }
  for (auto& [key, count] : counts) report.counts.push_back(std::move(count));
  return report;
}

double upper_bound_95(int64_t hits, int64_t pairs) {
  if (hits >= pairs) return 1;
  double low = static_cast<double>(hits) / static_cast<double>(pairs), high = 1;
  for (int i = 0; i < 60; ++i) {
    const double rate = (low + high) / 2;
    (binomial_cdf(hits, pairs, rate) > 0.05 ? low : high) = rate;
  }
  return high;
}

std::string pairs_to_markdown(const PairReport& report, bool with_mistakes) {
  using enum Table::Align;
  Table table({{"must", left},
               {"type", left},
               {"lang", left},
               {"pairs", right},
               {"hits", right},
               {"rate", right},
               {"upper 95 %", right}});
  const auto add = [&](const PairCount& count) {
    if (count.pairs > 0)
      table.add({count.same ? "hit" : "miss", count.type, count.language, fmt::format("{}", count.pairs),
                 fmt::format("{}", count.hits), percent(count.rate()),
                 count.same ? std::string() : percent(upper_bound_95(count.hits, count.pairs))});
  };
  for (const PairCount& count : report.counts) add(count);
  if (report.counts.size() > 2)
    for (const PairCount& count : {report.false_hits, report.hits}) add(count);
  std::string out = table.markdown();
  if (with_mistakes)
    for (const PairMistake& mistake : report.mistakes)
      out += fmt::format("\nline {}, {}: {}\n  {}\n  {}\n", mistake.pair.line,
                         mistake.pair.same ? "missed" : "false hit", mistake.reason, mistake.pair.a, mistake.pair.b);
  return out;
}

std::string pairs_to_json(const PairReport& report, bool with_mistakes) {
  ordered_json json{{"schema_version", 1},
                    {"false_hits", count_json(report.false_hits)},
                    {"hits", count_json(report.hits)},
                    {"types", ordered_json::array()}};
  for (const PairCount& count : report.counts) json["types"].push_back(count_json(count));
  if (with_mistakes) {
    json["mistakes"] = ordered_json::array();
    for (const PairMistake& mistake : report.mistakes)
      json["mistakes"].push_back({{"line", mistake.pair.line},
                                  {"label", mistake.pair.same ? 1 : 0},
                                  {"type", mistake.pair.type},
                                  {"a", mistake.pair.a},
                                  {"b", mistake.pair.b},
                                  {"reason", mistake.reason}});
  }
  return json.dump(2) + "\n";
}

}  // namespace frugal
