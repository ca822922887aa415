// The stages that use an embedder's outputs for tokens: search by their weights, reordering by their vectors. Expected
// scores are computed here.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "rag/answer/answer_cache.h"
#include "rag/answer/pipeline.h"
#include "rag/fakes.h"
#include "rag/reply/reply_json.h"
#include "support/temp_folder.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

constexpr const char* kQuestion = "who keeps the book of the harbour";

// Texts with some of the question's words, in an index with token weights.
struct Harbour {
  explicit Harbour(bool with_weights = true) {
    store.with_weights = models.fake_embedder.has_heads = with_weights;
    store.add("a.txt", "The master keeps the book of all ships.");
    store.add("b.txt", "The harbour is deep, and the harbour is wide.");
    store.add("c.txt", "A book of tide tables for the harbour.");
    store.add("d.txt", "Fish is sold on Fridays.");
    store.add("e.txt", "Who goes there?");
  }
  Reply ask(PipelineOptions options = {}, const Query& query = {{}, kQuestion},
            const QuestionVectors* cache = nullptr) {
    options.answer = AnswerMode::none;
    options.hyde.mode = StageMode::never;
    Pipeline pipeline(store, models, laws, options, nullptr, "harbour", cache);
    return pipeline.run(pipeline.stages(), query, {}, Trace(false, [this] { return clock.now(); }));
  }
  FakeStore store;
  FakeModels models;
  LawTable laws;
  FakeClock clock;
};

PipelineOptions with_maxsim(int64_t hits) {
  PipelineOptions options;
  options.rerank.maxsim = hits;
  return options;
}

std::vector<int64_t> ids(const Reply& reply) {
  std::vector<int64_t> out;
  for (const Candidate& candidate : reply.ranking) out.push_back(candidate.id);
  return out;
}

float product(const std::vector<TokenWeight>& a, const std::vector<TokenWeight>& b) {
  float sum = 0;
  for (const TokenWeight& x : a)
    for (const TokenWeight& y : b)
      if (x.token == y.token) sum += x.weight * y.weight;
  return sum;
}

// The words are vectors that are equal or, but for collisions of hashes, orthogonal.
float max_sim_of_words(const std::string& question, const std::string& passage) {
  float sum = 0;
  const std::vector<Word> asked = split_words(question);
  for (const Word& word : asked) {
    float best = 0;
    for (const Word& other : split_words(passage)) {
      const auto x = bag_of_words(word.folded), y = bag_of_words(other.folded);
      best = std::max(best, std::inner_product(x.begin(), x.end(), y.begin(), 0.0f));
    }
    sum += best;
  }
  return sum / static_cast<float>(asked.size());
}

}  // namespace

TEST_CASE("an index with token weights is searched by them too, for one pass of the embedder") {
  Harbour harbour;
  const Reply reply = harbour.ask();
  CHECK(harbour.models.fake_embedder.calls == 1);
  CHECK(reply.fusion.learned_hits == 4);
  int64_t rank = 0;
  std::vector<std::pair<float, int64_t>> expected;
  for (int64_t id = 1; id <= 5; ++id) {
    const std::string text = harbour.store.fetch(std::vector{id}).at(0).text;
    if (const float score = product(word_weights(kQuestion), word_weights(text)); score > 0)
      expected.emplace_back(-score, id);
  }
  std::sort(expected.begin(), expected.end());
  for (const auto& [score, id] : expected) {
    ++rank;
    for (const Hit& hit : reply.hits) {
      if (hit.chunk.id != id) continue;
      CHECK(hit.learned_rank == rank);
      CHECK(*hit.learned_score == doctest::Approx(-score));
    }
  }
  CHECK(rank == 4);
}

