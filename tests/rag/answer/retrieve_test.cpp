// Tests the stages that search (dense, sparse, fuse, references, texts) through the pipeline.
#include <doctest/doctest.h>

#include <algorithm>

#include "rag/answer/pipeline.h"
#include "rag/fakes.h"

using namespace frugal;
using frugal::testing::FakeModels;
using frugal::testing::FakeStore;

namespace {

LawTable two_codes() {
  LawTable laws;
  laws.add({"br/cdc", "Código de Defesa do Consumidor", {"Código de Defesa do Consumidor", "CDC"}, {"Lei 8.078/1990"}});
  laws.add({"br/cp", "Código Penal", {"Código Penal", "CP"}, {"Decreto-Lei 2.848/1940"}});
  return laws;
}

Provision article(std::string law, std::string number, std::string paragraph = {}) {
  return {std::move(law), std::move(number), std::move(paragraph), {}, {}};
}

// A penal and a consumer code with similar words, which only the reference distinguishes.
void add_articles(FakeStore& store) {
  store.add("cdc.txt", "Art. 72. Impedir o acesso do consumidor às informações: pena de detenção.",
            {article("br/cdc", "72")});
  store.add("cdc.txt", "Art. 75. Quem concorrer para os crimes do código incide nas penas a esses cominadas.",
            {article("br/cdc", "75")});
  store.add("cp.txt", "Art. 72. No concurso de crimes, as penas de multa são aplicadas distinta e integralmente.",
            {article("br/cp", "72")});
  store.add("nota.txt", "O art. 500 do CDC não existe; o art. 72 é o último lembrado nesta nota sobre o código.");
}

PipelineOptions searching() {
  PipelineOptions options;
  options.answer = AnswerMode::none;
  return options;
}

PipelineOptions by_words() {
  PipelineOptions options = searching();
  options.dense = false;
  return options;
}

Reply ask(FakeStore& store, const LawTable& laws, std::string question, const PipelineOptions& options) {
  FakeModels models;
  return Pipeline(store, models, laws, options, nullptr, "tests").ask({{}, std::move(question)});
}

std::vector<int64_t> ids(const Reply& reply) {
  std::vector<int64_t> out;
  for (const Candidate& candidate : reply.ranking) out.push_back(candidate.id);
  return out;
}

}  // namespace

TEST_CASE("the chunk that holds the named article of the named law comes first") {
  FakeStore store;
  add_articles(store);
  const LawTable laws = two_codes();
  for (const char* question :
       {"art. 72 do CDC", "O que diz o artigo 72 do Código de Defesa do Consumidor sobre penas de multa?",
        "CDC, art. 72"}) {
    const Reply reply = ask(store, laws, question, searching());
    INFO(question);
    REQUIRE(!reply.ranking.empty());
    CHECK(reply.ranking[0].id == 1);
    CHECK(reply.ranking[0].reference_score == 1);
    CHECK(reply.fusion.missing.empty());
  }
  CHECK(ask(store, laws, "art. 72 do Código Penal", by_words()).ranking.at(0).id == 3);
}

TEST_CASE("an article without a law is found in every law, before all other articles") {
  FakeStore store;
  add_articles(store);
  const LawTable laws = two_codes();
  const auto found = ids(ask(store, laws, "art. 72", by_words()));
  REQUIRE(found.size() >= 2);
  CHECK(found[0] + found[1] == 1 + 3);
}

TEST_CASE("an article without a law is one of the law that the question names elsewhere") {
  FakeStore store;
  add_articles(store);
  const LawTable laws = two_codes();
  const Reply reply = ask(store, laws, "No CDC, o que diz o art. 72?", by_words());
  CHECK(reply.ranking.at(0).id == 1);
  CHECK(reply.fusion.references == std::vector<std::string>{"br/cdc, art. 72"});
  CHECK(reply.fusion.reference_hits == 1);
  CHECK(ask(store, laws, "No Código Penal, o que diz o art. 75?", by_words()).fusion.missing.size() == 1);
}

TEST_CASE("each of several articles comes before the rest of any, in the order of the question") {
  FakeStore store;
  for (int i = 0; i < 12; ++i) store.add("cdc.txt", "Art. 80. Continua a lista de crimes.", {article("br/cdc", "80")});
  add_articles(store);
  const LawTable laws = two_codes();
  PipelineOptions options = by_words();
  options.top_k = 3;
  const auto hits = ask(store, laws, "arts. 75, 80 e 72 do CDC", options).hits;
  REQUIRE(hits.size() == 3);
  CHECK(hits[0].chunk.text.starts_with("Art. 75"));
  CHECK(hits[1].chunk.text.starts_with("Art. 80"));
  CHECK(hits[2].chunk.text.starts_with("Art. 72"));
}

