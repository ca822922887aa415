// An embedder behind a service: POST /v1/embeddings (openai:) or /embed (tei:, Text Embeddings Inference).
#pragma once

#include <memory>
#include <string>

#include "model/nn/embedder.h"
#include "model/remote/model_list.h"
#include "net/http_service.h"

namespace frugal {

/// What to put before a text, where the model was trained with prompts. Services add none.
struct EmbedderPrompts {
  std::string query, passage;
};

/// Throws Error(usage) for shape cohere, and for openai without a model's name.
///
/// dimension() and fingerprint() ask the service once: for the vector of a short text, and openai: for the name that it
/// gives the model, tei: for the model's revision (/info, if it has that). Vectors are scaled to unit length. A vector
/// of another dimension or another model than then is an Error(remote): the service was changed meanwhile.
std::unique_ptr<Embedder> make_remote_embedder(std::shared_ptr<HttpService> service, const ModelEntry& remote,
                                               EmbedderPrompts prompts);

}  // namespace frugal
