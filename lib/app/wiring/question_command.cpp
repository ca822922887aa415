#include "app/wiring/question_command.h"

#include <fmt/format.h>

#include <istream>
#include <utility>

#include "app/cli/input.h"
#include "app/cli/output.h"
#include "app/wiring/query_session.h"
#include "app/wiring/served_question.h"
#include "base/error.h"
#include "measure/report/metrics_report.h"
#include "rag/answer/batch.h"
#include "rag/answer/pipeline.h"
#include "rag/answer/question.h"
#include "rag/filter/chunk_filter.h"
#include "rag/reply/render.h"

namespace frugal::cli {
namespace {

int ask_batch(Pipeline& pipeline, const Query& query, const QuestionFlags& flags, Trace trace) {
  const auto emit = [](const std::string& json) {
    print(json + "\n");
    flush_output();
  };
  BatchResult result;
  read_input(flags.batch, [&](std::istream& lines) {
    result = answer_batch(pipeline, query, lines, flags.explain, std::move(trace), emit);
  });
  return result.failed > 0 ? exit_code(Code::negative) : 0;
}

int ask_one(Pipeline& pipeline, Query query, const QuestionFlags& flags, RenderOptions render,
            const PipelineOptions& asked, Trace trace) {
  if (query.text == "-") query.text = read_standard_input(kMaxQuestionBytes);
  TokenSink stream;
  if (render.format == ReplyFormat::text && stdout_is_terminal())
    stream = [&](std::string_view text) {
      render.streamed = true;
      print(text);
      flush_output();
      return true;
    };
  const Reply reply = pipeline.ask(query, stream, std::move(trace));
  print((render.streamed ? "\n" : "") + render_reply(reply, render));
  flush_output();
  if (asked.answer != AnswerMode::none && !reply.answer.text && !reply.answer.abstained) warn_of_deadline(asked);
  if (flags.timings) print_messages(render_timings(reply) + metrics_summary(metric_registry().collect()));
  return is_as_asked(reply, asked.answer) ? 0 : exit_code(Code::negative);
}

// Not what a server cannot know (timings of this process, standard input), nor a text that is to be seen as it grows.
bool may_be_served(const QuestionFlags& flags, AnswerMode asked) {
  const bool is_plain = flags.batch.empty() && !flags.naive && !flags.timings && !flags.end_with_nul;
  return is_plain && flags.question != "-" && !(asked == AnswerMode::generate && stdout_is_terminal());
}

RenderOptions render_options(const Tool& tool, const QuestionFlags& flags) {
  const RenderOptions render{parse_reply_format(tool.format()), flags.explain, false, flags.end_with_nul ? '\0' : '\n'};
  const bool as_files = render.format == ReplyFormat::files;
  if (flags.end_with_nul && !as_files)
    throw Error(Code::usage, "--null is for --format files").hint("add --format files, or leave --null out");
  const bool is_no_json = render.format == ReplyFormat::markdown || render.format == ReplyFormat::csv || as_files;
  if (!flags.batch.empty() && is_no_json)
    throw Error(Code::usage, fmt::format("--batch has no format {}: it prints a JSON object per line", tool.format()))
        .hint("leave --format out, or ask each question by itself");
  return render;
}

}  // namespace

Query query_of(const QuestionFlags& flags) {
  Query query{.id = {}, .text = flags.question, .has_operators = true};
  add_restrictions(query.filter, flags.paths, flags.where);
  return query;
}

int answer_question(const Tool& tool, const Settings& settings, const QuestionFlags& flags, int64_t before_main_ns,
                    Trace::Clock::time_point entered) {
  if (flags.question.empty() == flags.batch.empty())
    throw Error(Code::usage, flags.batch.empty() ? "no question" : "both a question and --batch")
        .hint("rag-query \"QUESTION\", or rag-query --batch FILE; rag-query --help shows more");
  if (flags.batch.empty() && flags.question != "-") check_question(flags.question);
  const Query query = query_of(flags);
  const RenderOptions render = render_options(tool, flags);
  const bool measure_pss = flags.timings || tool.format().starts_with("json");
  Settings asked = settings;
  if (render.format == ReplyFormat::files) asked.pipeline.answer = AnswerMode::none;  // files prints no answer
  if (may_be_served(flags, asked.pipeline.answer))
    if (const auto done =
            ask_server(tool, asked, {flags.question, flags.paths, flags.where, tool.format(), flags.explain}))
      return *done;
  QuerySession session(tool, asked, {!flags.batch.empty(), flags.naive, measure_pss});
  // "startup" covers everything before the question, with the opening of the index and of models that load at once.
  Trace trace(true);
  trace.add_startup(before_main_ns + std::chrono::nanoseconds(Trace::Clock::now() - entered).count());
  if (!flags.batch.empty()) return ask_batch(session.pipeline(), query, flags, std::move(trace));
  return ask_one(session.pipeline(), query, flags, render, asked.pipeline, std::move(trace));
}

}  // namespace frugal::cli
