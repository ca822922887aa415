// text-embeddings-inference's routes (its OpenAPI document, v1.9): /embed {"inputs", "truncate", "normalize",
// "prompt_name", "dimensions"}, /embed_sparse, /similarity, /tokenize, /info; /rerank is in rerank_routes.cpp. Texts
// longer than the model are cut unless "truncate" is false; TEI's default is to refuse them, but its clients set no
// field and expect an answer.
#include <fmt/format.h>

#include <cmath>
#include <numeric>
#include <span>

#include "app/api/handlers.h"
#include "app/api/json_body.h"
#include "app/api/protocol.h"
#include "base/version.h"

namespace frugal::api {
namespace {

float dot(std::span<const float> a, std::span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0f);
}

void normalise(std::vector<float>& vector) {
  const float length = std::sqrt(dot(vector, vector));
  if (length > 0)
    for (float& value : vector) value /= length;
}

TextRole role_of(const nlohmann::json& body) {
  const std::string name = string_field(body, "prompt_name").value_or("");
  if (name.empty() || name == "passage" || name == "document") return TextRole::passage;
  if (name == "query") return TextRole::query;
  throw Error(Code::bad_input, fmt::format("'prompt_name': '{}' is neither query nor passage", name));
}

void require_length(const Embedded& embedded, const nlohmann::json& body) {
  if (bool_field(body, "truncate").value_or(true)) return;
  for (const int64_t tokens : embedded.tokens)
    if (tokens > embedded.max_tokens)
      throw Error(Code::bad_input,
                  fmt::format("a text has {} tokens, and the model takes {}", tokens, embedded.max_tokens))
          .hint("leave \"truncate\" out, and it is cut");
}

EmbedRequest embed_request(const nlohmann::json& body, const char* field) {
  EmbedRequest request;
  request.texts = required_strings(body, field, kMaxTexts);
  request.role = role_of(body);
  if (request.texts.empty()) throw Error(Code::bad_input, fmt::format("'{}' is empty", field));
  return request;
}

}  // namespace

void get_info(Context& context, const HttpRequest&, Exchange& exchange) {
  nlohmann::ordered_json json{{"model_id", context.name}, {"model_sha", nullptr}, {"model_dtype", "int8"}};
  for (const EngineModel& model : context.engine.status().models)
    if (model.role == "embedder") json["model_id"] = model.name;
  json["model_type"] = {{"embedding", {{"pooling", "mean"}}}};
  json["max_concurrent_requests"] = 512;
  json["max_client_batch_size"] = kMaxTexts;
  json["version"] = version();
  json["sha"] = commit();
  exchange.send(json_reply(dump(json)));
}

void post_embed(Context& context, const HttpRequest& request, Exchange& exchange) {
  const nlohmann::json body = parse_object_body(request.body);
  const std::optional<int64_t> dimensions = integer_field(body, "dimensions", 1, 1 << 20);
  Embedded embedded = context.engine.embed(embed_request(body, "inputs"));
  require_length(embedded, body);
  shorten(embedded.vectors, dimensions);
  std::string json = "[";
  for (const std::vector<float>& vector : embedded.vectors) {
    if (json.size() > 1) json += ',';
    append_floats(json, vector);
  }
  exchange.send(json_reply(json + "]"));
}

void post_embed_sparse(Context& context, const HttpRequest& request, Exchange& exchange) {
  const nlohmann::json body = parse_object_body(request.body);
  EmbedRequest wanted = embed_request(body, "inputs");
  wanted.with_weights = true;
  const Embedded embedded = context.engine.embed(wanted);
  require_length(embedded, body);
  auto json = nlohmann::ordered_json::array();
  for (const std::vector<TokenWeight>& weights : embedded.weights) {
    auto one = nlohmann::ordered_json::array();
    for (const TokenWeight& weight : weights) one.push_back({{"index", weight.token}, {"value", weight.weight}});
    json.push_back(std::move(one));
  }
  exchange.send(json_reply(dump(json)));
}

void post_similarity(Context& context, const HttpRequest& request, Exchange& exchange) {
  const nlohmann::json body = parse_object_body(request.body);
  const nlohmann::json* inputs = find_field(body, "inputs");
  if (!inputs || !inputs->is_object()) throw Error(Code::bad_input, "'inputs' is not an object");
  EmbedRequest wanted;
  wanted.texts = required_strings(*inputs, "sentences", kMaxTexts);
  wanted.texts.insert(wanted.texts.begin(), required_string(*inputs, "source_sentence"));
  Embedded embedded = context.engine.embed(wanted);
  auto json = nlohmann::ordered_json::array();
  for (std::vector<float>& vector : embedded.vectors) normalise(vector);
  for (size_t i = 1; i < embedded.vectors.size(); ++i) json.push_back(dot(embedded.vectors[0], embedded.vectors[i]));
  exchange.send(json_reply(dump(json)));
}

void post_tokenize(Context& context, const HttpRequest& request, Exchange& exchange) {
  const nlohmann::json body = parse_object_body(request.body);
  auto json = nlohmann::ordered_json::array();
  for (const std::string& text : required_strings(body, "inputs", kMaxTexts)) {
    auto one = nlohmann::ordered_json::array();
    for (const Tokenizer::Piece& piece : context.engine.tokenize(text))
      one.push_back({{"id", piece.id},
                     {"text", text.substr(piece.begin, piece.end - piece.begin)},
                     {"special", false},
                     {"start", piece.begin},
                     {"stop", piece.end}});
    json.push_back(std::move(one));
  }
  exchange.send(json_reply(dump(json)));
}

}  // namespace frugal::api
