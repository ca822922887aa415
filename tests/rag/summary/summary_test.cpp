#include "rag/summary/summary.h"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "rag/summary/summary_length.h"
#include "support/temp_folder.h"

using namespace frugal;
using testing::TempFolder;

namespace {

// Chunks of a document, one behind the other.
std::vector<Hit> chunks_of(const std::vector<std::string>& texts, Language language = Language::english) {
  std::vector<Hit> chunks;
  uint64_t at = 0;
  for (const std::string& text : texts) {
    Chunk chunk;
    chunk.id = int64_t(chunks.size()) + 1;
    chunk.path = "/notes/town.txt";
    chunk.text = text;
    chunk.start_byte = at;
    chunk.end_byte = at += text.size();
    chunk.in_file = true;
    chunk.line = chunk.id;
    chunk.language = language;
    Hit hit;
    hit.chunk = std::move(chunk);
    chunks.push_back(std::move(hit));
  }
  return chunks;
}

// Writes what a function makes of a text; a token is a word. Reads 40 of them at once.
class FakeWriter : public SummaryWriter {
 public:
  explicit FakeWriter(std::function<std::string(const SummaryRequest&)> says) : says_(std::move(says)) {}
  std::string identity() const override { return "fake"; }
  int64_t count_tokens(std::string_view text) const override { return count_words(text); }
  int64_t max_source_tokens(int64_t) const override { return 40; }
  WrittenSummary write(const SummaryRequest& request, const TokenSink& sink) override {
    requests.push_back({std::string(request.text), request.style, request.max_words});
    std::string text = says_(request);
    if (sink) sink(text);
    return {text, count_tokens(request.text), count_tokens(text)};
  }
  struct Seen {
    std::string text;
    SummaryStyle style;
    int64_t max_words;
  };
  std::vector<Seen> requests;

 private:
  std::function<std::string(const SummaryRequest&)> says_;
};

// The first sentence of a text.
std::string first_sentence(const SummaryRequest& request) {
  return std::string(request.text.substr(0, request.text.find('.') + 1));
}

std::vector<std::string> texts_of(const TextSummary& summary) {
  std::vector<std::string> texts;
  for (const SummaryStatement& statement : summary.statements) texts.push_back(statement.text);
  return texts;
}

// Many chunks of distinct sentences, of which the first of each is short.
std::vector<Hit> long_text(int chunks) {
  std::vector<std::string> texts;
  for (int i = 0; i < chunks; ++i) {
    const std::string n = std::to_string(i);
    texts.push_back("Street " + n + " has house" + n + ". Its garden" + n + " was planted by family" + n +
                    " after the great flood of the river destroyed every wooden fence between both bridges.");
  }
  return chunks_of(texts);
}

}  // namespace

TEST_CASE("a text that the model reads whole is written once, and every sentence cites its chunk") {
  const auto chunks =
      chunks_of({"The bridge was finished in 1932. Ravi Osei drew it.", "The mill burned down in 1950."});
  FakeWriter writer([](const SummaryRequest&) { return "Ravi Osei drew the bridge. The mill burned down in 1950."; });
  const TextSummary summary = summarise(chunks, &writer, {}, {});
  CHECK(summary.mode == SummaryMode::generate);
  CHECK(texts_of(summary) == std::vector<std::string>{"Ravi Osei drew the bridge.", "The mill burned down in 1950."});
  REQUIRE(summary.citations.size() == 2);
  CHECK(summary.citations[0].id == 1);
  CHECK(summary.citations[1].id == 2);
  CHECK(summary.citations[1].quote == "The mill burned down in 1950.");
  CHECK(summary.statements[1].n == 2);
  CHECK(writer.requests.size() == 1);
  CHECK(summary.parts == 1);
  CHECK(summary.levels == 1);
}

TEST_CASE("a sentence with another number, or of other words, is dropped; if nothing remains a sentence is quoted") {
  const auto chunks = chunks_of({"The bridge at Aldersby was finished in 1932 by the town."});
  FakeWriter invents([](const SummaryRequest&) { return "The bridge was finished in 1952. Cats like warm milk."; });
  const TextSummary summary = summarise(chunks, &invents, {}, {});
  CHECK(texts_of(summary) == std::vector<std::string>{"The bridge at Aldersby was finished in 1932 by the town."});
  CHECK(summary.dropped_sentences == 2);
  CHECK(summary.quoted_parts == 1);
}

TEST_CASE("a long text is shortened level by level, and its sentences cite the text, not a summary of it") {
  const auto chunks = long_text(64);
  FakeWriter writer(first_sentence);
  std::vector<int64_t> levels;
  SummaryHooks hooks;
  hooks.progress = [&](int64_t done, int64_t parts) {
    if (done == parts) levels.push_back(parts);
  };
  const TextSummary summary = summarise(chunks, &writer, {}, hooks);
  REQUIRE(summary.levels >= 3);
  CHECK(int64_t(levels.size()) == summary.levels - 1);
  CHECK(levels[1] < levels[0]);
  for (const auto& request : writer.requests) CHECK(count_words(request.text) <= 40);
  REQUIRE(summary.statements.size() == 1);
  const Citation& citation = summary.citations.front();
  const Chunk& cited = chunks[static_cast<size_t>(citation.id - 1)].chunk;
  CHECK(cited.text.substr(citation.text_begin - cited.start_byte, citation.quote.size()) == citation.quote);
  CHECK(citation.quote == "Street 0 has house0.");
}

