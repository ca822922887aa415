#include "rag/answer/answer_generate.h"
#include "rag/evidence/answer_extract.h"

#include <doctest/doctest.h>

#include <array>

#include "base/utf8.h"
#include "rag/fakes.h"
#include "rag/text/language.h"

using namespace frugal;
using frugal::testing::bag_of_words;
using frugal::testing::FakeEmbedder;
using frugal::testing::FakeReader;
using frugal::testing::FakeStore;

namespace {

std::vector<Hit> hits_of(FakeStore& store, std::vector<int64_t> ids) {
  std::vector<Hit> hits;
  float score = 1;
  for (Chunk& chunk : store.fetch(ids)) {
    Hit hit;
    hit.chunk = std::move(chunk);
    hit.score = score;
    score *= 0.9f;
    hits.push_back(std::move(hit));
  }
  return hits;
}

// The quotes, one a line.
std::string quoted(const std::vector<Quote>& quotes, const std::vector<Hit>& hits) {
  std::string text;
  for (const Quote& quote : quotes)
    text += (text.empty() ? "" : "\n") + hits[quote.hit].chunk.text.substr(quote.begin, quote.end - quote.begin);
  return text;
}

GroundedText grounded_in(const std::vector<Hit>& sources, std::string_view generated) {
  GroundedText grounded(sources, Language::english, 0.6f);
  grounded.add(generated);
  grounded.finish();
  return grounded;
}

}  // namespace

TEST_CASE("the quote is the sentence that covers the question best, byte for byte") {
  FakeStore store;
  store.add("light.md",
            "The lighthouse was built in 1887. Its keeper, Anna Holm, wrote the log every night. Ships passed.");
  store.add("sea.md", "The sea is wide. Ships cross it at night. Many harbours have a lighthouse.");
  const auto hits = hits_of(store, {1, 2});
  const std::string question = "Who wrote the log of the lighthouse every night?";
  const Evidence evidence(split_words(question), Language::english, {}, store);
  CHECK(quoted(extract_quotes(evidence, hits, nullptr, {}), hits) ==
        "Its keeper, Anna Holm, wrote the log every night.");
  FakeEmbedder embedder;
  CHECK(quoted(extract_quotes(evidence, hits, &embedder, bag_of_words(question)), hits) ==
        "Its keeper, Anna Holm, wrote the log every night.");
  CHECK(embedder.calls == 1);
}

TEST_CASE("a heading or a table row is never quoted, however well its words match") {
  FakeStore store;
  store.add(
      "pack.md",
      "## What is the pack?\n\nOne file a model, mapped and used in place.\n\n| what | the pack is |\n|---|---|\n");
  const auto hits = hits_of(store, {1});
  const Evidence evidence(split_words("What is the pack?"), Language::english, {}, store);
  CHECK(quoted(extract_quotes(evidence, hits, nullptr, {}), hits) == "One file a model, mapped and used in place.");
}

TEST_CASE("a FAQ is answered by what follows its question, found by the words of the question") {
  FakeStore store;
  store.add("faq.txt",
            "What is the warranty period?\nIt lasts 24 months.\n\nCan I return a book?\nYes. Within 30 days of "
            "delivery.\n\nWho pays for the return postage?\nThe buyer does.");
  store.add(
      "duvidas.txt",
      "P: Qual é o prazo de entrega?\nR: De 5 a 7 dias úteis.\n\nP: Posso devolver um livro?\nR: Sim, em até sete "
      "dias.");
  const auto answer_to = [&](const char* question, Language language, int64_t chunk, Embedder* embedder) {
    const Evidence evidence(split_words(question), language, {}, store);
    const auto hits = hits_of(store, {chunk});
    return quoted(extract_quotes(evidence, hits, embedder, embedder ? bag_of_words(question) : std::vector<float>()),
                  hits);
  };
  FakeEmbedder fake;
  for (Embedder* embedder : {static_cast<Embedder*>(nullptr), static_cast<Embedder*>(&fake)}) {
    CHECK(answer_to("What is the warranty period?", Language::english, 1, embedder) == "It lasts 24 months.");
    CHECK(answer_to("Can I return a book?", Language::english, 1, embedder) == "Yes. Within 30 days of delivery.");
    CHECK(answer_to("Who pays for the return postage?", Language::english, 1, embedder) == "The buyer does.");
    CHECK(answer_to("Qual é o prazo de entrega?", Language::portuguese, 2, embedder) == "De 5 a 7 dias úteis.");
    CHECK(answer_to("Posso devolver um livro?", Language::portuguese, 2, embedder) == "Sim, em até sete dias.");
  }
}

