// rag-query: answers questions from an index, with citations that can be checked (docs/tools/rag-query.md).
#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <optional>
#include <string>

#include "../shared/rag_options.h"
#include "app/cli/output.h"
#include "app/cli/tool.h"
#include "base/error.h"
#include "base/file.h"
#include "measure/report/metrics_report.h"
#include "memory/budget.h"
#include "rag/answer/batch.h"
#include "rag/answer/cite.h"
#include "rag/answer/render.h"

namespace frugal {
namespace {

constexpr const char* kExamples =
    "  rag-query \"who may ask for the data to be erased?\"      the only index there is, or ./.frugal/index\n"
    "  rag-query \"art. 18 da LGPD\" --index laws --answer none  the article itself, no answer made of it\n"
    "  rag-query --batch questions.jsonl > answers.jsonl       models loaded once, one answer a line\n"
    "  rag-query cite-check answer.json                        are the cited bytes still in the files?";

struct Flags {
  std::string question, batch, answer_file;
  bool explain = false;
  bool timings = false;
  bool naive = false;
};

void declare(cli::Tool& tool, Flags& flags) {
  CLI::App& app = tool.app();
  app.add_option("QUESTION", flags.question, "what to ask; - reads it from standard input");
  app.add_option("--batch", flags.batch, "questions one a line, text or {\"id\":…,\"query\":…}; - for standard input")
      ->type_name("FILE");
  app.add_flag("--explain", flags.explain, "show what each list found, how it was weighed and what was skipped");
  app.add_flag("--timings", flags.timings, "time and memory by stage, on standard error (json has them always)");
  app.add_flag("--naive", flags.naive, "for comparison: load all models whole, in full precision, through libtorch");
  tool.key("--index", "index", "folder of the index");
  tool.key("-n,--top-k", "retrieval.top_k", "chunks to show");
  tool.key("-C,--candidates", "retrieval.candidates", "chunks to take from each list");
  tool.key("--min-score", "retrieval.min_score", "fused score below which a chunk is not shown");
  tool.key("--fusion", "retrieval.fusion", "weighted or rrf");
  tool.key("--answer", "answer.mode", "auto, extract, generate or none");
  tool.key("--hyde", "hyde.mode", "auto, always or never");
  tool.key("--deadline-ms", "answer.deadline_ms", "the best answer in this time, and what was skipped for it");
  tool.key("--embedder", "models.embedder", "pack of the embedder");
  tool.key("--generator", "models.generator", "pack of the generator");
  tool.key("--cache-type-kv", "generate.kv_dtype", "auto, f32, f16 or int8: how the generator holds keys and values");
  tool.key_flag("--no-dense", "retrieval.dense", "false", "search by words only");
  tool.key_flag("--no-sparse", "retrieval.sparse", "false", "search by vectors only");
  tool.key_flag("--no-rerank", "rerank.enabled", "false", "leave the reranking stage out");
  tool.key_flag("--no-cache", "cache.enabled", "false", "neither read nor keep answers and vectors of questions");
  tool.key_flag("--no-prefix-cache", "generate.prefix_cache.enabled", "false", "read every prompt anew, keep none");
  CLI::App* check = app.add_subcommand("cite-check", "compare the citations of a saved answer with their files");
  check->add_option("ANSWER", flags.answer_file, "JSON that rag-query wrote; - for standard input")->required();
}

std::string read_input(const std::string& file) {
  if (file != "-") return read_file(file, uint64_t(256) << 20);
  return {std::istreambuf_iterator<char>(std::cin), {}};
}

int check_answer(const std::string& file, Budget& budget) {
  int64_t failed = 0;
  const std::vector<CitationCheck> checks = check_citations(read_input(file), &budget);
  for (const CitationCheck& check : checks) {
    failed += !check.holds;
    cli::print("[{}] {} bytes {}-{}: {}\n", check.citation.n, check.citation.path, check.citation.start_byte,
               check.citation.end_byte, check.holds ? "ok" : check.problem);
  }
  if (failed > 0)
    throw Error(Code::verify_failed, fmt::format("{} of {} citations do not hold", failed, checks.size()))
        .hint("index the files again with rag-index add and ask again");
  return 0;
}

int ask_batch(Pipeline& pipeline, const Flags& flags, Trace trace) {
  std::ifstream file;
  if (flags.batch != "-") {
    file.open(flags.batch, std::ios::binary);
    if (!file) throw io_error("open", flags.batch);
  }
  const BatchResult result = answer_batch(pipeline, flags.batch == "-" ? std::cin : file, flags.explain,
                                          std::move(trace), [](const std::string& json) {
                                            cli::print(json);
                                            cli::print("\n");
                                            cli::flush_output();
                                          });
  return result.failed > 0 ? exit_code(Code::negative) : 0;
}

int ask_one(Pipeline& pipeline, const Flags& flags, const std::string& format, Trace trace) {
  RenderOptions render{parse_reply_format(format), flags.explain, false};
  Query query{{}, flags.question == "-" ? read_input("-") : flags.question};
  TokenSink stream;
  if (render.format == ReplyFormat::text && cli::stdout_is_terminal())
    stream = [&](std::string_view text) {
      render.streamed = true;
      cli::print(text);
      cli::flush_output();
      return true;
    };
  const Reply reply = pipeline.ask(query, stream, std::move(trace));
  if (render.streamed) cli::print("\n");
  cli::print(render_reply(reply, render));
  cli::flush_output();
  if (flags.timings) cli::narrate(render_timings(reply) + metrics_summary(metric_registry().collect()));
  return reply.answer.abstained ? exit_code(Code::negative) : 0;
}

int run(cli::Tool& tool) {
  const int64_t before_main_ns = startup_ns();
  const Trace::Clock::time_point entered = Trace::Clock::now();
  Flags flags;
  declare(tool, flags);
  tool.parse();
  if (!flags.answer_file.empty()) {
    Budget budget(tool.budget_limits());
    return check_answer(flags.answer_file, budget);
  }
  if (flags.question.empty() == flags.batch.empty())
    throw Error(Code::usage, flags.batch.empty() ? "no question" : "both a question and --batch")
        .hint("rag-query \"QUESTION\", or rag-query --batch FILE; rag-query --help shows more");
  const Config& config = tool.config();
  if (flags.batch.empty() && flags.question != "-") check_question(flags.question);

  const std::filesystem::path index = find_index(config.index);
  Budget budget(tool.budget_limits());
  const auto store = open_store(index, &budget);
  const auto models = flags.naive ? naive_models(config, tool.backend(), tool.threads(), &budget)
                                  : question_models(tool, budget, !flags.batch.empty());
  const QuestionCaches caches(config, !flags.naive && tool.backend().native());
  PipelineOptions asked = pipeline_options(config);
  asked.measure_pss = flags.timings || tool.format().starts_with("json");
  Pipeline pipeline(*store, *models, store->laws(), asked, caches.answers ? &*caches.answers : nullptr,
                    std::filesystem::absolute(index).lexically_normal().native(),
                    caches.probes ? &*caches.probes : nullptr);
  // "startup" is all that comes before the question: the index and whatever models open at once, too
  Trace trace(true);
  trace.add_startup(before_main_ns + std::chrono::nanoseconds(Trace::Clock::now() - entered).count());
  if (!flags.batch.empty()) return ask_batch(pipeline, flags, std::move(trace));
  return ask_one(pipeline, flags, tool.format(), std::move(trace));
}

}  // namespace
}  // namespace frugal

int main(int argc, char** argv) {
  return frugal::cli::run_tool(argc, argv,
                               {"rag-query",
                                "Answers a question from an index of files, with citations.",
                                frugal::kExamples,
                                {"text", "json", "jsonl", "md", "csv", "files"}},
                               frugal::run);
}
