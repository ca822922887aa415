// Reranking in its two forms. text-embeddings-inference: {"query", "texts", "raw_scores", "return_text"} answers a
// list. Cohere and Jina: {"query", "documents", "top_n", "return_documents"} answers {"results": […]}. Both are sent to
// /rerank, and told apart by the name of their list.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "app/api/handlers.h"
#include "app/api/json_body.h"
#include "app/api/protocol.h"

namespace frugal::api {
namespace {

float sigmoid(float logit) {
  return 1 / (1 + std::exp(-logit));
}

std::vector<size_t> best_first(const Reranked& ranked) {
  std::vector<size_t> order(ranked.logits.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return ranked.logits[a] > ranked.logits[b]; });
  return order;
}

// Strings, or objects with a text.
std::vector<std::string> documents_field(const nlohmann::json& body) {
  const nlohmann::json* list = find_field(body, "documents");
  if (!list || !list->is_array()) throw Error(Code::bad_input, "'documents' is not a list");
  if (list->size() > kMaxTexts)
    throw Error(Code::bad_input,
                fmt::format("'documents' has {} entries, and at most {} are taken", list->size(), kMaxTexts));
  std::vector<std::string> texts;
  texts.reserve(list->size());
  for (const nlohmann::json& each : *list) {
    if (!each.is_string() && !each.is_object())
      throw Error(Code::bad_input, "'documents': an entry is neither a string nor an object with \"text\"");
    texts.push_back(each.is_string() ? each.get<std::string>() : required_string(each, "text"));
  }
  return texts;
}

void rerank_texts(Context& context, const nlohmann::json& body, Exchange& exchange) {
  RerankRequest wanted;
  wanted.query = required_string(body, "query");
  wanted.texts = required_strings(body, "texts", kMaxTexts);
  const bool raw = bool_field(body, "raw_scores").value_or(false);
  const bool return_text = bool_field(body, "return_text").value_or(false);
  const Reranked ranked = context.engine.rerank(wanted);
  auto json = nlohmann::ordered_json::array();
  for (const size_t i : best_first(ranked)) {
    nlohmann::ordered_json one{{"index", i}, {"score", raw ? ranked.logits[i] : sigmoid(ranked.logits[i])}};
    if (return_text) one["text"] = wanted.texts[i];
    json.push_back(std::move(one));
  }
  exchange.send(json_reply(dump(json)));
}

}  // namespace

void post_rerank_documents(Context& context, const HttpRequest& request, Exchange& exchange) {
  const nlohmann::json body = parse_object_body(request.body);
  const EngineStatus status = context.engine.status();
  const std::string asked = string_field(body, "model").value_or("");
  if (auto refusal = unknown_model_reply(error_style_of(request.path), status, "reader", asked))
    return exchange.send(std::move(*refusal));
  const std::string model = resolve_model(status, "reader", asked);
  RerankRequest wanted;
  wanted.query = required_string(body, "query");
  wanted.texts = documents_field(body);
  const auto top = static_cast<size_t>(integer_field(body, "top_n", 1, 1 << 20).value_or(1 << 20));
  const bool return_documents = bool_field(body, "return_documents").value_or(false);
  const Reranked ranked = context.engine.rerank(wanted);
  auto results = nlohmann::ordered_json::array();
  for (const size_t i : best_first(ranked)) {
    if (results.size() == top) break;
    nlohmann::ordered_json one{{"index", i}, {"relevance_score", sigmoid(ranked.logits[i])}};
    if (return_documents) one["document"] = {{"text", wanted.texts[i]}};
    results.push_back(std::move(one));
  }
  const int64_t tokens = std::accumulate(ranked.tokens.begin(), ranked.tokens.end(), int64_t(0));
  nlohmann::ordered_json json{{"id", fmt::format("rerank-{:x}", now_s())}, {"model", model}};
  json["results"] = std::move(results);
  json["usage"] = {{"total_tokens", tokens}};
  json["meta"] = {{"api_version", {{"version", "2"}}}, {"billed_units", {{"search_units", 1}}}};
  exchange.send(json_reply(dump(json)));
}

void post_rerank(Context& context, const HttpRequest& request, Exchange& exchange) {
  const nlohmann::json body = parse_object_body(request.body);
  if (find_field(body, "documents")) return post_rerank_documents(context, request, exchange);
  rerank_texts(context, body, exchange);
}

}  // namespace frugal::api