TEST_CASE("links, signatures and amendment notes are never quoted, however well their words match") {
  FakeStore store;
  store.add("node.md",
            "The default is 1 MiB.\n\n[`maxBuffer` default]: #child_maxbuffer_default\n[`maxBuffer`]: #maxbuffer");
  store.add("lei.txt",
            "A lei tem 267 artigos.\n\n(Artigo acrescido pela Lei nº 12.010, que tem artigos)\n\nBrasília, 12 de "
            "março de 1990; 169º da Independência.\n\nFERNANDO DEPUTADO\nRenan Artigo Lei");
  const auto answer_to = [&](const char* question, Language language, int64_t chunk) {
    const Evidence evidence(split_words(question), language, {}, store);
    const auto hits = hits_of(store, {chunk});
    return quoted(extract_quotes(evidence, hits, nullptr, {}), hits);
  };
  CHECK(answer_to("What is the default maxBuffer?", Language::english, 1) == "The default is 1 MiB.");
  for (const char* question : {"Quantos artigos tem a lei 12.010?", "Quem é o deputado Fernando Renan?",
                               "O que houve em Brasília em março de 1990?"})
    CHECK(answer_to(question, Language::portuguese, 2) == "A lei tem 267 artigos.");
}

TEST_CASE("a quote without a reader brings its list or its provision, too") {
  FakeStore store;
  store.add(
      "cf.txt",
      "§ 3º São condições de elegibilidade, na forma da lei:\nI - a nacionalidade brasileira;\nVI - a idade mínima "
      "de:\na) trinta e cinco anos para Presidente;\nb) trinta anos para Governador.\n\nOutra coisa.");
  const auto hits = hits_of(store, {1});
  const Evidence evidence(split_words("Qual é a idade mínima para ser presidente?"), Language::portuguese, {}, store);
  CHECK(quoted(extract_quotes(evidence, hits, nullptr, {}), hits).find("trinta e cinco anos para Presidente") !=
        std::string::npos);
}

TEST_CASE("rare words of the question count for more than common ones") {
  FakeStore store;
  for (int i = 0; i < 20; ++i) store.add("c.txt", "The council meets in the hall every week.");
  store.add("d.txt", "The council meets in the hall. Quorum is eleven.");
  const Evidence evidence(split_words("what quorum has the council in the hall?"), Language::english, {}, store);
  CHECK(evidence.coverage("Quorum is eleven.") > evidence.coverage("The council meets in the hall."));
  CHECK(evidence.coverage("nothing of it") == 0);
  CHECK(evidence.coverage("the quorum of the council in the halls") == doctest::Approx(1));
}

TEST_CASE("a named article is quoted from its start if the question asks for nothing else") {
  FakeStore store;
  store.add("lei.txt",
            "Art. 18. O titular dos dados tem direito a obter do controlador a confirmação do tratamento. "
            "O acesso aos dados é gratuito.",
            {{"br/lgpd", "18", {}, {}, {}}});
  auto hits = hits_of(store, {1});
  hits[0].reference_score = 1.0f;
  const std::string question = "art. 18 da LGPD";
  const std::vector<FoundProvision> named{{{"br/lgpd", "18", {}, {}, {}}, 0, 15}};
  const Evidence nothing_else(split_words(question), Language::portuguese, named, store);
  CHECK(nothing_else.empty());
  CHECK(quoted(extract_quotes(nothing_else, hits, nullptr, {}), hits).starts_with("Art. 18. O titular"));
  const Evidence gratis(split_words("art. 18 da LGPD: o acesso aos dados é gratuito?"), Language::portuguese, named,
                        store);
  CHECK(quoted(extract_quotes(gratis, hits, nullptr, {}), hits) == hits[0].chunk.text);  // its caput, whole
}

TEST_CASE("a quote is bounded and never cut inside a character") {
  FakeStore store;
  std::string endless;
  for (int i = 0; i < 500; ++i) endless += "ação";
  store.add("a.txt", endless);
  const auto hits = hits_of(store, {1});
  const Evidence evidence(split_words("ação"), Language::portuguese, {}, store);
  QuoteOptions options;
  for (uint32_t limit = 40; limit < 48; ++limit) {
    options.max_quote_bytes = limit;
    const std::string quote = quoted(extract_quotes(evidence, hits, nullptr, {}, options), hits);
    CHECK(quote.size() <= limit);
    CHECK(is_valid_utf8(quote));
    CHECK(!quote.empty());
  }
}

TEST_CASE("no hits, or hits of white space only, give no quote") {
  FakeStore store;
  store.add("blank.txt", " \n ");
  const Evidence evidence(split_words("anything"), Language::english, {}, store);
  CHECK(extract_quotes(evidence, {}, nullptr, {}).empty());
  CHECK(extract_quotes(evidence, hits_of(store, {1}), nullptr, {}).empty());
}

