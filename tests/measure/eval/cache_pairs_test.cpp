#include "measure/eval/cache_pairs.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

using namespace frugal;

namespace {

struct PairFile {
  explicit PairFile(const std::string& content) {
    std::string pattern = (std::filesystem::temp_directory_path() / "frugal-pairs-XXXXXX").native();
    const int fd = ::mkstemp(pattern.data());
    REQUIRE(fd >= 0);
    ::close(fd);
    path = pattern;
    std::ofstream(path, std::ios::binary) << content;
  }
  ~PairFile() { std::filesystem::remove(path); }
  std::filesystem::path path;
};

std::string error_of(const std::string& content) {
  const PairFile file(content);
  try {
    read_question_pairs(file.path);
  } catch (const Error& error) {
    CHECK(error.code() == Code::bad_input);
    return error.message().substr(file.path.native().size());
  }
  return {};
}

}  // namespace

TEST_CASE("pairs are read by the names of their columns, or in the order of PAWS") {
  const PairFile named("label\ttype\tlang\ta\tb\r\n0\tyear\ten\tIn 2020?\tIn 2021?\n1\tcase\ten\tWho?\twho\n");
  const auto pairs = read_question_pairs(named.path);
  REQUIRE(pairs.size() == 2);
  CHECK(pairs[0].b == "In 2021?");
  CHECK(pairs[1].same);
  CHECK(pairs[1].type == "case");
  CHECK(pairs[1].line == 3);
  const PairFile paws("7\tWho?\tWhen?\t0\n");
  CHECK(read_question_pairs(paws.path).at(0).b == "When?");
}

TEST_CASE("a file of pairs that cannot be read is refused with its line") {
  CHECK(error_of("a\tb\tlabel\nx\ty\n").starts_with(":2: 2 columns, expected 3"));
  CHECK(error_of("a\tb\tlabel\nx\ty\t2\n").starts_with(":2: label '2'"));
  CHECK(error_of("1\tx\t\xff\t0\n").starts_with(":1: not UTF-8"));
  CHECK(error_of("1\t" + std::string(70'000, 'x') + "\ty\t0\n").starts_with(":1: longer than"));
  CHECK_FALSE(error_of("").empty());
  CHECK_THROWS_AS(read_question_pairs("/"), const Error&);
}

TEST_CASE("hits are counted by label, type and language, and mistakes have a reason") {
  const std::vector<QuestionPair> pairs = {{"Who may vote?", "Who may not vote?", false, "negation", "en", 1},
                                           {"Who may vote?", "who may vote", true, "format", "en", 2},
                                           {"Who may vote?", "Which people may vote?", true, "paraphrase", "en", 3}};
  const PairReport report = measure_guard(pairs, {});
  CHECK(report.counts.size() == 3);
  CHECK(report.false_hits.pairs == 1);
  CHECK(report.false_hits.hits == 0);
  CHECK(report.hits.hits == 1);
  REQUIRE(report.mistakes.size() == 1);
  CHECK(report.mistakes[0].pair.line == 3);
  CHECK(report.mistakes[0].reason.starts_with("question words differ"));
  CHECK(pairs_to_markdown(report, true).find("Which people") != std::string::npos);
  CHECK(pairs_to_json(report, true).find("\"mistakes\"") != std::string::npos);
}

TEST_CASE("the upper bound is the one of Clopper and Pearson") {
  CHECK(upper_bound_95(0, 100) == doctest::Approx(0.029513).epsilon(0.001));  // 1 - 0.05^(1/100)
  CHECK(upper_bound_95(3, 50) == doctest::Approx(0.14783).epsilon(0.001));
  CHECK(upper_bound_95(5, 5) == 1);
  CHECK(upper_bound_95(0, 0) == 1);
}