TEST_CASE("the learned list weighs as a multiple of the dense list, and all weights add up to 1") {
  Harbour harbour;
  for (const float multiple : {0.3f, 1.0f, 4.0f}) {
    PipelineOptions options;
    options.retrieve.learned_weight = multiple;
    const Reply reply = harbour.ask(options);
    const double dense = options.retrieve.dense_weights.english, learned = multiple * dense;
    CHECK(reply.fusion.dense_weight == doctest::Approx(dense));
    CHECK(reply.fusion.learned_weight == doctest::Approx(learned / (1 + learned)));
    // Each list by its own minimum: 0 for lists of matches that are not full, the last score for the dense one.
    std::map<std::string, std::pair<float, float>> range;
    for (const Candidate& each : reply.ranking) {
      if (each.dense_rank == 1) range["dense"].second = each.dense_score;
      if (each.dense_rank == reply.fusion.dense_hits) range["dense"].first = each.dense_score;
      if (each.sparse_rank == 1) range["sparse"].second = each.sparse_score;
      if (each.learned_rank == 1) range["learned"].second = each.learned_score;
    }
    for (const Candidate& each : reply.ranking) {
      const auto [low, high] = range["dense"];
      double sum = each.dense_rank > 0 ? dense * double((each.dense_score - low) / (high - low)) : 0;
      if (each.sparse_rank > 0) sum += (1 - dense) * double(each.sparse_score / range["sparse"].second);
      if (each.learned_rank > 0) sum += learned * double(each.learned_score / range["learned"].second);
      CHECK(each.score == doctest::Approx(sum / (1 + learned)));
    }
  }
}

TEST_CASE("without token weights, or with weight 0, nothing changes") {
  const auto shown = [](Reply reply) {
    reply.timings = {};
    reply.memory = {};
    return reply_to_json(reply, ReplyDetail::explain);
  };
  Harbour without(false), with;
  const std::string expected = shown(without.ask());
  CHECK(expected.find("learned") == std::string::npos);
  CHECK(expected.find("maxsim") == std::string::npos);
  PipelineOptions zero;
  zero.retrieve.learned_weight = 0;
  CHECK(shown(with.ask(zero)) == expected);
  CHECK(shown(with.ask()) != expected);
  without.models.fake_embedder.has_heads = true;  // an index that was made without weights, with the same embedder
  CHECK(shown(without.ask()) == expected);
  PipelineOptions by_words;
  by_words.dense = false;
  const int calls = with.models.fake_embedder.calls;
  CHECK(with.ask(by_words).fusion.learned_hits == 0);
  CHECK(with.models.fake_embedder.calls == calls);
}

TEST_CASE("a search by token weights obeys the filter of the question") {
  Harbour harbour;
  const Reply reply = harbour.ask({}, {{}, kQuestion, {.paths = {"c.txt", "d.txt"}}});
  REQUIRE(reply.hits.size() >= 1);
  CHECK(reply.fusion.learned_hits == 1);
  for (const Hit& hit : reply.hits) CHECK(hit.chunk.path >= "c.txt");
}

TEST_CASE("a cached question is searched by its vector and its weights, without the embedder") {
  Harbour harbour;
  TempFolder folder;
  const QuestionVectorCache cache(folder / "probes", 1 << 20);
  const Reply first = harbour.ask({}, {{}, kQuestion}, &cache);
  const Reply again = harbour.ask({}, {{}, kQuestion}, &cache);
  CHECK(harbour.models.fake_embedder.calls == 1);
  REQUIRE(again.ranking.size() == first.ranking.size());
  for (size_t i = 0; i < first.ranking.size(); ++i) {
    CHECK(again.ranking[i].id == first.ranking[i].id);
    CHECK(again.ranking[i].score == first.ranking[i].score);
    CHECK(again.ranking[i].learned_score == first.ranking[i].learned_score);
  }
}

TEST_CASE("the learned list alone has the whole weight") {
  Harbour harbour;
  PipelineOptions options;
  options.answer = AnswerMode::none;
  Pipeline pipeline(harbour.store, harbour.models, harbour.laws, options, nullptr, "harbour");
  std::vector<Stage> stages = pipeline.stages();
  for (const char* name : {"dense", "sparse", "hyde"}) switch_off(stages, name);
  const Reply reply = pipeline.run(stages, {{}, kQuestion});
  CHECK(reply.fusion.learned_weight == 1);
  REQUIRE(reply.ranking.size() == 4);
  CHECK(reply.ranking.front().score == 1);
  CHECK(reply.ranking.front().learned_rank == 1);
}

TEST_CASE("the ranks of the learned list are printed and read back") {
  Harbour harbour;
  const Reply reply = harbour.ask(with_maxsim(5));
  const Reply read = reply_from_json(reply_to_json(reply, ReplyDetail::stored));
  CHECK(read.fusion.learned_hits == 4);
  REQUIRE(read.hits.size() == reply.hits.size());
  for (size_t i = 0; i < read.hits.size(); ++i) {
    CHECK(read.hits[i].learned_rank == reply.hits[i].learned_rank);
    CHECK(read.hits[i].maxsim_score.has_value() == reply.hits[i].maxsim_score.has_value());
  }
}

