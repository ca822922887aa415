// rag-serve: answers questions, embeds, ranks and generates for other programs (docs/tools/rag-serve.md).
#include <string>

#include "app/cli/tool.h"
#include "app/serve/serve_command.h"
#include "app/wiring/settings.h"

namespace frugal {
namespace {

constexpr const char* kExamples =
    "  rag-serve --index kb                                    serve an index and the models on 127.0.0.1:8321\n"
    "  curl -s 127.0.0.1:8321/query -d '{\"query\":\"who signs?\"}'   ask it; rag-query asks it by itself\n"
    "  rag-serve --keep-alive 0                                unload everything after each request\n"
    "  rag-serve --host 0.0.0.0 --api-key-file key.txt         serve other machines, which must send the key\n"
    "  rag-serve --mcp --index kb                              let an assistant search and ask, over standard input\n"
    "  rag-serve --workers 2 --preload                         two processes that share the packs, opened at the start";

int run(cli::Tool& tool, const Settings& settings) {
  tool.key("--index", "index");
  tool.key("--host", "serve.host");
  tool.key("--port", "serve.port");
  tool.key("--socket", "serve.socket");
  tool.key("--api-key-file", "serve.key_file");
  tool.key("--keep-alive", "serve.keep_alive");
  tool.key_flag("--preload", "serve.preload", "true", "open index and embedder at the start");
  tool.key("--workers", "serve.workers");
  tool.key("--max-queue", "serve.max_queue");
  tool.key("--allow-host", "serve.allow_hosts");
  tool.key("--allow-origin", "serve.allow_origins");
  tool.key("--embedder", "models.embedder");
  tool.key("--reader", "models.reader");
  tool.key("--generator", "models.generator");
  tool.key("--summarizer", "models.summarizer");
  tool.key("--captioner", "models.captioner");
  bool over_stdio = false;
  tool.app().add_flag("--mcp", over_stdio,
                      "speak the Model Context Protocol on standard input and output, for an assistant");
  tool.parse();
  serve::serve(tool, settings, over_stdio);
  return 0;
}

}  // namespace
}  // namespace frugal

int main(int argc, char** argv) {
  return frugal::run_tool(
      argc, argv,
      {"rag-serve", "Serves questions, embeddings, ranking and generation to other programs, on this machine.",
       frugal::kExamples},
      frugal::run);
}
