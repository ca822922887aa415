#include "app/api/routes.h"

#include <new>

#include "app/api/handlers.h"
#include "base/log.h"

namespace frugal::api {
namespace {

constexpr uint64_t kMiB = uint64_t(1) << 20;
constexpr uint64_t kManyTexts = 32 * kMiB;  // LangChain sends a thousand texts at once
constexpr uint64_t kLongText = 8 * kMiB;
constexpr uint64_t kImage = 32 * kMiB;  // in base 64

constexpr Route kRoutes[] = {
    // The server's own.
    {"POST", "/query", post_query},
    {"POST", "/summarize", post_summarize, ErrorStyle::frugal, false, kLongText},
    {"POST", "/caption", post_caption, ErrorStyle::frugal, false, kImage},
    {"GET", "/", get_dashboard, ErrorStyle::frugal, true},
    {"GET", "/openapi.json", get_openapi, ErrorStyle::frugal, true},
    {"GET", "/status", get_status, ErrorStyle::frugal, true},
    {"GET", "/memory", get_memory, ErrorStyle::frugal, true},
    {"POST", "/memory/unload", post_unload},
    {"POST", "/reload", post_reload},
    {"GET", "/health", get_health, ErrorStyle::tei, true},
    {"GET", "/ping", get_health, ErrorStyle::tei, true},
    {"GET", "/metrics", get_metrics, ErrorStyle::frugal, true},
    // text-embeddings-inference.
    {"GET", "/info", get_info, ErrorStyle::tei, true},
    {"POST", "/embed", post_embed, ErrorStyle::tei, false, kManyTexts},
    {"POST", "/embed_sparse", post_embed_sparse, ErrorStyle::tei, false, kManyTexts},
    {"POST", "/rerank", post_rerank, ErrorStyle::tei, false, kManyTexts},
    {"POST", "/similarity", post_similarity, ErrorStyle::tei, false, kManyTexts},
    {"POST", "/tokenize", post_tokenize, ErrorStyle::tei, false, kManyTexts},
    // Cohere and Jina.
    {"POST", "/v1/rerank", post_rerank_documents, ErrorStyle::openai, false, kManyTexts},
    {"POST", "/v2/rerank", post_rerank_documents, ErrorStyle::openai, false, kManyTexts},
    // OpenAI.
    {"GET", "/v1/models", get_models, ErrorStyle::openai, true},
    {"POST", "/v1/embeddings", post_openai_embeddings, ErrorStyle::openai, false, kManyTexts},
    {"POST", "/v1/chat/completions", post_chat_completions, ErrorStyle::openai},
    // Ollama.
    {"GET", "/api/version", get_ollama_version, ErrorStyle::ollama, true},
    {"GET", "/api/tags", get_tags, ErrorStyle::ollama, true},
    {"GET", "/api/ps", get_ps, ErrorStyle::ollama, true},
    {"POST", "/api/show", post_show, ErrorStyle::ollama, true},
    {"POST", "/api/embed", post_ollama_embed, ErrorStyle::ollama, false, kManyTexts},
    {"POST", "/api/embeddings", post_ollama_embeddings, ErrorStyle::ollama},
    {"POST", "/api/chat", post_ollama_chat, ErrorStyle::ollama},
    {"POST", "/api/generate", post_ollama_generate, ErrorStyle::ollama},
    // Assistants (Model Context Protocol).
    {"POST", "/mcp", post_mcp},
};

}  // namespace

std::span<const Route> routes() {
  return kRoutes;
}

const Route* find_route(std::string_view method, std::string_view path) {
  for (const Route& route : kRoutes)
    if (route.path == path && (route.method == method || (route.method == "GET" && method == "HEAD"))) return &route;
  return nullptr;
}

std::string allowed_methods(std::string_view path) {
  std::string methods;
  for (const Route& route : kRoutes) {
    if (route.path != path) continue;
    if (!methods.empty()) methods += ", ";
    methods += route.method;
    if (route.method == "GET") methods += ", HEAD";
  }
  return methods;
}

ErrorStyle error_style_of(std::string_view path) {
  for (const Route& route : kRoutes)
    if (route.path == path) return route.errors;
  if (path.starts_with("/v1/")) return ErrorStyle::openai;
  return path.starts_with("/api/") ? ErrorStyle::ollama : ErrorStyle::frugal;
}

void handle(const Route& route, Context& context, const HttpRequest& request, Exchange& exchange) try {
  route.handle(context, request, exchange);
} catch (const Error& error) {
  if (error.code() == Code::internal) log(LogLevel::error, "{} {}: {}", route.method, route.path, error.message());
  exchange.send(error_reply(route.errors, error));
} catch (const std::bad_alloc&) {
  exchange.send(error_reply(route.errors, 503, "out of memory"));
} catch (const std::exception& error) {
  log(LogLevel::error, "{} {}: {}", route.method, route.path, error.what());
  exchange.send(error_reply(route.errors, 500, "a bug in frugal", "the server's log has the details"));
}

}  // namespace frugal::api
