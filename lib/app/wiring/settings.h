// All settings of the tools, composed of the option structs of the rooms, which describe their own fields
// (base/setting.h). A new setting is a field with its line of visit() in one of these structs; `ninja default-yaml`
// then updates configs/default.yaml.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "app/cli/tool.h"
#include "app/config/paths.h"
#include "app/wiring/serve_settings.h"
#include "base/setting.h"
#include "model/hub/models.h"
#include "model/remote/remote_models.h"
#include "model/tokenize/chat.h"
#include "rag/answer/answer_cache.h"
#include "rag/answer/pipeline.h"
#include "rag/chunk/chunk.h"
#include "rag/summary/summary.h"
#include "rag/vectors/milvus_options.h"

namespace frugal {

struct Settings {
  ModelNames models;
  std::string index;  // folder; empty: find_index() chooses
  cli::CommonSettings common;
  ChunkOptions chunks;
  std::string law_files;  // paths, separated by ':'
  PipelineOptions pipeline;
  SummaryOptions summary;
  int64_t caption_tokens = 40;
  int64_t caption_pixels = 1'048'576;
  std::optional<ChatFamily> chat_family;  // of the generator; nullopt: as its pack names it
  GeneratorMemory generator;
  CacheOptions cache;
  VectorOptions vectors;
  ServeSettings serve;
  RemoteModelOptions remote;

  template <typename F>
  void visit(F&& f) {
    f(models);
    f("index", index,
      {"folder of the index, or a name in ~/.local/share/frugal/indexes; empty: ./.frugal/index, else the only index "
       "there"});
    f(common);
    f(chunks);
    f("references.paths", law_files, {"more tables of laws, files like configs/references/br.yaml, separated by ':'"});
    f(pipeline);
    f(summary);
    f("caption.max_length", caption_tokens,
      {"maximum length of a caption or an answer about an image, in tokens", Range{1, 1 << 20}});
    f("caption.max_pixels", caption_pixels,
      {"maximum pixels with which a model that takes images of any size (Qwen3-VL) reads one", Range{1, 1 << 28}});
    f("generate.chat_family", chat_family,
      {"chat template of the generator: auto (the one that its pack names), none, chatml, gemma, llama2, llama3, "
       "llama3.1, qwen, qwen3; required if the pack names none"});
    f(generator);
    f(cache);
    f(vectors);
    f(serve);
    f(remote);
  }
};

/// cli::run_tool() with all settings. They have the user's values after `body` has called tool.parse().
int run_tool(int argc, char** argv, cli::ToolInfo info, const std::function<int(cli::Tool&, const Settings&)>& body);

}  // namespace frugal
