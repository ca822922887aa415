#include "rag/answer/answer_extract.h"
#include "rag/answer/answer_generate.h"

#include <doctest/doctest.h>

#include "base/utf8.h"
#include "rag/fakes.h"
#include "rag/text/language.h"

using namespace frugal;
using frugal::testing::bag_of_words;
using frugal::testing::FakeEmbedder;
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

std::string quoted(const std::optional<Quote>& quote, const std::vector<Hit>& hits) {
  REQUIRE(quote);
  return hits[quote->hit].chunk.text.substr(quote->begin, quote->end - quote->begin);
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
  CHECK(quoted(extract_quote(evidence, hits, nullptr, {}), hits) ==
        "Its keeper, Anna Holm, wrote the log every night.");
  FakeEmbedder embedder;
  CHECK(quoted(extract_quote(evidence, hits, &embedder, bag_of_words(question)), hits) ==
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
  CHECK(quoted(extract_quote(evidence, hits, nullptr, {}), hits) == "One file a model, mapped and used in place.");
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
  CHECK(quoted(extract_quote(nothing_else, hits, nullptr, {}), hits).starts_with("Art. 18. O titular"));
  const Evidence gratis(split_words("art. 18 da LGPD: o acesso aos dados é gratuito?"), Language::portuguese, named,
                        store);
  CHECK(quoted(extract_quote(gratis, hits, nullptr, {}), hits) == "O acesso aos dados é gratuito.");
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
    const std::string quote = quoted(extract_quote(evidence, hits, nullptr, {}, options), hits);
    CHECK(quote.size() <= limit);
    CHECK(is_valid_utf8(quote));
    CHECK(!quote.empty());
  }
}

TEST_CASE("no hits, or hits of white space only, give no quote") {
  FakeStore store;
  store.add("blank.txt", " \n ");
  const Evidence evidence(split_words("anything"), Language::english, {}, store);
  CHECK(!extract_quote(evidence, {}, nullptr, {}));
  CHECK(!extract_quote(evidence, hits_of(store, {1}), nullptr, {}));
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
  CHECK_FALSE(is_abstention("The bridge opened in 1932 [1]."));
}
