#include "app/api/routes.h"

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "app/api/json_body.h"
#include "app/api/mcp.h"
#include "app/api/recorded.h"
#include "app/api/worker_board.h"
#include "app/api/worker_orders.h"
#include "app/api/worker_states.h"
#include "base/base64.h"

namespace frugal {
namespace {

using nlohmann::json;
using testing::Api;
using testing::Recorded;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) lines.push_back(line);
  return lines;
}

// The data of server-sent events that are JSON.
std::vector<json> events_of(const std::string& text) {
  std::vector<json> events;
  for (const std::string& line : lines_of(text))
    if (line.starts_with("data: {")) events.push_back(json::parse(line.substr(6)));
  return events;
}

std::vector<float> floats_of(const std::string& base64) {
  const std::string bytes = from_base64(base64).value();
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

}  // namespace

TEST_CASE("every route answers a body that is no JSON object with its protocol's error") {
  Api api;
  for (const api::Route& route : api::routes()) {
    if (route.method != "POST" || route.path == "/mcp" || route.path == "/memory/unload" || route.path == "/reload")
      continue;
    for (const char* body : {"", "[]", "{", "{\"a\":\xff}", "7"}) {
      const Recorded reply = api.post(std::string(route.path), body);
      CAPTURE(route.path);
      CAPTURE(body);
      CHECK(reply.status / 100 == 4);
      CHECK(reply.json().contains("error"));
    }
  }
}

TEST_CASE("every field of another type is a 4xx that names it") {
  Api api;
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"/query", R"({"query":"a","explain":"yes"})"},
      {"/query", R"({"query":"a","format":7})"},
      {"/query", R"({"query":"a","settings":[]})"},
      {"/summarize", R"({"text":["a"]})"},
      {"/summarize", R"({"text":"a","style":"song"})"},
      {"/summarize", R"({"text":"a","max_length":0})"},
      {"/summarize", R"({"text":"a","stream":1})"},
      {"/caption", R"({"image":7})"},
      {"/caption", R"({"image":"aGk=","prompt":7})"},
      {"/embed", R"({"inputs":7})"},
      {"/embed", R"({"inputs":[7]})"},
      {"/embed", R"({"inputs":"a","prompt_name":"song"})"},
      {"/embed", R"({"inputs":"a","dimensions":0})"},
      {"/embed", R"({"inputs":"a","dimensions":3})"},
      {"/rerank", R"({"query":"a","texts":{}})"},
      {"/rerank", R"({"texts":["a"]})"},
      {"/similarity", R"({"inputs":"a"})"},
      {"/v1/embeddings", R"({"input":"a","encoding_format":"gzip"})"},
      {"/v1/embeddings", R"({"input":"a","dimensions":1.5})"},
      {"/v1/chat/completions", R"({"messages":"hi"})"},
      {"/v1/chat/completions", R"({"messages":[{"role":"judge","content":"a"}]})"},
      {"/v1/chat/completions", R"({"messages":[{"role":"user","content":[{"type":"image_url"}]}]})"},
      {"/v1/chat/completions", R"({"messages":[{"role":"user","content":"a"}],"temperature":-1})"},
      {"/v1/chat/completions", R"({"messages":[{"role":"user","content":"a"}],"n":2})"},
      {"/v1/chat/completions", R"({"messages":[{"role":"user","content":"a"}],"tools":[{}]})"},
      {"/v1/chat/completions", R"({"messages":[{"role":"user","content":"a"}],"response_format":"text"})"},
      {"/v1/chat/completions", R"({"messages":[{"role":"user","content":"a"}],"response_format":{}})"},
      {"/v1/rerank", R"({"query":"a","documents":[1]})"},
      {"/api/embed", R"({"input":"a","keep_alive":"soon"})"},
      {"/api/chat", R"({"messages":[{"role":"user","content":"a"}],"options":7})"},
      {"/api/generate", R"({"prompt":"a","images":["x"]})"},
  };
  for (const auto& each : wrong) {
    CAPTURE(each.first);
    CAPTURE(each.second);
    CHECK(api.post(each.first, each.second).status / 100 == 4);
  }
}

