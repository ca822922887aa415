#include "measure/eval/dataset.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

using namespace frugal;
namespace fs = std::filesystem;

namespace {

struct TemporarySet {
  TemporarySet() {
    std::string pattern = (fs::temp_directory_path() / "frugal-set-XXXXXX").native();
    REQUIRE(::mkdtemp(pattern.data()));
    path = pattern;
    write("corpus.jsonl", R"({"_id":"d1","title":"T","text":"one"})"
                          "\n");
    write("queries.jsonl", R"({"_id":"q1","text":"what?","answers":["x","y"]})"
                           "\n"
                           R"({"_id":"unjudged","text":"why?"})"
                           "\n\n"
                           R"({"_id":7,"text":"who?"})"
                           "\n");
    write("qrels.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\n7\td1\t1\n");
  }
  ~TemporarySet() { fs::remove_all(path); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path / name) << text; }
  fs::path path;
};

std::string error_of(const fs::path& folder) {
  try {
    read_eval_set(folder);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

}  // namespace

TEST_CASE("a set has its judged queries, in order, with grades and answers") {
  const TemporarySet folder;
  const EvalSet set = read_eval_set(folder.path / "");
  CHECK(set.name == folder.path.filename().string());
  REQUIRE(set.queries.size() == 2);
  CHECK(set.queries[0].id == "q1");
  CHECK(set.queries[0].answers == std::vector<std::string>{"x", "y"});
  CHECK(set.queries[0].judged == Judgements{{"d1", 2}, {"d2", 0}});
  CHECK(set.queries[1].id == "7");
  CHECK(read_eval_set(folder.path, 1).queries.size() == 1);
}

TEST_CASE("judgements may come as BEIR's qrels/test.tsv or in TREC's four columns, without a header") {
  const TemporarySet folder;
  fs::remove(folder.path / "qrels.tsv");
  fs::create_directory(folder.path / "qrels");
  folder.write("qrels/test.tsv", "q1 0 d1 1\r\n7 0 d1 3\r\n");
  const EvalSet set = read_eval_set(folder.path);
  REQUIRE(set.queries.size() == 2);
  CHECK(set.queries[1].judged == Judgements{{"d1", 3}});
}

TEST_CASE("an id in a judgement with tabs may hold spaces") {
  const TemporarySet folder;
  folder.write("qrels.tsv", "query-id\tcorpus-id\tscore\nq1\t17-Part 12.127\t1\n7\t0\tPart 2\t3\n");
  const EvalSet set = read_eval_set(folder.path);
  REQUIRE(set.queries.size() == 2);
  CHECK(set.queries[0].judged == Judgements{{"17-Part 12.127", 1}});
  CHECK(set.queries[1].judged == Judgements{{"Part 2", 3}});
}

TEST_CASE("a question's language is as the file says, else detected, else that of most others") {
  const TemporarySet folder;
  folder.write("queries.jsonl", R"({"_id":"1","text":"Quem foi o autor da obra?"})"
                                "\n"
                                R"({"_id":"2","text":"Onde fica a cidade?","language":"en"})"
                                "\n"
                                R"({"_id":"3","text":"Xyz?","language":"pt-BR"})"
                                "\n"
                                R"({"_id":"4","text":"Xyz?"})"
                                "\n");
  std::vector<Language> languages;
  for (const EvalQuery& query : read_eval_queries(folder.path / "queries.jsonl")) languages.push_back(query.language);
  using enum Language;
  CHECK(languages == std::vector{portuguese, english, portuguese, portuguese});
}

TEST_CASE("questions without an answer are found beside the others, and a question may name its passages") {
  const TemporarySet folder;
  CHECK(read_eval_set(folder.path).unanswerable.empty());
  folder.write("unanswerable.jsonl", R"({"_id":"u","text":"who?","answers":[],"gold":["d1","art. 5"]})"
                                     "\n");
  const EvalSet set = read_eval_set(folder.path);
  CHECK(set.unanswerable == folder.path / "unanswerable.jsonl");
  const std::vector<EvalQuery> unanswerable = read_eval_queries(set.unanswerable);
  REQUIRE(unanswerable.size() == 1);
  CHECK(unanswerable[0].answers.empty());
  CHECK(unanswerable[0].gold == std::vector<std::string>{"d1", "art. 5"});
}

TEST_CASE("errors in a set are reported with file and line") {
  const TemporarySet folder;
  folder.write("qrels.tsv", "query-id\tcorpus-id\tscore\nq1\td1\tmuch\n");
  CHECK(error_of(folder.path).find("qrels.tsv:2:") != std::string::npos);
  folder.write("qrels.tsv", "q9\td1\t1\n");
  CHECK(error_of(folder.path).find("no query with a judgement") != std::string::npos);
  folder.write("queries.jsonl", "{\"_id\":\"q1\"}\n");
  CHECK(error_of(folder.path).find("queries.jsonl:1:") != std::string::npos);
  folder.write("queries.jsonl", "{\"_id\":\"q1\",\n");
  CHECK(error_of(folder.path).find("queries.jsonl:1: not a JSON object") != std::string::npos);
  folder.write("queries.jsonl", "{\"_id\":\"q1\",\"text\":\"what?\",\"answers\":\"x\"}\n");
  CHECK(error_of(folder.path).find("queries.jsonl:1: \"answers\" must be a list of texts") != std::string::npos);
  fs::remove(folder.path / "corpus.jsonl");
  CHECK(error_of(folder.path).find("corpus.jsonl is missing") != std::string::npos);
}
