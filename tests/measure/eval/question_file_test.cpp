#include "measure/eval/question_file.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "measure/eval/gold_passages.h"
#include "rag/fakes.h"

using namespace frugal;
using frugal::testing::FakeModels;
using frugal::testing::FakeStore;

namespace {

LawTable consumer_laws() {
  LawTable laws;
  laws.add({"br/codigo-de-defesa-do-consumidor", "Código de Defesa do Consumidor", {"CDC"}, {"Lei 8.078/1990"}});
  laws.add({"br/marco-civil-da-internet", "Marco Civil da Internet", {"Marco Civil"}, {}});
  return laws;
}

// A law whose articles are chunks of one document, and a record of a file.
struct Shelf {
  Shelf() {
    article("laws/cdc.txt", "Art. 26. O direito de reclamar caduca em trinta dias.", "26");
    article("laws/cdc.txt", "Parágrafo. O direito de reclamar caduca em noventa dias.", "26");
    article("laws/cdc.txt", "Art. 49. O consumidor pode desistir do contrato em sete dias.", "49");
    Chunk& record = store.add("faq.jsonl", "Devolver: a loja aceita devolver em trinta dias.");
    record.external_id = "returns";
    record.document = "faq.jsonl#returns";
  }
  void article(const std::string& path, std::string text, std::string number) {
    store.add(path, std::move(text), {{"br/codigo-de-defesa-do-consumidor", std::move(number), "", "", ""}});
  }
  QuestionReport ask(const std::vector<EvalQuery>& questions) {
    return evaluate_questions("mine.jsonl", questions, store, models, options);
  }
  FakeStore store;
  FakeModels models;
  PipelineOptions options;
};

EvalQuery asked(std::string text, std::vector<std::string> gold, std::vector<std::string> answers = {}) {
  return {"q", std::move(text), std::move(answers), {}, Language::portuguese, std::move(gold)};
}

}  // namespace

TEST_CASE("a gold passage may be an article of a law, in the forms of texts and of ids") {
  const LawTable laws = consumer_laws();
  const Provision expected{"br/codigo-de-defesa-do-consumidor", "49", "", "", ""};
  for (const char* name : {"art. 49 do CDC", "Lei 8.078/1990, art. 49", "cdc/art-49"}) {
    INFO(name);
    CHECK(gold_provision(name, laws) == expected);
  }
  CHECK(gold_provision("marco-civil/art-121-A", laws) == Provision{"br/marco-civil-da-internet", "121-A", "", "", ""});
  for (const char* name : {"docs/article-5.md", "art. 49", "cdc", "", "/", "unknown-law/art-1"}) {
    INFO(name);
    CHECK_FALSE(gold_provision(name, laws).has_value());
  }
}

TEST_CASE("a gold passage is found by id, by record, by path or the end of it") {
  Shelf shelf;
  GoldPassages gold(shelf.store);
  for (const char* name : {"returns", "faq.jsonl#returns", "faq.jsonl"}) {
    INFO(name);
    CHECK(gold.is_gold(asked("?", {name}), 4));
    CHECK_FALSE(gold.is_gold(asked("?", {name}), 1));
  }
  CHECK(gold.is_gold(asked("?", {"cdc.txt"}), 1));
  CHECK(gold.is_gold(asked("?", {"laws/cdc.txt"}), 1));
  CHECK_FALSE(gold.is_gold(asked("?", {"dc.txt"}), 1));
  CHECK_FALSE(gold.is_gold(asked("?", {"returns"}), 99));  // no such chunk
}

TEST_CASE("a gold passage may be an article of a file, whatever its law") {
  Shelf shelf;
  shelf.store.add("laws/authors.txt", "Art. 41. Setenta anos.", {{"", "41", "", "", ""}});
  shelf.store.add("laws/others.txt", "Art. 41. Dez anos.", {{"", "41", "", "", ""}});
  GoldPassages gold(shelf.store);
  for (const char* name : {"authors/art-41", "laws/authors/art-41"}) {
    INFO(name);
    CHECK(gold.is_gold(asked("?", {name}), 5));
    CHECK_FALSE(gold.is_gold(asked("?", {name}), 6));
  }
  CHECK_FALSE(gold.is_gold(asked("?", {"authors/art-42"}), 5));
  CHECK_FALSE(gold.is_gold(asked("?", {"authors/41"}), 5));
  CHECK_FALSE(gold.is_gold(asked("?", {"/art-41"}), 5));
}

TEST_CASE("chunks of one article share a place in the ranking") {
  Shelf shelf;
  GoldPassages gold(shelf.store);
  const std::vector<Candidate> ranking{{.id = 1}, {.id = 2}, {.id = 99}, {.id = 4}, {.id = 3}};
  CHECK(gold.rank(asked("?", {"returns"}), ranking) == 2);
  CHECK(gold.rank(asked("?", {"cdc.txt"}), ranking) == 1);
  CHECK_FALSE(gold.rank(asked("?", {"elsewhere"}), ranking).has_value());
}

TEST_CASE("a report counts places, quotes and refusals, and shows the questions that did not end well") {
  Shelf shelf;
  const QuestionReport report = shelf.ask({asked("devolver a loja aceita devolver", {"returns"}, {"trinta dias"}),
                                           asked("consumidor pode desistir do contrato", {"nowhere"}, {"dez anos"}),
                                           asked("temperatura de ebulição do tungstênio", {})});
  REQUIRE(report.ranks);
  CHECK(report.ranks->questions == 2);
  CHECK(report.ranks->first.mean == 0.5);
  CHECK(report.ranks->first_10.mean == 0.5);
  CHECK(report.ranks->mrr_at_10.mean == 0.5);
  CHECK(report.answers.all.questions == std::array<int64_t, 3>{2, 1, 0});
  CHECK(report.answers.all.quote_holds_answer->mean == 0.5);
  CHECK(report.answers.all.abstained[1]->mean == 1);

  const auto json = nlohmann::json::parse(question_report_to_json(report, -1));
  CHECK(json.at("gold_rank").at("first").at("mean") == 0.5);
  CHECK(json.at("questions").at(0).at("gold_rank") == 1);
  CHECK(json.at("questions").at(1).at("gold_rank").is_null());
  CHECK(json.at("questions").at(2).at("kind") == "unanswerable");
  CHECK(json.at("questions").at(2).at("right").is_null());
  const std::string page = question_report_to_markdown(report);
  CHECK(page.find("consumidor pode desistir") != std::string::npos);
  CHECK(page.find("devolver a loja") == std::string::npos);
  CHECK(page.find("tungstênio") == std::string::npos);
}