TEST_CASE("/query takes settings, and answers as events if it is asked to") {
  Api api;
  const Recorded reply = api.post("/query", R"({"query":"who","path":"a/**","settings":{"retrieval.top_k":3}})");
  CHECK(reply.json()["answer"]["text"] == "WHO [1]");
  CHECK(api.engine.last_ask.settings == std::vector<std::pair<std::string, std::string>>{{"retrieval.top_k", "3"}});
  CHECK(api.engine.last_ask.query.filter.paths == std::vector<std::string>{"a/**"});
  const Recorded events = api.call("POST", "/query", R"({"query":"who"})", {{"accept", "text/event-stream"}});
  CHECK(contains(events.content_type, "text/event-stream"));
  CHECK(events_of(events.body).back()["answer"]["text"] == "WHO [1]");
  const Recorded failed = api.post("/query", R"({"query":"fail","stream":true})");
  CHECK(contains(failed.body, "event: error"));
}

TEST_CASE("/summarize answers what summarize prints, whole or sentence by sentence") {
  Api api;
  const json whole = api.post("/summarize", R"({"text":"one two","style":"one-line","max_length":9})").json();
  CHECK(whole["summary"]["statements"][1] == json::parse(R"({"text":"two","citation":2})"));
  CHECK(whole["path"] == "text");
  CHECK(api.engine.last_summary.style == SummaryStyle::one_line);
  CHECK(api.engine.last_summary.max_words == 9);
  const Recorded stream = api.post("/summarize", R"({"text":"one two","stream":true})");
  const std::vector<json> events = events_of(stream.body);
  REQUIRE(events.size() == 3);
  CHECK(events[0] == json::parse(R"({"text":"one","citation":1})"));
  CHECK(events[2]["summary"]["text"] == "one two");
  CHECK(api.engine.last_summary.style == std::nullopt);
  CHECK(contains(api.post("/summarize", R"({"text":"one fail","stream":true})").body, "event: error"));
  const Recorded missing = api.post("/summarize", R"({"text":"fail"})");
  CHECK(missing.status == 424);
  CHECK(contains(missing.body, "models.summarizer"));
}

TEST_CASE("/caption takes an image in base 64 or as a data: URL, and opens no path") {
  Api api;
  const json caption = api.post("/caption", R"({"image":"aGk=","prompt":"what?"})").json();
  CHECK(api.engine.last_image == "hi");
  CHECK(caption["text"] == "what?");
  CHECK(caption["question"] == "what?");
  CHECK(caption["width"] == 2);
  CHECK(caption["model"] == "painter.pack");
  CHECK(api.post("/caption", R"({"image":"data:image/png;base64,aGkh"})").json()["question"].is_null());
  CHECK(api.engine.last_image == "hi!");
  for (const char* image : {"", "a", "/etc/passwd.png", "https://a.example/b.png", "data:image/png,hi",
                            "data:image/png;base64", "aGk==", "aGk=aGk="}) {
    CAPTURE(image);
    CHECK(api.post("/caption", json{{"image", image}}.dump()).status == 400);
  }
}

TEST_CASE("/reload closes what is open and answers the state") {
  Api api;
  const json state = api.post("/reload", "").json();
  CHECK(api.engine.unloads == 1);
  CHECK(state["index"]["name"] == "/somewhere/kb");
  CHECK(state["models"][0]["role"] == "embedder");
}

TEST_CASE("text-embeddings-inference: vectors, scores sorted, sigmoid unless raw") {
  Api api;
  CHECK(api.post("/embed", R"({"inputs":"abc"})").json() == json::parse("[[3.0,1.0]]"));
  CHECK(api.post("/embed", R"({"inputs":["a","bc"],"dimensions":1})").json() == json::parse("[[1.0],[1.0]]"));
  CHECK(api.post("/embed_sparse", R"({"inputs":["a"]})").json() == json::parse(R"([[{"index":3,"value":0.5}]])"));
  const json ranked =
      api.post("/rerank", R"({"query":"q","texts":["abc","abcde","a"],"raw_scores":true,"return_text":true})").json();
  CHECK(ranked == json::parse(R"([{"index":1,"score":2.0,"text":"abcde"},{"index":0,"score":0.0,"text":"abc"},
                                  {"index":2,"score":-2.0,"text":"a"}])"));
  CHECK(api.post("/rerank", R"({"query":"q","texts":["abc"]})").json()[0]["score"] == 0.5);
  const json similar =
      api.post("/similarity", R"({"inputs":{"source_sentence":"abc","sentences":["abc","a"]}})").json();
  CHECK(similar[0].get<double>() == doctest::Approx(1));
  CHECK(similar[1].get<double>() == doctest::Approx(4 / std::sqrt(20.0)));
  const std::string longer(600, 'a');
  CHECK(api.post("/embed", R"({"inputs":")" + longer + R"(","truncate":false})").status == 422);
  CHECK(api.post("/embed", R"({"inputs":")" + longer + R"("})").status == 200);
}

TEST_CASE("/rerank with documents is Cohere's and Jina's") {
  Api api;
  for (const char* path : {"/rerank", "/v1/rerank", "/v2/rerank"}) {
    const json reply = api.post(path, R"({"query":"q","documents":["a",{"text":"abcdef"},"abc"],"top_n":2,
                                         "return_documents":true})")
                           .json();
    REQUIRE(reply["results"].size() == 2);
    CHECK(reply["results"][0]["index"] == 1);
    CHECK(reply["results"][0]["document"]["text"] == "abcdef");
    CHECK(reply["results"][1]["relevance_score"] == 0.5);
  }
}

TEST_CASE("OpenAI embeddings are the same as floats and as base64, and token ids are refused with the setting") {
  Api api;
  const json floats = api.post("/v1/embeddings", R"({"input":["abc","a"],"model":"e5"})").json();
  const json coded = api.post("/v1/embeddings", R"({"input":["abc","a"],"encoding_format":"base64"})").json();
  CHECK(floats["model"] == "e5");
  CHECK(floats["usage"]["prompt_tokens"] == 4);
  for (size_t i = 0; i < 2; ++i)
    CHECK(floats_of(coded["data"][i]["embedding"]) == floats["data"][i]["embedding"].get<std::vector<float>>());
  for (const char* ids : {R"({"input":[1,2]})", R"({"input":[[1,2]]})"}) {
    const Recorded refused = api.post("/v1/embeddings", ids);
    CHECK(refused.status == 400);
    CHECK(contains(refused.body, "check_embedding_ctx_length=False"));
  }
  const Recorded unknown = api.post("/v1/embeddings", R"({"input":"a","model":"text-embedding-3-small"})");
  CHECK(unknown.status == 404);
  CHECK(contains(unknown.body, "'e5'"));
}

TEST_CASE("a chat is generated, whole or as chunks that end with the usage and [DONE]") {
  Api api;
  const std::string body = R"({"model":"writer","messages":[{"role":"user","content":[{"type":"text","text":"a b c"}]}],
                               "max_tokens":2,"temperature":0.5,"stop":"x")";
  const json whole = api.post("/v1/chat/completions", body + "}").json();
  CHECK(whole["choices"][0]["message"]["content"] == "a b");
  CHECK(whole["choices"][0]["finish_reason"] == "length");
  CHECK(whole["usage"]["completion_tokens"] == 2);
  CHECK(api.engine.last_generate.temperature == 0.5f);
  CHECK(api.engine.last_generate.stop == std::vector<std::string>{"x"});
  const Recorded stream =
      api.post("/v1/chat/completions", body + R"(,"stream":true,"stream_options":{"include_usage":true}})");
  std::string text;
  for (const json& event : events_of(stream.body))
    for (const json& choice : event["choices"])
      if (choice["delta"].contains("content")) text += choice["delta"]["content"].get<std::string>();
  CHECK(text == "a b");
  CHECK(events_of(stream.body).back()["usage"]["total_tokens"] == 3);
  CHECK(stream.body.ends_with("data: [DONE]\n\n"));
}

TEST_CASE("a chat in another format than text is refused, in the form of OpenAI's errors") {
  Api api;
  const auto with = [&](const std::string& format) {
    return api.post("/v1/chat/completions",
                    R"({"messages":[{"role":"user","content":"a"}],"response_format":)" + format + "}");
  };
  CHECK(with(R"({"type":"text"})").status == 200);
  CHECK(with("null").status == 200);
  for (const char* format : {R"({"type":"json_object"})", R"({"type":"json_schema","json_schema":{"name":"x"}})"}) {
    const Recorded refused = with(format);
    CHECK(refused.status == 400);
    CHECK(refused.json()["error"]["type"] == "invalid_request_error");
    CHECK(contains(refused.body, "not supported"));
    CHECK(contains(refused.body, "\\\"text\\\" is"));
  }
}

TEST_CASE("the model rag answers from the index, with sources in the text and in a field") {
  Api api;
  const std::string messages = R"("messages":[{"role":"system","content":"be kind"},{"role":"user","content":"who"},
                                  {"role":"assistant","content":"hm"},{"role":"user","content":"signs"}])";
  const json whole = api.post("/v1/chat/completions", R"({"model":"rag",)" + messages + "}").json();
  const json& message = whole["choices"][0]["message"];
  CHECK(contains(message["content"], "SIGNS"));
  CHECK(contains(message["content"], "[1] notes.txt:7"));
  CHECK(message["citations"][0]["line"] == 7);
  const Recorded stream = api.post("/v1/chat/completions", R"({"model":"rag","stream":true,)" + messages + "}");
  std::string text;
  json citations;
  for (const json& event : events_of(stream.body)) {
    const json& delta = event["choices"][0]["delta"];
    text += delta.value("content", "");
    if (delta.contains("citations")) citations = delta["citations"];
  }
  CHECK(contains(text, "[1] notes.txt:7"));
  CHECK(citations[0]["path"] == "notes.txt");
  const json none =
      api.post("/v1/chat/completions", R"({"model":"rag","messages":[{"role":"user","content":"nothing"}]})").json();
  CHECK(contains(none["choices"][0]["message"]["content"], "not in the sources"));
  CHECK(api.post("/v1/chat/completions", R"({"model":"gpt-9","messages":[{"role":"user","content":"a"}]})").status ==
        404);
}

TEST_CASE("Ollama: JSON lines, options, and keep_alive in all its forms") {
  Api api;
  const Recorded stream =
      api.post("/api/chat",
               R"({"model":"writer:latest","messages":[{"role":"user","content":"a b"}],"options":{"num_predict":1}})");
  const auto lines = lines_of(stream.body);
  REQUIRE(lines.size() == 2);
  CHECK(json::parse(lines[0])["message"]["content"] == "a");
  CHECK(json::parse(lines[1])["done_reason"] == "length");
  const json whole = api.post("/api/generate", R"({"model":"writer","prompt":"a b","stream":false})").json();
  CHECK(whole["response"] == "a b");
  CHECK(whole["done"] == true);
  const json loaded = api.post("/api/generate", R"({"model":"writer","stream":false})").json();
  CHECK(loaded["done_reason"] == "load");

  using std::chrono::milliseconds;
  const std::vector<std::pair<std::string, milliseconds>> forms{
      {"300", milliseconds(300'000)}, {"\"5m\"", milliseconds(300'000)}, {"\"1h30m\"", milliseconds(5'400'000)},
      {"-1", milliseconds(-1)},       {"\"-1\"", milliseconds(-1)},      {"\"-5m\"", milliseconds(-1)}};
  for (const auto& form : forms) {
    const std::string& text = form.first;
    CAPTURE(text);
    CHECK(api.post("/api/embed", R"({"model":"e5","input":"abc","keep_alive":)" + text + "}").status == 200);
    CHECK(api.engine.keep_alive == form.second);
  }
  CHECK(api.engine.unloads == 0);
  for (const char* zero : {"0", "\"0\"", "\"0s\""})
    api.post("/api/embed", std::string(R"({"model":"e5","input":"abc","keep_alive":)") + zero + "}");
  CHECK(api.engine.unloads == 3);
  api.engine.unload_fails = true;
  CHECK(api.post("/api/embed", R"({"model":"e5","input":"abc","keep_alive":0})").status == 200);
}

TEST_CASE("Ollama: the lists of models, and one of them") {
  Api api;
  CHECK(api.get("/api/tags").json()["models"][0]["name"] == "rag:latest");
  CHECK(api.get("/api/tags").json()["models"][1]["name"] == "e5:latest");
  CHECK(api.post("/api/show", R"({"model":"rag:latest"})").json()["capabilities"][0] == "completion");
  const json running = api.get("/api/ps").json()["models"];
  REQUIRE(running.size() == 1);
  CHECK(running[0]["model"] == "e5:latest");
  api.engine.last_use = std::chrono::system_clock::time_point(std::chrono::seconds(1'800'000'000));
  api.engine.keep_alive = std::chrono::minutes(5);
  CHECK(api.get("/api/ps").json()["models"][0]["expires_at"] == "2027-01-15T08:05:00Z");
  api.engine.keep_alive = std::chrono::milliseconds(-1);
  CHECK(api.get("/api/ps").json()["models"][0]["expires_at"] > "2120");
  CHECK(api.post("/api/show", R"({"model":"writer"})").json()["capabilities"][0] == "completion");
  CHECK(api.post("/api/show", R"({"model":"other"})").status == 404);
  CHECK(api.get("/api/version").json().contains("version"));
  CHECK(api.get("/v1/models").json()["data"][0]["id"] == "rag");
}

TEST_CASE("a stream that fails midway ends with the error, in the form that clients raise") {
  Api api;
  const std::string messages = R"("messages":[{"role":"user","content":"a broken"}])";
  const Recorded openai = api.post("/v1/chat/completions", R"({"stream":true,)" + messages + "}");
  CHECK(contains(events_of(openai.body).back()["error"]["message"], "does not fit"));
  CHECK(!contains(openai.body, "[DONE]"));
  CHECK(api.post("/v1/chat/completions", "{" + messages + "}").status == 503);
  const Recorded ollama = api.post("/api/chat", "{" + messages + "}");
  CHECK(contains(json::parse(lines_of(ollama.body).back())["error"], "does not fit"));
}

TEST_CASE("an unknown model is 404 in every protocol that names models, and changes no keep_alive") {
  Api api;
  const std::vector<std::pair<std::string, std::string>> unknown{
      {"/v1/embeddings", R"({"model":"x","input":"a"})"},
      {"/v1/chat/completions", R"({"model":"x","messages":[{"role":"user","content":"a"}]})"},
      {"/v1/rerank", R"({"model":"x","query":"a","documents":["a"]})"},
      {"/api/embed", R"({"model":"x","input":"a","keep_alive":0})"},
      {"/api/embeddings", R"({"model":"x","prompt":"a","keep_alive":0})"},
      {"/api/chat", R"({"model":"x","messages":[{"role":"user","content":"a"}],"keep_alive":0})"},
      {"/api/generate", R"({"model":"x","prompt":"a","keep_alive":0})"}};
  for (const auto& each : unknown) {
    CAPTURE(each.first);
    CHECK(api.post(each.first, each.second).status == 404);
  }
  CHECK(api.engine.unloads == 0);
}

TEST_CASE("MCP: versions are negotiated, tools called, errors of tools shown to the assistant") {
  Api api;
  const auto ask = [&](const std::string& message) {
    const api::McpAnswer reply = api::answer_mcp(api.context, message);
    return reply.json ? json::parse(*reply.json) : json();
  };
  CHECK(ask(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05"}})")
            ["result"]["protocolVersion"] == "2024-11-05");
  CHECK(ask(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"1999-01-01"}})")
            ["result"]["protocolVersion"] == "2025-06-18");
  CHECK(ask(R"({"jsonrpc":"2.0","method":"notifications/initialized"})").is_null());
  CHECK(ask(R"({"jsonrpc":"2.0","id":"x","method":"ping"})") ==
        json::parse(R"({"jsonrpc":"2.0","id":"x","result":{}})"));
  const json tools = ask(R"({"jsonrpc":"2.0","id":2,"method":"tools/list"})")["result"]["tools"];
  CHECK(tools.size() == 4);
  for (const json& tool : tools) CHECK(tool["inputSchema"]["type"] == "object");
  const json found =
      ask(R"({"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"ask","arguments":{"question":"who"}}})");
  CHECK(found["result"]["structuredContent"]["answer"]["text"] == "WHO [1]");
  const json lines = ask(R"({"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"get",
                            "arguments":{"path":"notes.txt","first_line":1,"last_line":2}}})");
  CHECK(lines["result"]["content"][0]["text"] == "first\nsecond\n");
  const json refused =
      ask(R"({"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"get","arguments":{"path":"other"}}})");
  CHECK(refused["result"]["isError"] == true);
  CHECK(ask(R"({"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"rm"}})")["error"]["code"] == -32602);
  CHECK(ask(R"({"jsonrpc":"2.0","id":7,"method":"resources/list"})")["error"]["code"] == -32601);
  CHECK(ask("{")["error"]["code"] == -32700);
  const json bug =
      ask(R"({"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"ask","arguments":{"question":"bug"}}})");
  CHECK(bug["id"] == 9);
  CHECK(bug["error"]["code"] == -32603);
  CHECK(!contains(bug.dump(), "secret"));
  CHECK(ask(R"({"jsonrpc":"2.0","id":8})")["error"]["code"] == -32600);
}

TEST_CASE("MCP: batches are answered in the one version that has them, and refused in the others") {
  Api api;
  const std::string ping = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";
  const std::string note = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";
  const std::string initialize = R"({"jsonrpc":"2.0","id":2,"method":"initialize"})";
  const auto post = [&](const std::string& body, const std::string& version) {
    return api.call("POST", "/mcp", body, {{"mcp-protocol-version", version}});
  };
  const Recorded batch = post("[" + ping + "," + note + "," + initialize + ",7]", "2025-03-26");
  CHECK(batch.status == 200);
  REQUIRE(batch.json().size() == 3);
  CHECK(batch.json()[0] == json::parse(R"({"jsonrpc":"2.0","id":1,"result":{}})"));
  CHECK(batch.json()[1]["error"]["code"] == -32600);
  CHECK(batch.json()[2]["error"]["code"] == -32600);
  CHECK(api.post("/mcp", "[" + ping + "]").json().size() == 1);  // no version: 2025-03-26
  CHECK(post("[" + note + "]", "2025-03-26").status == 202);
  CHECK(post("[]", "2025-03-26").status == 400);
  for (const char* version : {"2025-06-18", "2024-11-05"}) {
    const Recorded refused = post("[" + ping + "]", version);
    CHECK(refused.status == 400);
    CHECK(contains(refused.body, "has no batches"));
    CHECK(post(ping, version).status == 200);
  }
  CHECK(post(ping, "1999-01-01").status == 400);
  const Recorded unreadable = api.post("/mcp", "{");
  CHECK(unreadable.status == 400);
  CHECK(unreadable.json()["error"]["code"] == -32700);

  const auto lines = [&](const std::string& version) {
    std::istringstream in(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":")" + version +
                          "\"}}\n[" + ping + "]\n");
    std::vector<json> out;
    api::serve_mcp(api.context, in, [&](const std::string& line) { out.push_back(json::parse(line)); });
    return out;
  };
  CHECK(lines("2025-03-26").at(1)[0]["id"] == 1);
  CHECK(contains(lines("2025-06-18").at(1).dump(), "has no batches"));
}

TEST_CASE("MCP over lines answers each message on a line of its own") {
  Api api;
  std::istringstream in("\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\nnonsense\n");
  std::vector<std::string> out;
  api::serve_mcp(api.context, in, [&](const std::string& line) { out.push_back(line); });
  REQUIRE(out.size() == 2);
  CHECK(out[0] == "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
  CHECK(contains(out[1], "-32700"));
}

TEST_CASE("/health is 503 while the server preloads, and metrics are Prometheus text") {
  Api api;
  CHECK(api.get("/health").status == 200);
  api.context.is_ready = false;
  CHECK(api.get("/health").status == 503);
  const Recorded metrics = api.get("/metrics");
  CHECK(metrics.content_type.starts_with("text/plain; version=0.0.4"));
  CHECK(contains(metrics.body, "frugal_server_model_loaded{model=\"embedder\"} 1"));
}

TEST_CASE("any worker tells of all: figures of each, sums of counts, and metrics with a label") {
  const auto board = std::make_unique<api::WorkerBoard>(3);
  Api first, second;
  first.context.board = second.context.board = board.get();
  second.context.worker = 1;
  first.engine.asked = 5;
  second.engine.asked = 7;
  second.context.figures = [] { return api::ServerFigures{2, 0, 1, 40, 0, 3}; };
  CHECK(first.get("/status").json()["workers"].size() == 1);  // the second has posted nothing, the third never does
  api::post_state(second.context);
  const json status = first.get("/status").json();
  CHECK(status["work"]["questions"] == 12);
  CHECK(status["queue"]["requests"] == 40);
  REQUIRE(status["workers"].size() == 2);
  CHECK(status["workers"][1]["worker"] == 1);
  CHECK(status["workers"][1]["work"]["questions"] == 7);
  const Recorded metrics = first.get("/metrics");
  CHECK(contains(metrics.body, "frugal_server_questions_total{worker=\"0\"} 5"));
  CHECK(contains(metrics.body, "frugal_server_questions_total{worker=\"1\"} 7"));
  CHECK(contains(metrics.body, "frugal_server_model_loaded{model=\"embedder\",worker=\"1\"} 1"));
  std::vector<std::string> types, families;
  for (const std::string& line : lines_of(metrics.body)) {
    if (line.starts_with("# TYPE ")) types.push_back(line);
    if (line.starts_with("#")) continue;
    const std::string family = line.substr(0, line.find('{'));
    if (families.empty() || families.back() != family) families.push_back(family);
  }
  for (auto* list : {&types, &families}) {  // a family stands together, and has its type once
    std::sort(list->begin(), list->end());
    CHECK(std::adjacent_find(list->begin(), list->end()) == list->end());
  }
  CHECK(!Api().get("/status").json().contains("workers"));
}

TEST_CASE("what one worker is asked to unload or to keep loaded holds for all of them, once") {
  const auto board = std::make_unique<api::WorkerBoard>(2);
  Api first, second;
  first.context.board = second.context.board = board.get();
  second.context.worker = 1;
  const auto obey = [&] {
    api::obey_orders(first.context);
    api::obey_orders(second.context);
    return std::pair(int(first.engine.unloads), int(second.engine.unloads));
  };
  CHECK(obey() == std::pair(0, 0));
  for (const char* path : {"/memory/unload", "/reload"}) first.post(path, "{}");
  CHECK(obey() == std::pair(2, 1));
  CHECK(obey() == std::pair(2, 1));
  second.post("/api/embed", R"({"model":"e5","input":"abc","keep_alive":"5m"})");
  CHECK(obey() == std::pair(2, 1));
  CHECK(first.engine.keep_alive == std::chrono::minutes(5));
  CHECK(second.engine.keep_alive == std::chrono::minutes(5));
  second.post("/api/embed", R"({"model":"e5","input":"abc","keep_alive":0})");
  CHECK(obey() == std::pair(3, 2));
}

TEST_CASE("the board of workers outlives one that dies with a slot in its hands, and takes no text that is too long") {
  api::WorkerBoard board(2);
  CHECK(board.read(0) == std::nullopt);
  CHECK(board.post(0, "first"));
  CHECK(!board.post(0, std::string(api::WorkerBoard::kMaxText + 1, 'a')));
  CHECK(board.read(0) == "first");
  if (const pid_t child = ::fork(); child == 0) {
    board.post(1, "of a child");
    while (true) board.post(0, std::string(api::WorkerBoard::kMaxText, 'x'));
  } else {
    while (board.read(1) == std::nullopt) std::this_thread::yield();
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  CHECK(board.read(1) == "of a child");
  CHECK(board.post(0, "second"));
  CHECK(board.read(0) == "second");
}

TEST_CASE("the OpenAPI document has every route, and the page asks no other host") {
  Api api;
  const json document = api.get("/openapi.json").json();
  size_t count = 0;
  for (const auto& [path, operations] : document["paths"].items()) count += operations.size();
  CHECK(count == api::routes().size());
  for (const api::Route& route : api::routes()) {
    CAPTURE(route.path);
    CHECK(document["paths"][std::string(route.path)].contains(route.method == "GET" ? "get" : "post"));
  }
  const Recorded page = api.get("/");
  CHECK(contains(page.header("Content-Security-Policy"), "default-src 'none'"));
  CHECK(!contains(page.body, "http://"));
  CHECK(!contains(page.body, "https://"));
}

TEST_CASE("floats are written with the digits that give them back, and others as null") {
  std::string text;
  const std::vector<float> values{0.1f, -3, 1e-30f, NAN, INFINITY};
  api::append_floats(text, values);
  CHECK(text == "[0.1,-3,1e-30,null,null]");
  text.clear();
  api::append_floats(text, {});
  CHECK(text == "[]");
}

}  // namespace frugal
