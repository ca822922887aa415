// Models (model/hub/models.h) of which some are remote: each stage has a list, which is tried in its order.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/setting.h"
#include "model/hub/models.h"
#include "model/remote/model_list.h"
#include "net/http_service.h"

namespace frugal {

struct RemoteModelOptions {
  RemoteOptions service;
  int64_t context_tokens = 8192;
  std::string query_prompt, passage_prompt;

  template <typename F>
  void visit(F&& f) {
    f(service);
    f("remote.context_tokens", context_tokens,
      {"tokens that a remote generator takes, prompt and answer together", Range{256, 1 << 24}});
    f("remote.query_prompt", query_prompt,
      {"what a remote embedder must see before a question, such as 'query: ' for E5; services add nothing"});
    f("remote.passage_prompt", passage_prompt,
      {"what a remote embedder must see before a passage, such as 'passage: ' for E5"});
  }
};

/// An empty list: no model is configured.
struct ModelLists {
  std::vector<ModelEntry> embedder, generator, reader;
};

/// True if one of the lists needs open_remote_models().
bool needs_remote(const ModelLists& lists);

/// `packs` opens the packs of the lists. No service is asked before a model is used, but keys are read and the plugin
/// for HTTP is opened with the first request. Throws Error(usage) for a list that begins with extract or none, or an
/// embedder's with a second model: vectors of different models do not mix.
std::unique_ptr<Models> open_remote_models(ModelLists lists, RemoteModelOptions options, std::unique_ptr<Models> packs);

}  // namespace frugal