TEST_CASE("a law that is named without an article weighs, even if its best chunks are behind the list") {
  FakeStore store;
  store.add("cp.txt", "O valor máximo da multa.", {article("br/cp", "49")});
  for (int i = 0; i < 20; ++i) store.add("cp.txt", "O valor da multa.", {article("br/cp", "50")});
  store.add("cdc.txt", "Art. 57. A multa será graduada.", {article("br/cdc", "57")});
  const LawTable laws = two_codes();
  PipelineOptions options = by_words();
  options.retrieve.candidates = 10;
  CHECK(ask(store, laws, "Qual o valor máximo da multa?", options).hits.at(0).chunk.path == "cp.txt");
  for (const Fusion fusion : {Fusion::weighted, Fusion::rrf}) {
    options.retrieve.fusion = fusion;
    const Reply reply = ask(store, laws, "Qual o valor máximo da multa no CDC?", options);
    const auto found =
        std::find_if(reply.hits.begin(), reply.hits.end(), [](const Hit& hit) { return hit.chunk.path == "cdc.txt"; });
    CHECK(found - reply.hits.begin() <= 1);
  }
  options.retrieve.references = false;
  const Reply off = ask(store, laws, "Qual o valor máximo da multa no CDC?", options);
  CHECK(std::all_of(off.hits.begin(), off.hits.end(), [](const Hit& hit) { return hit.chunk.path == "cp.txt"; }));
}

TEST_CASE("an article that the index does not hold is reported as missing, and no other article is retrieved instead") {
  FakeStore store;
  add_articles(store);
  const LawTable laws = two_codes();
  const Reply reply = ask(store, laws, "o que diz o art. 500 do CDC sobre penas de crimes no código?", by_words());
  CHECK(reply.fusion.references.empty());
  CHECK(reply.fusion.missing.size() == 1);
  for (const int64_t id : ids(reply)) {
    CHECK(id != 1);
    CHECK(id != 2);
  }
  CHECK(!reply.ranking.empty());  // the note that speaks of it, and the other law
}

TEST_CASE("a list that is switched off is not searched") {
  FakeStore store;
  add_articles(store);
  const LawTable laws = two_codes();
  ask(store, laws, "penas de multa", by_words());
  CHECK(store.dense_searches == 0);
  PipelineOptions by_vectors = searching();
  by_vectors.retrieve.sparse = false;
  const int before = store.sparse_searches;
  const Reply reply = ask(store, laws, "penas de multa", by_vectors);
  CHECK(store.sparse_searches == before);
  CHECK(reply.fusion.dense_weight == 1);
  CHECK(reply.ranking.at(0).id == 3);
}

TEST_CASE("the weight of the dense list follows the language of the question, or else of its hits") {
  FakeStore store;
  store.add("en.txt", "The harbour master keeps the book of ships that came in and of those that went out.");
  store.add("pt.txt", "O capitão do porto guarda o livro dos navios que entraram e dos que saíram para o mar.");
  const LawTable laws;
  PipelineOptions options = searching();
  options.retrieve.dense_weights = {0.4f, 0.15f, 0.3f};
  const auto weight = [&](const char* question) { return ask(store, laws, question, options).fusion.dense_weight; };
  CHECK(weight("who keeps the book of the ships?") == doctest::Approx(0.4));
  CHECK(weight("quem guarda o livro dos navios que entraram?") == doctest::Approx(0.15));
  CHECK(weight("navios") == doctest::Approx(0.15));
  CHECK(weight("ships") == doctest::Approx(0.4));
}

TEST_CASE("hits have the rank and score of each list that contains them, and none of other lists") {
  FakeStore store;
  store.add("a.txt", "alpha beta");
  store.add("b.txt", "beta gamma delta");
  const LawTable laws;
  const auto hits = ask(store, laws, "alpha", by_words()).hits;
  REQUIRE(hits.size() == 1);
  CHECK(hits[0].chunk.path == "a.txt");
  CHECK(hits[0].sparse_rank == 1);
  CHECK(!hits[0].dense_rank);
  CHECK(!hits[0].reference_score);
}

TEST_CASE("a minimum score drops weak hits but never a named article") {
  FakeStore store;
  add_articles(store);
  const LawTable laws = two_codes();
  PipelineOptions options = by_words();
  options.min_score = 5;
  const auto hits = ask(store, laws, "art. 75 do CDC", options).hits;
  REQUIRE(hits.size() == 1);
  CHECK(hits[0].chunk.id == 2);
}

