// The server's OpenAPI 3.1 document, at /openapi.json: the routes with the fields that they read. The fields are a
// table here; that every route is in it, and no other, is a test.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "app/api/handlers.h"
#include "app/api/json_body.h"
#include "base/version.h"

namespace frugal::api {
namespace {

using Json = nlohmann::ordered_json;

struct Field {
  const char* name;
  Json schema;
  bool is_required = false;
};

struct Described {
  std::string_view path;
  const char* summary;
  std::vector<Field> fields = {};
};

Json type(const char* name) {
  return {{"type", name}};
}

Json either(Json first, Json second) {
  return {{"anyOf", {std::move(first), std::move(second)}}};
}

Json list(Json items) {
  return {{"type", "array"}, {"items", std::move(items)}};
}

Json whole(int64_t min) {
  return {{"type", "integer"}, {"minimum", min}, {"maximum", 1 << 20}};
}

Json texts() {
  return either(type("string"), list(type("string")));
}

Json messages() {
  const Json part{{"type", "object"},
                  {"properties", {{"type", {{"const", "text"}}}, {"text", type("string")}}},
                  {"required", {"type", "text"}}};
  const Json message{
      {"type", "object"},
      {"properties",
       {{"role", {{"enum", {"system", "user", "assistant"}}}}, {"content", either(type("string"), list(part))}}},
      {"required", {"role", "content"}}};
  Json all = list(message);
  all["minItems"] = 1;
  return all;
}

std::vector<Field> sampling() {
  return {{"temperature", {{"type", "number"}, {"minimum", 0}, {"maximum", 100}}},
          {"top_p", {{"type", "number"}, {"minimum", 0}, {"maximum", 1}}},
          {"seed", whole(0)},
          {"stop", texts()}};
}

std::vector<Field> with(std::vector<Field> fields, const std::vector<Field>& more) {
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

std::vector<Field> rerank_fields() {
  const Json document =
      either(type("string"), {{"type", "object"}, {"properties", {{"text", type("string")}}}, {"required", {"text"}}});
  return {{"query", type("string"), true},
          {"documents", list(document), true},
          {"model", type("string")},
          {"top_n", whole(1)},
          {"return_documents", type("boolean")}};
}

std::vector<Described> own_routes() {
  return {
      {"/", "A page about the server"},
      {"/openapi.json", "This document"},
      {"/query",
       "Answers a question from the index",
       {{"query", {{"type", "string"}, {"minLength", 1}}, true},
        {"path", texts()},
        {"where", either(texts(), type("object"))},
        {"format", {{"enum", {"json", "jsonl", "text", "md", "csv", "files"}}}},
        {"explain", type("boolean")},
        {"stream", type("boolean")},
        {"settings", type("object")}}},
      {"/summarize",
       "Summarises a text, with a citation for every sentence",
       {{"text", {{"type", "string"}, {"minLength", 1}}, true},
        {"style", {{"enum", {"paragraph", "bullets", "one-line"}}}},
        {"max_length", {{"type", "integer"}, {"minimum", 1}, {"maximum", 1'000'000}}},
        {"stream", type("boolean")}}},
      {"/caption",
       "Says what is in an image, or answers a prompt about it",
       {{"image", {{"type", "string"}, {"contentEncoding", "base64"}}, true}, {"prompt", type("string")}}},
      {"/reload", "Closes the index and unloads the models, and answers as /status"},
      {"/status", "State of the server, its models and its queue"},
      {"/memory", "Memory of the process"},
      {"/memory/unload", "Closes the index and unloads the models"},
      {"/health", "200, or 503 while the server loads"},
      {"/ping", "As /health"},
      {"/metrics", "Prometheus text"},
      {"/mcp",
       "JSON-RPC of the Model Context Protocol",
       {{"jsonrpc", {{"const", "2.0"}}, true}, {"method", type("string"), true}, {"id", {{"type", "integer"}}}}},
  };
}

std::vector<Described> tei_routes() {
  const std::vector<Field> embed{{"inputs", texts(), true},
                                 {"truncate", type("boolean")},
                                 {"prompt_name", {{"enum", {"query", "passage", "document"}}}}};
  return {
      {"/info", "The embedder (text-embeddings-inference)"},
      {"/embed", "Vectors (text-embeddings-inference)", with(embed, {{"dimensions", whole(1)}})},
      {"/embed_sparse", "Weights of tokens (text-embeddings-inference)", embed},
      {"/rerank",
       "Scores of texts (text-embeddings-inference; with documents, Cohere and Jina)",
       {{"query", type("string"), true},
        {"texts", list(type("string")), true},
        {"raw_scores", type("boolean")},
        {"return_text", type("boolean")}}},
      {"/similarity",
       "Cosines of sentences with another (text-embeddings-inference)",
       {{"inputs",
         {{"type", "object"},
          {"properties", {{"source_sentence", type("string")}, {"sentences", list(type("string"))}}},
          {"required", {"source_sentence", "sentences"}}},
         true}}},
      {"/tokenize", "Tokens of texts (text-embeddings-inference)", {{"inputs", texts(), true}}},
  };
}

std::vector<Described> openai_routes() {
  return {
      {"/v1/rerank", "Scores of documents (Cohere, Jina)", rerank_fields()},
      {"/v2/rerank", "Scores of documents (Cohere)", rerank_fields()},
      {"/v1/models", "The models (OpenAI)"},
      {"/v1/embeddings",
       "Vectors (OpenAI)",
       {{"input", texts(), true},
        {"model", type("string")},
        {"encoding_format", {{"enum", {"float", "base64"}}}},
        {"dimensions", whole(1)}}},
      {"/v1/chat/completions", "A generated message, or with the model rag an answer from the index (OpenAI)",
       with({{"messages", messages(), true},
             {"model", type("string")},
             {"stream", type("boolean")},
             {"stream_options", type("object")},
             {"max_tokens", whole(1)}},
            sampling())},
  };
}

std::vector<Described> ollama_routes() {
  const Json duration{{"type", "string"}, {"pattern", "^-?([0-9]+|([0-9]+(ms|s|m|h|d))+)$"}};
  const Json keep_alive = either(duration, type("number"));
  const std::vector<Field> ollama{
      {"model", type("string")}, {"stream", type("boolean")}, {"options", type("object")}, {"keep_alive", keep_alive}};
  return {
      {"/api/version", "The version (Ollama)"},
      {"/api/tags", "The models (Ollama)"},
      {"/api/ps", "The loaded models (Ollama)"},
      {"/api/show", "A model (Ollama)", {{"model", type("string"), true}}},
      {"/api/embed",
       "Vectors (Ollama)",
       {{"model", type("string")},
        {"input", texts(), true},
        {"truncate", type("boolean")},
        {"dimensions", whole(1)},
        {"keep_alive", keep_alive}}},
      {"/api/embeddings",
       "A vector (Ollama)",
       {{"model", type("string")}, {"prompt", type("string"), true}, {"keep_alive", keep_alive}}},
      {"/api/chat", "A generated message (Ollama)", with(ollama, {{"messages", messages()}})},
      {"/api/generate", "Generated text (Ollama)",
       with(ollama, {{"prompt", type("string")}, {"system", type("string")}})},
  };
}

std::vector<Described> described() {
  std::vector<Described> all = own_routes();
  for (const auto& more : {tei_routes(), openai_routes(), ollama_routes()})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

Json body_schema(const std::vector<Field>& fields) {
  Json schema{{"type", "object"}, {"properties", Json::object()}, {"required", Json::array()}};
  for (const Field& field : fields) {
    schema["properties"][field.name] = field.schema;
    if (field.is_required) schema["required"].push_back(field.name);
  }
  return schema;
}

Json responses() {
  Json all{{"200", {{"description", "The result"}}}};
  for (const auto& [status, meaning] : {std::pair<const char*, const char*>{"400", "A request that cannot be used"},
                                        {"401", "The key is missing or wrong"},
                                        {"403", "A Host or an Origin that is not allowed"},
                                        {"404", "An unknown model"},
                                        {"409", "Other settings than the client's"},
                                        {"413", "A body that is too large"},
                                        {"422", "A request that cannot be used (text-embeddings-inference)"},
                                        {"424", "A model or an index is missing"},
                                        {"429", "The queue is full"},
                                        {"503", "No memory, or the server loads or stops"}})
    all[status] = {{"description", meaning}};
  return all;
}

Json operation(const Route& route, const Described& about) {
  Json json{{"summary", about.summary}, {"responses", responses()}};
  if (route.method == "POST" && !about.fields.empty())
    json["requestBody"] = {{"required", true},
                           {"content", {{"application/json", {{"schema", body_schema(about.fields)}}}}}};
  if (route.path == "/mcp") json["responses"]["202"] = {{"description", "A notification was taken"}};
  return json;
}

}  // namespace

void get_openapi(Context&, const HttpRequest&, Exchange& exchange) {
  Json json{{"openapi", "3.1.0"},
            {"info", {{"title", "frugal"}, {"version", version()}, {"license", {{"name", "see LICENSE"}}}}}};
  const std::vector<Described> all = described();
  for (const Route& route : routes()) {
    const auto about =
        std::find_if(all.begin(), all.end(), [&](const Described& each) { return each.path == route.path; });
    if (about == all.end()) continue;
    std::string method(route.method);
    for (char& c : method) c = ascii_lower(c);
    json["paths"][std::string(route.path)][method] = operation(route, *about);
  }
  exchange.send(json_reply(dump(json)));
}

}  // namespace frugal::api
