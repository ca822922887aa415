// A reader behind a service, which only ranks: POST /rerank (tei:) or /v1/rerank (openai: as llama-server has it, with
// logits; cohere: as Cohere, Jina and vLLM have it, with probabilities).
#pragma once

#include <memory>

#include "model/nn/reader.h"
#include "model/remote/model_list.h"
#include "net/http_service.h"

namespace frugal {

/// Throws Error(usage) for openai and cohere without a model's name. The ids of its pairs are bytes, and read_half()
/// is one request.
std::unique_ptr<Reader> make_remote_reader(std::shared_ptr<HttpService> service, const ModelEntry& remote);

}  // namespace frugal