TEST_CASE("a chunk that the store lacks is left out, and the scores of the others stay with their texts") {
  FakeStore store;
  const LawTable laws = two_codes();
  store.add("gone.txt", "harbour harbour master ships", {article("br/cdc", "72", "1")});
  store.add("first.txt", "harbour master ships", {article("br/cdc", "72", "2")});
  store.add("second.txt", "harbour master", {article("br/cdc", "72", "1")});
  store.add("third.txt", "harbour");
  store.lost = {1};

  PipelineOptions two = by_words();
  two.top_k = 2;
  const auto hits = ask(store, laws, "harbour master ships", two).hits;
  REQUIRE(hits.size() == 2);  // the candidate after the lost one takes its place
  CHECK(hits[0].chunk.path == "first.txt");
  CHECK(hits[0].sparse_rank == 2);
  CHECK(*hits[0].sparse_score == 3);
  CHECK(hits[1].chunk.path == "second.txt");
  CHECK(hits[1].sparse_rank == 3);
  CHECK(*hits[1].sparse_score == 2);
  CHECK(ask(store, laws, "harbour master ships", by_words()).hits.size() == 3);

  const auto named = ask(store, laws, "art. 72, § 1º, do CDC", by_words()).hits;
  REQUIRE(named.size() == 2);
  CHECK(named[0].chunk.path == "second.txt");
  CHECK(*named[0].reference_score == 1);
  CHECK(named[1].chunk.path == "first.txt");
  CHECK(*named[1].reference_score == 2.0f / 3);
}

TEST_CASE("an article whose chunks are all lost is missing") {
  FakeStore store;
  add_articles(store);
  store.lost = {2};
  const LawTable laws = two_codes();
  const Reply reply = ask(store, laws, "art. 75 do CDC", by_words());
  CHECK(reply.fusion.references.empty());
  CHECK(reply.fusion.missing.size() == 1);
  for (const Hit& hit : reply.hits) CHECK(hit.chunk.id != 2);
}

TEST_CASE("operators of a question restrict every search, and none leaves fewer hits than there are") {
  FakeStore store;
  for (int i = 0; i < 30; ++i)
    store.add("a.md", "The blue lamp of the harbour is lit, number " + std::to_string(i) + ".");
  store.add("b.md", "A lamp that is blue burns in the harbour tower.");
  store.add("c.md", "The lamp is blue and old; the harbour is far.");
  const LawTable laws;
  PipelineOptions options = searching();
  options.retrieve.candidates = 2;
  options.top_k = 2;
  FakeModels models;
  Pipeline pipeline(store, models, laws, options, nullptr, "tests");
  const auto paths = [&](Query query) {
    query.has_operators = true;
    std::vector<std::string> out;
    for (const Hit& hit : pipeline.ask(query).hits) out.push_back(hit.chunk.path);
    std::sort(out.begin(), out.end());
    return out;
  };
  using Paths = std::vector<std::string>;
  CHECK(paths({.id = {}, .text = "blue lamp harbour"}) == Paths{"a.md", "a.md"});
  CHECK(paths({.id = {}, .text = "\"lamp is blue\" harbour"}) == Paths{"c.md"});
  CHECK(paths({.id = {}, .text = "blue lamp harbour -number"}) == Paths{"b.md", "c.md"});
  CHECK(paths({.id = {}, .text = "blue lamp harbour", .filter = {.paths = {"[bc].md"}}}) == Paths{"b.md", "c.md"});
  CHECK(paths({.id = {}, .text = "blue lamp harbour -number -tower"}) == Paths{"c.md"});
  const int embedded = models.fake_embedder.calls;
  CHECK(paths({.id = {}, .text = "\"green lamp\" harbour"}).empty());
  CHECK(models.fake_embedder.calls == embedded);
  CHECK_FALSE(pipeline.ask({.id = {}, .text = "\"green lamp\" harbour"}).hits.empty());  // as rag-eval asks
}

TEST_CASE("a named article is looked up among the chunks that pass") {
  FakeStore store;
  add_articles(store);
  const LawTable laws = two_codes();
  FakeModels models;
  PipelineOptions options = by_words();
  options.answer = AnswerMode::extract;
  Pipeline pipeline(store, models, laws, options, nullptr, "tests");
  Query query{.id = {}, .text = "art. 72", .filter = {.paths = {"cp.txt"}}};
  const Reply found = pipeline.ask(query);
  REQUIRE(!found.citations.empty());
  for (const Hit& hit : found.hits) CHECK(hit.chunk.path == "cp.txt");
  CHECK(found.citations[0].path == "cp.txt");
  query.filter.paths = {"nowhere.txt"};
  const Reply none = pipeline.ask(query);
  CHECK(none.answer.abstained);
  CHECK(none.answer.note == "no passage passes the filter");
  CHECK(none.filtered_chunks == 0);
}