TEST_CASE("sentences are compared with their sources; marks of sources that do not exist are dropped") {
  FakeStore store;
  store.add("a.md", "The bridge opened in 1932. It is 503 metres long.");
  store.add("b.md", "The river floods every spring.");
  const auto hits = hits_of(store, {1, 2});
  // The mark of the second sentence is wrong, but another source supports it; no source has the number of the third.
  const GroundedText grounded = grounded_in(
      hits,
      "The bridge opened in 1932 [1]. The river floods every spring [7]. The bridge is 999 metres long [1]. "
      "Elephants designed everything there [2].");
  CHECK(grounded.text() == "The bridge opened in 1932. [1] The river floods every spring. [2]");
  CHECK(grounded.dropped() == 2);
  REQUIRE(grounded.citations().size() == 2);
  CHECK(grounded.citations()[0].quote == "The bridge opened in 1932.");
  CHECK(grounded.citations()[1].path == "b.md");
  for (const Citation& citation : grounded.citations()) {
    const std::string& text = hits[citation.id == 1 ? 0 : 1].chunk.text;
    CHECK(text.substr(citation.start_byte, citation.end_byte - citation.start_byte) == citation.quote);
  }
}

TEST_CASE("two statements from one sentence share a citation, and lists of numbers in a mark are parsed") {
  FakeStore store;
  store.add("a.md", "The bridge opened in 1932 and is painted green.");
  const GroundedText grounded =
      grounded_in(hits_of(store, {1}), "The bridge is painted green [1, 3]. The bridge opened in 1932 [1][1].");
  CHECK(grounded.citations().size() == 1);
  CHECK(grounded.text() == "The bridge is painted green. [1] The bridge opened in 1932. [1]");
}

TEST_CASE("of the sources that support a statement, one that it cites is taken") {
  FakeStore store;
  store.add("a.md", "The bridge opened in 1932.");
  store.add("b.md", "In 1932 the bridge opened, and the mayor spoke.");
  CHECK(grounded_in(hits_of(store, {1, 2}), "The bridge opened in 1932. [2]").citations().at(0).path == "b.md");
  CHECK(grounded_in(hits_of(store, {1, 2}), "The bridge opened in 1932.").citations().at(0).path == "a.md");
}

TEST_CASE("a checked text is the same in whatever pieces it comes, and nothing is taken back") {
  FakeStore store;
  store.add("a.md", "The bridge opened in 1932. It is 503 metres long. Art. 5 of the town's code names it.");
  const auto hits = hits_of(store, {1});
  const std::string written =
      "The bridge opened in 1932. [1] Robots painted it [1].\nIt is 503 metres long [1, 2]. By Art. 5 of the town's "
      "code it has a name. [see] [1]";
  const GroundedText whole = grounded_in(hits, written);
  CHECK(whole.text().starts_with("The bridge opened in 1932. [1] It is 503 metres long. [2]"));
  for (size_t size = 1; size < 12; ++size) {
    GroundedText pieces(hits, Language::english, 0.6f);
    std::string shown;
    for (size_t at = 0; at < written.size(); at += size) {
      shown += pieces.add(written.substr(at, size));
      CHECK(pieces.text() == shown);
      CHECK(whole.text().starts_with(shown));
    }
    shown += pieces.finish();
    CHECK(shown == whole.text());
    CHECK(pieces.citations().size() == whole.citations().size());
  }
}

TEST_CASE("a sentence that negates its source, or names a law that it does not, is dropped") {
  FakeStore store;
  store.add("a.md", "The bridge is open on Sundays. Dogs are not allowed there. The Bridge Act rules it.");
  const auto hits = hits_of(store, {1});
  CHECK(grounded_in(hits, "The bridge is not open on Sundays [1]. Dogs are allowed there [1].").text().empty());
  CHECK(grounded_in(hits, "Dogs are not allowed there [1]. The bridge is open on Sundays [1].").dropped() == 0);
  LawTable laws;
  laws.add({"x/bridge", "Bridge Act", {"Bridge Act"}, {}});
  laws.add({"x/harbour", "Harbour Act", {"Harbour Act"}, {}});
  GroundedText grounded(hits, Language::english, 0.6f, {&laws, nullptr});
  grounded.add("The Bridge Act rules the bridge [1]. The Harbour Act rules the bridge [1].");
  grounded.finish();
  CHECK(grounded.text() == "The Bridge Act rules the bridge. [1]");
}