TEST_CASE("late interaction reorders the first hits by MaxSim, and leaves the rest as they are") {
  Harbour harbour;
  const Reply before = harbour.ask();
  CHECK_FALSE(before.ranking.front().maxsim_score);
  for (const int64_t hits : {2, 3, 5, 100}) {
    const Reply reply = harbour.ask(with_maxsim(hits));
    CHECK(reply.skipped == before.skipped);
    std::vector<int64_t> first = ids(before), after = ids(reply);
    const auto count = std::min<std::ptrdiff_t>(hits, std::ssize(first));
    const auto score = [&](int64_t id) {
      return max_sim_of_words(kQuestion, harbour.store.fetch(std::vector{id}).at(0).text);
    };
    std::stable_sort(first.begin(), first.begin() + count, [&](int64_t a, int64_t b) { return score(a) > score(b); });
    CHECK(after == first);
    for (std::ptrdiff_t i = 0; i < std::ssize(reply.ranking); ++i) {
      const Candidate& each = reply.ranking[static_cast<size_t>(i)];
      REQUIRE(each.maxsim_score.has_value() == (i < count));
      if (i < count) CHECK(*each.maxsim_score == doctest::Approx(score(each.id)));
    }
  }
  std::string ships(400, ' ');
  for (size_t i = 0; i + 6 < ships.size(); i += 6) ships.replace(i, 5, "ships");
  harbour.store.add("f.txt", kQuestion + (" " + ships));  // far from the question as a whole, near each of its words
  PipelineOptions by_vectors = with_maxsim(100);
  by_vectors.retrieve.sparse = false;
  by_vectors.retrieve.learned_weight = 0;
  const Reply reordered = harbour.ask(by_vectors);
  CHECK(reordered.ranking.front().id == 6);
  CHECK(*reordered.ranking.front().maxsim_score == doctest::Approx(1));
  CHECK(reordered.ranking.front().dense_rank > 1);
}

TEST_CASE("late interaction needs an embedder with vectors of tokens, and search by vectors") {
  Harbour harbour(false);
  const Reply before = harbour.ask();
  const Reply reply = harbour.ask(with_maxsim(5));
  CHECK(ids(reply) == ids(before));
  CHECK(std::count(reply.skipped.begin(), reply.skipped.end(), "maxsim: the embedder gives no vectors of tokens") == 1);
  PipelineOptions by_words = with_maxsim(5);
  by_words.dense = false;
  const Reply skipped = harbour.ask(by_words);
  CHECK(std::count(skipped.skipped.begin(), skipped.skipped.end(), "maxsim: switched off") == 1);
}

TEST_CASE("the budget of reranking ends late interaction, and the reply says so") {
  Harbour harbour;
  for (int i = 0; i < 8; ++i) harbour.store.add("more" + std::to_string(i), "harbour book " + std::to_string(i));
  const std::vector<int64_t> before = ids(harbour.ask());
  harbour.models.fake_embedder.clock = &harbour.clock;  // 20 ms for the question, and for each step
  PipelineOptions options = with_maxsim(12);
  options.rerank.budget_ms = 50;
  const Reply reply = harbour.ask(options);
  CHECK(reply.cut_short);
  const auto& skipped = reply.skipped;
  CHECK(std::count(skipped.begin(), skipped.end(), "maxsim: budget of 50 ms, 8 of 12 hits scored") == 1);
  const std::vector<int64_t> after = ids(reply);
  CHECK(std::equal(after.begin() + 8, after.end(), before.begin() + 8, before.end()));
  CHECK(reply.timings.rerank_ms == doctest::Approx(60));
}

TEST_CASE("a chunk that holds the named article keeps its place in front") {
  Harbour harbour;
  harbour.laws.add({"br/cdc", "Código de Defesa do Consumidor", {"CDC"}, {}});
  harbour.store.add("cdc", "Art. 72. Impedir.", {{"br/cdc", "72", "", "", ""}});
  const Reply reply = harbour.ask(with_maxsim(3), {{}, "art. 72 do CDC: who keeps the book of the harbour"});
  REQUIRE(reply.ranking.size() > 3);
  CHECK(reply.ranking.front().reference_score > 0);
  CHECK_FALSE(reply.ranking.front().maxsim_score);
  CHECK(reply.ranking[1].maxsim_score);
}
