// rag-query: answers questions from an index, with citations that can be verified (docs/tools/rag-query.md).
#include <string>

#include "app/cli/tool.h"
#include "app/wiring/cache_command.h"
#include "app/wiring/image_query.h"
#include "app/wiring/question_command.h"
#include "app/wiring/settings.h"
#include "app/wiring/source_commands.h"
#include "telemetry/trace.h"

namespace frugal {
namespace {

constexpr const char* kExamples =
    "  rag-query \"who may ask for the data to be erased?\"      ask ./.frugal/index, or the only index there is\n"
    "  rag-query \"art. 18 da LGPD\" --index laws --answer none  show the article, without an answer\n"
    "  rag-query '\"right to erasure\" -fees' --path 'laws/**'  with this phrase, without this word, in these files\n"
    "  rag-query \"who signs?\" --where 'date>=2024'            by front matter, columns of csv, members of jsonl\n"
    "  rag-query --batch questions.jsonl > answers.jsonl       answer many questions, loading models once\n"
    "  rag-query --image photo.jpg --index kb                  the images of the index that are most like this one\n"
    "  rag-query get laws/lgpd.md:12-20                        print lines of a file, as answers name them\n"
    "  rag-query cite-check answer.json                        verify that the cited bytes are still in the files";

struct Flags {
  cli::QuestionFlags asked;
  std::string image;
  cli::SourceCommands sources;
};

void declare(cli::Tool& tool, Flags& flags) {
  CLI::App& app = tool.app();
  app.add_option("QUESTION", flags.asked.question, "the question; - reads it from standard input");
  app.add_option("--batch", flags.asked.batch,
                 "questions, a line each: text or {\"id\":…,\"query\":…}; - for standard input")
      ->type_name("FILE");
  app.add_option("--path", flags.asked.paths, "search only files that match, relative to an added folder; repeatable")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  app.add_option("--where", flags.asked.where,
                 "search only documents whose fields compare so, as year>=2020; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_flag("--explain", flags.asked.explain, "show the hits of each list, their weights and the skipped stages");
  app.add_flag("--timings", flags.asked.timings,
               "print time and memory by stage on standard error (json always has them)");
  app.add_flag("--naive", flags.asked.naive, "for comparison: load all models in full precision through libtorch");
  app.add_flag("-0,--null", flags.asked.end_with_nul,
               "with --format files: end each path with a zero byte, for xargs -0");
  tool.key("--index", "index");
  tool.key("-n,--top-k", "retrieval.top_k");
  tool.key("-C,--candidates", "retrieval.candidates");
  tool.key("--min-score", "retrieval.min_score");
  tool.key("--fusion", "retrieval.fusion");
  tool.key("--answer", "answer.mode");
  tool.key("--hyde", "hyde.mode");
  tool.key("--deadline-ms", "answer.deadline_ms");
  tool.key("--rerank", "rerank.mode");
  tool.key("--rerank-budget-ms", "rerank.budget_ms");
  tool.key("--maxsim", "rerank.maxsim");
  tool.key("--embedder", "models.embedder");
  tool.key("--reader", "models.reader");
  tool.key("--generator", "models.generator");
  tool.key("--cache-type-kv", "generate.kv_dtype");
  tool.key("--server", "serve.client");
  tool.key_flag("--no-dense", "retrieval.dense", "false", "search by words only");
  tool.key_flag("--no-sparse", "retrieval.sparse", "false", "search by vectors only");
  tool.key_flag("--no-cache", "cache.enabled", "false", "do not use the cache of answers and question vectors");
  tool.key_flag("--no-prefix-cache", "generate.prefix_cache.enabled", "false", "do not cache processed prompts");
  cli::declare_images(tool, flags.image);
  cli::declare_sources(tool, flags.sources);
}

int run(cli::Tool& tool, const Settings& settings) {
  const int64_t before_main_ns = startup_ns();
  const Trace::Clock::time_point entered = Trace::Clock::now();
  Flags flags;
  declare(tool, flags);
  const CacheCommand cache(tool);
  tool.parse();
  if (const auto done = cache.run(tool, settings)) return *done;
  if (!flags.image.empty()) return cli::find_images(tool, settings, flags.image, query_of(flags.asked));
  if (cli::is_given(flags.sources)) return cli::run_sources(flags.sources, tool, settings);
  return cli::answer_question(tool, settings, flags.asked, before_main_ns, entered);
}

}  // namespace
}  // namespace frugal

int main(int argc, char** argv) {
  return frugal::run_tool(argc, argv,
                          {"rag-query",
                           "Answers a question from an index of files, with citations.",
                           frugal::kExamples,
                           {"text", "json", "jsonl", "md", "csv", "files"}},
                          frugal::run);
}