TEST_CASE("with a reader, a sentence needs a source that answers, and what is dropped gives way to its quote") {
  FakeStore store;
  store.add("a.md", "It rained. The bridge opened in 1932.");
  store.add("b.md", "The river floods every spring.");
  const auto hits = hits_of(store, {1, 2});
  const std::string question = "When did the bridge open?";
  FakeReader reader;
  std::unordered_map<int64_t, ChunkReading> readings;
  for (const Hit& hit : hits) {
    ReaderPair pair = reader.pair(question, hit.chunk.text);
    const auto half = reader.read_half(std::span(&pair, 1));
    const std::array<const HalfRead*, 1> rest = {&half.front()};
    readings[hit.chunk.id] = {reader.read_rest(rest).front(), 0, pair.pieces};
  }
  readings[2].reading.answerable = -1;
  const Evidence evidence(split_words(question), Language::english, {}, store);
  SourceReader sources(reader, question, evidence, readings, 1200);
  const auto checked = [&](const char* generated) {
    GroundedText grounded(hits, Language::english, 0.6f, {nullptr, &sources});
    grounded.add(generated);
    grounded.finish();
    return grounded.text();
  };
  CHECK(checked("The bridge opened in 1932 [1]. The river floods every spring [2].") ==
        "The bridge opened in 1932. [1]");
  CHECK(checked("The mayor himself painted everything in 1950 [1].") == "The bridge opened in 1932. [1]");
  CHECK(checked("The mayor himself painted everything in 1950 [2].").empty());
}

TEST_CASE("a text that loops is ended where it begins to, and what it said before is kept") {
  FakeStore store;
  store.add("a.md", "The bridge opened in 1932. The answer is in the town hall, and the plugins are there.");
  const auto hits = hits_of(store, {1});
  const auto repeated = [](const std::string& text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
  };
  const std::string said = "The bridge opened in 1932 [1]. ";
  for (const std::string& loop :
       {repeated("The answer is: [1] ", 43), repeated("O que ", 100), repeated("1932 ", 100),
        repeated("The bridge opened in 1932 [1]. ", 40), repeated("Plugins are there. ", 40)}) {
    GroundedText grounded(hits, Language::english, 0.6f);
    const std::string written = said + loop;
    size_t read = 0;
    while (read < written.size() && !grounded.ended()) grounded.add(written.substr(read++, 1));
    grounded.finish();
    INFO(loop);
    CHECK(grounded.loops());
    CHECK(read < 200);
    CHECK(grounded.text().starts_with("The bridge opened in 1932. [1]"));
    CHECK(grounded.text().find("answer is") == std::string::npos);
    CHECK(grounded.text().find("que") == std::string::npos);
    CHECK(grounded.text().find("1932") == grounded.text().rfind("1932"));
  }
  CHECK(grounded_in(hits, repeated("The answer is: [1] ", 43)).text().empty());
}

TEST_CASE("a text without words is ended, and a mark after mark is no statement") {
  FakeStore store;
  store.add("a.md", "The bridge opened in 1932.");
  const auto hits = hits_of(store, {1});
  GroundedText grounded(hits, Language::english, 0.6f);
  grounded.add("The bridge opened in 1932 [1].");
  int marks = 0;
  for (; marks < 1000 && !grounded.ended(); ++marks) grounded.add(" [1]");
  grounded.finish();
  CHECK(marks < 100);
  CHECK(grounded.text() == "The bridge opened in 1932. [1]");
}

TEST_CASE("sentences that say nothing are dropped: questions, words about the answer, repetitions") {
  FakeStore store;
  store.add("a.md", "What is the answer? The answer to the question is in the source. The bridge opened in 1932.");
  const GroundedText grounded = grounded_in(
      hits_of(store, {1}),
      "The answer is in the source [1]. When was it opened? The bridge opened in 1932 [1]. What is the answer [1]? "
      "The bridge opened in 1932 [1]. The bridge opened in [1]:");
  CHECK(grounded.text() == "The bridge opened in 1932. [1]");
  CHECK(grounded.dropped() == 5);
  CHECK_FALSE(grounded.loops());
}

TEST_CASE("nothing of an abstention is returned, in whatever pieces it comes") {
  FakeStore store;
  store.add("a.md", "The bridge opened in 1932.");
  const auto hits = hits_of(store, {1});
  GroundedText grounded(hits, Language::english, 0.6f);
  for (const char* piece : {"The bridge opened in 1932 [1].", " The colour is not", " in the sour", "ces. The bridge",
                            " opened in 1932 [1]. And so on, and so forth, until there is enough of it."})
    CHECK(grounded.add(piece).empty());
  CHECK(grounded.finish().empty());
  CHECK(grounded.abstains());
  CHECK(grounded.ended());
}

TEST_CASE("an abstention of the generator is recognised in both languages") {
  CHECK(is_abstention("Not in the sources."));
  CHECK(is_abstention("A resposta não está nas fontes."));
  CHECK(is_abstention("Não consta das fontes."));
  CHECK_FALSE(is_abstention("The bridge opened in 1932 [1]."));
}
