// A generator behind an OpenAI-compatible service (vLLM, llama-server, Ollama and others): POST /v1/chat/completions,
// with its text as server-sent events.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "model/generate/generator.h"
#include "model/remote/model_list.h"
#include "net/http_service.h"

namespace frugal {

/// `remote` has shape openai; other shapes throw Error(usage), as a remote without a model's name does.
/// context_tokens: of the model, which the service does not tell. count_tokens() estimates three bytes to a token,
/// which is more than the tokenizers of current models give for English and Portuguese.
///
/// chat() throws Error(remote) if the service fails, also in the middle of a text; Finish::deadline is only for a
/// deadline of the options that comes after the first text.
std::unique_ptr<Generator> make_remote_generator(std::shared_ptr<HttpService> service, const ModelEntry& remote,
                                                 int64_t context_tokens);

}  // namespace frugal
