// The handlers of the routes, by protocol. Each has the contract of Handler (routes.h); the file that defines them says
// which fields it reads.
#pragma once

#include "app/api/http.h"
#include "app/api/routes.h"

namespace frugal::api {

// frugal_routes.cpp
void post_query(Context& context, const HttpRequest& request, Exchange& exchange);
void post_unload(Context& context, const HttpRequest& request, Exchange& exchange);

// probe_routes.cpp
void get_status(Context& context, const HttpRequest& request, Exchange& exchange);
void get_memory(Context& context, const HttpRequest& request, Exchange& exchange);
void get_health(Context& context, const HttpRequest& request, Exchange& exchange);
void get_metrics(Context& context, const HttpRequest& request, Exchange& exchange);

// tei_routes.cpp
void get_info(Context& context, const HttpRequest& request, Exchange& exchange);
void post_embed(Context& context, const HttpRequest& request, Exchange& exchange);
void post_embed_sparse(Context& context, const HttpRequest& request, Exchange& exchange);
void post_rerank(Context& context, const HttpRequest& request, Exchange& exchange);
void post_similarity(Context& context, const HttpRequest& request, Exchange& exchange);
void post_tokenize(Context& context, const HttpRequest& request, Exchange& exchange);

}  // namespace frugal::api
