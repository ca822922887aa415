// The handlers of the routes, by protocol. Each has the contract of Handler (routes.h); the file that defines them says
// which fields it reads.
#pragma once

#include "app/api/http.h"
#include "app/api/routes.h"

namespace frugal::api {

// frugal_routes.cpp
void post_query(Context& context, const HttpRequest& request, Exchange& exchange);
void post_reload(Context& context, const HttpRequest& request, Exchange& exchange);
void post_unload(Context& context, const HttpRequest& request, Exchange& exchange);

// writing_routes.cpp
void post_summarize(Context& context, const HttpRequest& request, Exchange& exchange);
void post_caption(Context& context, const HttpRequest& request, Exchange& exchange);

// probe_routes.cpp
void get_status(Context& context, const HttpRequest& request, Exchange& exchange);
void get_memory(Context& context, const HttpRequest& request, Exchange& exchange);
void get_health(Context& context, const HttpRequest& request, Exchange& exchange);
void get_metrics(Context& context, const HttpRequest& request, Exchange& exchange);

// tei_routes.cpp
void get_info(Context& context, const HttpRequest& request, Exchange& exchange);
void post_embed(Context& context, const HttpRequest& request, Exchange& exchange);
void post_embed_sparse(Context& context, const HttpRequest& request, Exchange& exchange);
void post_similarity(Context& context, const HttpRequest& request, Exchange& exchange);
void post_tokenize(Context& context, const HttpRequest& request, Exchange& exchange);

// rerank_routes.cpp
void post_rerank(Context& context, const HttpRequest& request, Exchange& exchange);
void post_rerank_documents(Context& context, const HttpRequest& request, Exchange& exchange);

// openai_routes.cpp
void get_models(Context& context, const HttpRequest& request, Exchange& exchange);
void post_openai_embeddings(Context& context, const HttpRequest& request, Exchange& exchange);
void post_chat_completions(Context& context, const HttpRequest& request, Exchange& exchange);

// ollama_routes.cpp
void get_ollama_version(Context& context, const HttpRequest& request, Exchange& exchange);
void get_tags(Context& context, const HttpRequest& request, Exchange& exchange);
void get_ps(Context& context, const HttpRequest& request, Exchange& exchange);
void post_show(Context& context, const HttpRequest& request, Exchange& exchange);
void post_ollama_embed(Context& context, const HttpRequest& request, Exchange& exchange);
void post_ollama_embeddings(Context& context, const HttpRequest& request, Exchange& exchange);
void post_ollama_chat(Context& context, const HttpRequest& request, Exchange& exchange);
void post_ollama_generate(Context& context, const HttpRequest& request, Exchange& exchange);

// dashboard.cpp
void get_dashboard(Context& context, const HttpRequest& request, Exchange& exchange);

// openapi.cpp
void get_openapi(Context& context, const HttpRequest& request, Exchange& exchange);

// mcp.cpp
void post_mcp(Context& context, const HttpRequest& request, Exchange& exchange);

}  // namespace frugal::api
