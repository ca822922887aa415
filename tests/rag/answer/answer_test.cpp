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
  const auto checked = check_sentences(
      "The bridge opened in 1932 [1]. The river floods every spring [7]. The bridge is 999 metres long [1]. "
      "Elephants designed everything there [2].",
      hits, Language::english, 0.6f);
  REQUIRE(checked.size() == 4);
  CHECK(checked[0].source == 1);
  CHECK(checked[0].text == "The bridge opened in 1932.");
  CHECK(checked[1].cited.empty());
  CHECK(checked[1].source == 2);  // the mark is wrong, but another source supports the sentence
  CHECK(checked[2].source == 0);  // a number that no source contains
  CHECK(checked[3].source == 0);

  const GroundedText grounded = ground(checked, hits, Language::english);
  CHECK(grounded.text == "The bridge opened in 1932. [1] The river floods every spring. [2]");
  CHECK(grounded.dropped == 2);
  REQUIRE(grounded.citations.size() == 2);
  CHECK(grounded.citations[0].quote == "The bridge opened in 1932.");
  CHECK(grounded.citations[1].path == "b.md");
  for (const Citation& citation : grounded.citations) {
    const std::string& text = hits[citation.id == 1 ? 0 : 1].chunk.text;
    CHECK(text.substr(citation.start_byte, citation.end_byte - citation.start_byte) == citation.quote);
  }
}

TEST_CASE("two statements from one sentence share a citation, and lists of numbers in a mark are parsed") {
  FakeStore store;
  store.add("a.md", "The bridge opened in 1932 and is painted green.");
  const auto hits = hits_of(store, {1});
  const auto checked = check_sentences("The bridge is painted green [1, 3]. The bridge opened in 1932 [1][1].", hits,
                                       Language::english, 0.6f);
  REQUIRE(checked.size() == 2);
  CHECK(checked[0].cited == std::vector<int64_t>{1});
  const GroundedText grounded = ground(checked, hits, Language::english);
  CHECK(grounded.citations.size() == 1);
  CHECK(grounded.text == "The bridge is painted green. [1] The bridge opened in 1932. [1]");
}

TEST_CASE("an abstention of the generator is recognised in both languages") {
  CHECK(is_abstention("Not in the sources."));
  CHECK(is_abstention("A resposta não está nas fontes."));
  CHECK_FALSE(is_abstention("The bridge opened in 1932 [1]."));
}
