#include "model/remote/remote_embedder.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <optional>

#include "model/remote/remote_fixture.h"
#include "model/remote/remote_reader.h"
#include "support/errors.h"

#ifdef FRUGAL_TEST_HTTP

namespace frugal {
namespace {

using namespace testing;

const bool kPluginsAreHere = ::setenv("FRUGAL_PLUGINS", FRUGAL_TEST_HTTP, 1) == 0;

std::vector<float> embed(Embedder& embedder, std::vector<std::string_view> texts, TextRole role = TextRole::query) {
  std::vector<float> out(texts.size() * static_cast<size_t>(embedder.dimension()));
  embedder.embed(texts, role, out);
  return out;
}

TEST_CASE("openai: vectors come in any order, as numbers or base64, and get unit length") {
  REQUIRE(kPluginsAreHere);
  FaultServer server([](const ServedRequest& request, const ServedConnection& peer) {
    if (!contains(request.body, "one"))
      return peer.answer(200, kJson, R"({"model":"v1","data":[{"index":0,"embedding":[1,0]}]})");
    // 3 and 4 as floats of 32 bits: 00 00 40 40 00 00 80 40.
    return peer.answer(
        200, kJson, R"({"model":"v1","data":[{"index":1,"embedding":"AABAQAAAgEA="},{"index":0,"embedding":[0,-2]}]})");
  });
  const ModelEntry entry = entry_for(server, "openai");
  const auto embedder = make_remote_embedder(service_for(entry), entry, {"query: ", ""});
  CHECK(server.requests() == 0);  // opening asks nothing
  CHECK(embedder->dimension() == 2);
  CHECK(embed(*embedder, {"one", "two"}) == std::vector<float>{0, -1, 0.6f, 0.8f});
  CHECK(server.requests() == 2);
  CHECK(server.last().path == "/v1/embeddings");
  CHECK(server.last().body == R"({"model":"m","input":["query: one","query: two"],"encoding_format":"float"})");
  CHECK(contains(embedder->fingerprint(), entry.name));
  CHECK(contains(embedder->fingerprint(), "dimension 2 model v1 prompts \"query: \""));
}

TEST_CASE("tei: lists of vectors, the revision, and batches") {
  FaultServer server([](const ServedRequest& request, const ServedConnection& peer) {
    if (request.path == "/info") return peer.answer(200, kJson, R"({"model_id":"bge","model_sha":"abc"})");
    std::string vectors;
    for (size_t at = request.body.find("\"t"); at != std::string::npos && at < request.body.find("]");
         at = request.body.find("\"t", at + 1))
      vectors += (vectors.empty() ? "" : ",") + std::string("[0,1,0]");
    return peer.answer(200, kJson, vectors.empty() ? "[[1,0,0]]" : "[" + vectors + "]");
  });
  const ModelEntry entry = entry_for(server, "tei", "");
  const auto embedder = make_remote_embedder(service_for(entry), entry, {});
  CHECK(contains(embedder->fingerprint(), "dimension 3 model bge abc"));
  const std::vector<std::string_view> texts(70, "t");
  const std::vector<float> out = embed(*embedder, texts);
  for (size_t i = 0; i < texts.size(); ++i) CHECK(out[3 * i + 1] == 1);
  CHECK(server.requests() == 2 + 3);
}

TEST_CASE("a service with another model than before is an error") {
  for (const char* now : {R"({"model":"v1","data":[{"index":0,"embedding":[1,0,0]}]})",
                          R"({"model":"v2","data":[{"index":0,"embedding":[1,0]}]})"}) {
    FaultServer server([&](const ServedRequest& request, const ServedConnection& peer) {
      return peer.answer(200, kJson,
                         request.number == 1 ? R"({"model":"v1","data":[{"index":0,"embedding":[1,0]}]})" : now);
    });
    const ModelEntry entry = entry_for(server, "openai");
    const auto embedder = make_remote_embedder(service_for(entry), entry, {});
    const auto error = error_of([&] { embed(*embedder, {"a"}); });
    REQUIRE(error);
    CHECK(error->code() == Code::remote);
  }
}

TEST_CASE("every fault of an embedder is an error in time") {
  using R = const ServedRequest&;
  using C = const ServedConnection&;
  std::vector<Fault> faults = common_faults();
  for (const char* body :
       {R"({"data":[]})", R"({"data":[{"index":1,"embedding":[1]}]})", R"({"data":[{"index":0,"embedding":[]}]})",
        R"({"data":[{"index":0,"embedding":["a"]}]})", R"({"data":[{"index":0,"embedding":[1e300]}]})",
        R"({"data":[{"index":0,"embedding":"AAAA"}]})", R"({"data":[{"index":0,"embedding":"AADAfw=="}]})",
        R"({"data":[{"index":0,"embedding":[0,0]}]})", R"({"data":[{"index":-1,"embedding":[1]}]})"})
    faults.push_back({body, [body](R, C peer) { return peer.answer(200, kJson, body); }});
  expect_remote_errors(faults, [](FaultServer& server) {
    const ModelEntry entry = entry_for(server, "openai");
    embed(*make_remote_embedder(service_for(entry), entry, {}), {"a"});
  });
  faults = common_faults();
  for (const char* body : {"[]", "[1]", "[[]]", "[[1],[2]]", "[[null]]", "{\"error\":\"x\"}"})
    faults.push_back({body, [body](R, C peer) { return peer.answer(200, kJson, body); }});
  expect_remote_errors(faults, [](FaultServer& server) {
    const ModelEntry entry = entry_for(server, "tei", "");
    embed(*make_remote_embedder(service_for(entry), entry, {}), {"a"});
  });
}

std::vector<float> rank(FaultServer& server, const std::string& scheme) {
  const ModelEntry entry = entry_for(server, scheme, scheme == "tei" ? "" : "m");
  const auto reader = make_remote_reader(service_for(entry), entry);
  const std::vector<ReaderPair> pairs = {reader->pair("qué?", "first"), reader->pair("qué?", "\"second\"")};
  std::vector<float> scores;
  for (const HalfRead& half : reader->read_half(pairs)) scores.push_back(half.relevance);
  return scores;
}

TEST_CASE("readers rank by the scores of a service") {
  FaultServer tei([](const ServedRequest&, const ServedConnection& peer) {
    return peer.answer(200, kJson, R"([{"index":1,"score":2.5},{"index":0,"score":-1}])");
  });
  CHECK(rank(tei, "tei") == std::vector<float>{-1, 2.5f});
  CHECK(tei.last().path == "/rerank");
  CHECK(tei.last().body == R"({"query":"qué?","texts":["first","\"second\""],"raw_scores":true,"truncate":true})");
  FaultServer cohere([](const ServedRequest&, const ServedConnection& peer) {
    return peer.answer(200, kJson,
                       R"({"results":[{"index":0,"relevance_score":0.5},{"index":1,"relevance_score":1.0}]})");
  });
  const std::vector<float> logits = rank(cohere, "cohere");
  CHECK(logits[0] == 0);
  CHECK(logits[1] > 10);
  CHECK(rank(cohere, "openai") == std::vector<float>{0.5f, 1});
  CHECK(cohere.last().path == "/v1/rerank");
  CHECK(cohere.last().body == R"({"model":"m","query":"qué?","documents":["first","\"second\""],"top_n":2})");
}

TEST_CASE("every fault of a reader is an error in time") {
  using R = const ServedRequest&;
  using C = const ServedConnection&;
  std::vector<Fault> faults = common_faults();
  for (const char* body : {"[]", R"([{"index":0,"score":1}])", R"([{"index":0,"score":1},{"index":0,"score":1}])",
                           R"([{"index":0,"score":1},{"index":2,"score":1}])",
                           R"([{"index":0,"score":1},{"index":1,"score":"x"}])", R"([1,2])"})
    faults.push_back({body, [body](R, C peer) { return peer.answer(200, kJson, body); }});
  expect_remote_errors(faults, [](FaultServer& server) { rank(server, "tei"); });
  faults = common_faults();
  for (const char* body :
       {R"({"results":[]})", R"({"results":[{"index":0,"relevance_score":7},{"index":1,"relevance_score":0.5}]})"})
    faults.push_back({body, [body](R, C peer) { return peer.answer(200, kJson, body); }});
  expect_remote_errors(faults, [](FaultServer& server) { rank(server, "cohere"); });
}

}  // namespace
}  // namespace frugal

#endif