TEST_CASE("a model that does not shorten ends in quotes") {
  const auto chunks = long_text(20);
  FakeWriter copies([](const SummaryRequest& request) { return std::string(request.text); });
  SummaryOptions options;
  options.max_words = 30;
  options.part_tokens = 64;
  const TextSummary summary = summarise(chunks, &copies, options, {});
  CHECK(!summary.statements.empty());
  CHECK(copies.requests.size() < 200);
}

TEST_CASE("a part that was written before comes from the cache; another text, style or length does not") {
  const TempFolder folder;
  const FileCache cache(folder.path() / "summaries", 1 << 20, "1");
  auto chunks = long_text(12);
  SummaryHooks hooks;
  hooks.cache = &cache;
  FakeWriter first(first_sentence), again(first_sentence), changed(first_sentence), shorter(first_sentence);
  const TextSummary before = summarise(chunks, &first, {}, hooks);
  const TextSummary same = summarise(chunks, &again, {}, hooks);
  CHECK(again.requests.empty());
  CHECK(same.cached_parts == same.parts);
  CHECK(texts_of(same) == texts_of(before));
  chunks[11].chunk.text += " A new fence stands there.";
  summarise(chunks, &changed, {}, hooks);
  CHECK(!changed.requests.empty());
  CHECK(changed.requests.size() < first.requests.size());
  SummaryOptions options;
  options.max_words = 10;
  summarise(long_text(12), &shorter, options, hooks);
  CHECK(shorter.requests.size() == 1);  // the last one, of another length
}

TEST_CASE("the length is kept, except for a first sentence; one-line is one sentence") {
  const std::string text =
      "The bridge was finished in spring. The mill burned down in winter. The school moved to the hill in autumn.";
  const auto chunks = chunks_of({text});
  FakeWriter copies([](const SummaryRequest& request) { return std::string(request.text); });
  SummaryOptions options;
  options.max_words = 13;
  CHECK(summarise(chunks, &copies, options, {}).statements.size() == 2);
  options.max_words = 1;
  CHECK(texts_of(summarise(chunks, &copies, options, {})) ==
        std::vector<std::string>{"The bridge was finished in spring."});
  options.max_words = 100;
  options.style = SummaryStyle::one_line;
  CHECK(summarise(chunks, &copies, options, {}).statements.size() == 1);
  CHECK(copies.requests.back().style == SummaryStyle::one_line);
}

TEST_CASE("what says the same again with another tail is kept once, and list marks are no part of a sentence") {
  const auto chunks = chunks_of({"The tests of the bridge are done by the town in one step every year in spring."});
  FakeWriter repeats([](const SummaryRequest&) {
    return "- The tests of the bridge are done by the town.\n- The tests of the bridge are done by the town in "
           "spring.\n";
  });
  SummaryOptions options;
  options.style = SummaryStyle::bullets;
  CHECK(texts_of(summarise(chunks, &repeats, options, {})) ==
        std::vector<std::string>{"The tests of the bridge are done by the town."});
}

TEST_CASE("without a model the central sentences are quoted, in the order of the text") {
  const auto chunks = chunks_of(
      {"# Town\n\nCats sleep on warm walls near the harbour. The bridge carries the road over the river since 1932.",
       "Does the bridge carry trams? Ravi Osei drew the bridge with three arches over the river for the road."});
  SummaryOptions options;
  options.max_words = 10;
  const TextSummary shortest = summarise(chunks, nullptr, options, {});
  CHECK(shortest.mode == SummaryMode::extract);
  CHECK(texts_of(shortest) == std::vector<std::string>{"The bridge carries the road over the river since 1932."});
  options.max_words = 100;
  const TextSummary all = summarise(chunks, nullptr, options, {});
  CHECK(texts_of(all) == std::vector<std::string>{"Cats sleep on warm walls near the harbour.",
                                                  "The bridge carries the road over the river since 1932.",
                                                  "Ravi Osei drew the bridge with three arches over the river for the "
                                                  "road."});
  for (const Citation& citation : all.citations) {
    const Chunk& cited = chunks[static_cast<size_t>(citation.id - 1)].chunk;
    CHECK(cited.text.substr(citation.text_begin - cited.start_byte, citation.quote.size()) == citation.quote);
  }
}

TEST_CASE("a text without a sentence gives an empty summary") {
  CHECK(summarise(chunks_of({"| a | b |\n|---|---|\n| 1 | 2 |"}), nullptr, {}, {}).statements.empty());
  CHECK(summarise({}, nullptr, {}, {}).statements.empty());
}

TEST_CASE("sentences are handed out as soon as they are known") {
  FakeWriter writer([](const SummaryRequest&) { return "The mill burned down in 1950."; });
  std::vector<std::string> streamed;
  SummaryHooks hooks;
  hooks.statement = [&](const SummaryStatement& statement) { streamed.push_back(statement.text); };
  const TextSummary summary = summarise(chunks_of({"The mill burned down in 1950."}), &writer, {}, hooks);
  CHECK(streamed == texts_of(summary));
}
