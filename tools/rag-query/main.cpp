// rag-query: answers questions from an index, with citations that can be verified (docs/tools/rag-query.md).
#include <fmt/format.h>

#include <string>
#include <vector>

#include "app/cli/input.h"
#include "app/cli/output.h"
#include "app/cli/tool.h"
#include "app/wiring/cache_command.h"
#include "app/wiring/image_query.h"
#include "app/wiring/query_session.h"
#include "app/wiring/settings.h"
#include "app/wiring/source_commands.h"
#include "base/error.h"
#include "measure/report/metrics_report.h"
#include "rag/answer/batch.h"
#include "rag/answer/question.h"
#include "rag/filter/chunk_filter.h"
#include "rag/reply/render.h"

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
  std::string question, batch, image;
  bool explain = false, timings = false, naive = false, end_with_nul = false;
  std::vector<std::string> paths, where;
  cli::SourceCommands sources;
};

void declare(cli::Tool& tool, Flags& flags) {
  CLI::App& app = tool.app();
  app.add_option("QUESTION", flags.question, "the question; - reads it from standard input");
  app.add_option("--batch", flags.batch, "questions, a line each: text or {\"id\":…,\"query\":…}; - for standard input")
      ->type_name("FILE");
  app.add_option("--path", flags.paths, "search only files that match, relative to an added folder; repeatable")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  app.add_option("--where", flags.where, "search only documents whose fields compare so, as year>=2020; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_flag("--explain", flags.explain, "show the hits of each list, their weights and the skipped stages");
  app.add_flag("--timings", flags.timings, "print time and memory by stage on standard error (json always has them)");
  app.add_flag("--naive", flags.naive, "for comparison: load all models in full precision through libtorch");
  app.add_flag("-0,--null", flags.end_with_nul, "with --format files: end each path with a zero byte, for xargs -0");
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
  tool.key_flag("--no-dense", "retrieval.dense", "false", "search by words only");
  tool.key_flag("--no-sparse", "retrieval.sparse", "false", "search by vectors only");
  tool.key_flag("--no-cache", "cache.enabled", "false", "do not use the cache of answers and question vectors");
  tool.key_flag("--no-prefix-cache", "generate.prefix_cache.enabled", "false", "do not cache processed prompts");
  cli::declare_images(tool, flags.image);
  cli::declare_sources(tool, flags.sources);
}

Query query_of(const Flags& flags) {
  Query query{.id = {}, .text = flags.question, .has_operators = true};
  add_restrictions(query.filter, flags.paths, flags.where);
  return query;
}

int ask_batch(Pipeline& pipeline, const Query& query, const Flags& flags, Trace trace) {
  const auto emit = [](const std::string& json) {
    cli::print(json + "\n");
    cli::flush_output();
  };
  BatchResult result;
  cli::read_input(flags.batch, [&](std::istream& lines) {
    result = answer_batch(pipeline, query, lines, flags.explain, std::move(trace), emit);
  });
  return result.failed > 0 ? exit_code(Code::negative) : 0;
}

int ask_one(Pipeline& pipeline, Query query, const Flags& flags, RenderOptions render, const PipelineOptions& asked,
            Trace trace) {
  if (query.text == "-") query.text = cli::read_standard_input(kMaxQuestionBytes);
  TokenSink stream;
  if (render.format == ReplyFormat::text && cli::stdout_is_terminal())
    stream = [&](std::string_view text) {
      render.streamed = true;
      cli::print(text);
      cli::flush_output();
      return true;
    };
  const Reply reply = pipeline.ask(query, stream, std::move(trace));
  cli::print((render.streamed ? "\n" : "") + render_reply(reply, render));
  cli::flush_output();
  if (asked.answer != AnswerMode::none && !reply.answer.text && !reply.answer.abstained)
    cli::print_message(fmt::format("no answer within the deadline of {} ms (--deadline-ms)", asked.deadline_ms));
  if (flags.timings) cli::print_messages(render_timings(reply) + metrics_summary(metric_registry().collect()));
  return is_as_asked(reply, asked.answer) ? 0 : exit_code(Code::negative);
}

int run(cli::Tool& tool, const Settings& settings) {
  const int64_t before_main_ns = startup_ns();
  const Trace::Clock::time_point entered = Trace::Clock::now();
  Flags flags;
  declare(tool, flags);
  const CacheCommand cache(tool);
  tool.parse();
  if (const auto done = cache.run(tool, settings)) return *done;
  if (!flags.image.empty()) return cli::find_images(tool, settings, flags.image, query_of(flags));
  if (cli::is_given(flags.sources)) return cli::run_sources(flags.sources, tool, settings);
  if (flags.question.empty() == flags.batch.empty())
    throw Error(Code::usage, flags.batch.empty() ? "no question" : "both a question and --batch")
        .hint("rag-query \"QUESTION\", or rag-query --batch FILE; rag-query --help shows more");
  if (flags.batch.empty() && flags.question != "-") check_question(flags.question);
  const Query query = query_of(flags);
  const RenderOptions render{parse_reply_format(tool.format()), flags.explain, false, flags.end_with_nul ? '\0' : '\n'};
  const bool as_files = render.format == ReplyFormat::files;
  if (flags.end_with_nul && !as_files)
    throw Error(Code::usage, "--null is for --format files").hint("add --format files, or leave --null out");
  const bool is_no_json = render.format == ReplyFormat::markdown || render.format == ReplyFormat::csv || as_files;
  if (!flags.batch.empty() && is_no_json)
    throw Error(Code::usage, fmt::format("--batch has no format {}: it prints a JSON object per line", tool.format()))
        .hint("leave --format out, or ask each question by itself");

  const bool measure_pss = flags.timings || tool.format().starts_with("json");
  Settings asked = settings;
  if (as_files) asked.pipeline.answer = AnswerMode::none;  // files prints no answer
  QuerySession session(tool, asked, {!flags.batch.empty(), flags.naive, measure_pss});
  // "startup" covers everything before the question, with the opening of the index and of models that load at once.
  Trace trace(true);
  trace.add_startup(before_main_ns + std::chrono::nanoseconds(Trace::Clock::now() - entered).count());
  if (!flags.batch.empty()) return ask_batch(session.pipeline(), query, flags, std::move(trace));
  return ask_one(session.pipeline(), query, flags, render, asked.pipeline, std::move(trace));
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
