// bench-latency: how long questions, embeddings and tokens take (docs/tools/bench-latency.md).
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "cli/bench_report.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/tool.h"
#include "config/paths.h"
#include "eval/latency.h"
#include "eval/throughput.h"

using namespace frugal;

namespace {

constexpr const char* kExamples =
    "  bench-latency --modes cold,warm --question \"who?\" -n 20    a fresh process against a running one\n"
    "  bench-latency --queries queries.jsonl -- --answer none      with flags for rag-query\n"
    "  bench-latency embed --texts notes.txt                       texts and tokens a second\n"
    "  bench-latency model --pp 512 --tg 128 --threads 1,2         on one thread and on two, like llama-bench\n";

struct Asked {
  std::vector<std::string> modes = {"cold", "warm"};
  std::string queries, question, rag_query, json_file, markdown_file, baseline;
  int64_t runs = 20;
  std::vector<std::string> query_flags;
};

LatencyOptions plan(const Asked& asked, const cli::Tool& tool) {
  const std::filesystem::path index = find_index(tool.config().index);
  const auto beside_us = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "rag-query";
  LatencyOptions options;
  const std::string rag_query = asked.rag_query.empty() ? beside_us.native() : asked.rag_query;
  options.command = {rag_query, "--index", index.native(), "--no-cache", "--no-progress"};
  options.command.insert(options.command.end(), asked.query_flags.begin(), asked.query_flags.end());
  for (const std::string& mode : asked.modes) options.modes.push_back(parse_latency_mode(mode));
  if (const int64_t threads = tool.config().threads) options.command.push_back(fmt::format("--threads={}", threads));
  options.questions = asked.queries.empty() ? std::vector<std::string>{asked.question} : read_texts(asked.queries);
  options.runs = asked.runs;
  options.data = present_models(tool.config().models);
  options.data.push_back(index);
  return options;
}

int bench_questions(const Asked& asked, const cli::Tool& tool) {
  if (!asked.baseline.empty())
    throw Error(Code::usage, "gates are not built yet").hint("compare the intervals of two --export-json reports");
  if (asked.question.empty() == asked.queries.empty())
    throw Error(Code::usage, "name one of --question TEXT and --queries FILE").hint("run bench-latency --help");
  LatencyOptions options = plan(asked, tool);
  cli::LatencyReport report;
  report.command = options.command;
  {
    cli::Progress progress("measuring", "runs");
    options.progress = [&](int64_t done, int64_t total) { progress.update(uint64_t(done), uint64_t(total)); };
    const CpuShare share;
    report.rows = measure_latency(options);
    report.load = share.since();
  }
  report.environment = read_environment(present_models(tool.config().models));
  if (!asked.json_file.empty()) publish_file(asked.json_file, cli::json_document(report.json()));
  if (!asked.markdown_file.empty()) publish_file(asked.markdown_file, report.markdown());
  cli::print(tool.format() == "json" ? cli::json_document(report.json()) : report.text());
  return 0;
}

struct Speed {
  ThroughputPlan plan;
  std::string texts;
  std::vector<int> threads;
};

int bench_model(const std::string& pack, Speed asked, const cli::Tool& tool) {
  if (asked.threads.empty()) asked.threads = {tool.threads()};
  if (!asked.texts.empty()) asked.plan.texts = read_texts(asked.texts);
  const std::filesystem::path file = find_model(pack);
  const CpuShare share;
  cli::ThroughputReport report;
  for (int count : asked.threads) {
    ThreadPool threads(count);
    LoadedModel model(file, threads);
    for (Throughput& row : measure_throughput(model, count, asked.plan)) report.rows.push_back(std::move(row));
    report.peaks.resize(report.rows.size(), measure_peak(threads));
  }
  report.load = share.since();
  report.environment = read_environment({file});
  cli::print(tool.format() == "json" ? cli::json_document(report.json()) : report.text());
  return 0;
}

void declare_questions(cli::Tool& tool, Asked& asked) {
  CLI::App& app = tool.app();
  app.add_option("--modes", asked.modes, "cold-disk, cold, warm (default cold,warm)")->delimiter(',');
  app.add_option("--question", asked.question, "the question to ask")->type_name("TEXT");
  app.add_option("--queries", asked.queries, "questions: a line each, or queries.jsonl")->type_name("FILE");
  app.add_option("-n,--runs", asked.runs, "runs of each mode (default 20)")->check(CLI::Range(1, 1000000));
  tool.key("--index", "index", "the index to ask")->type_name("DIR");
  app.add_option("--rag-query", asked.rag_query, "another rag-query than the one beside this tool")->type_name("PATH");
  app.add_option("--export-json", asked.json_file, "write the report in hyperfine's shape")->type_name("FILE");
  app.add_option("--export-markdown", asked.markdown_file, "write the tables")->type_name("FILE");
  app.add_option("--baseline", asked.baseline, "gate against an earlier report: not built yet")->group("");
  app.add_option("RAG_QUERY_FLAGS", asked.query_flags, "after --: flags for rag-query, like --answer none");
}

void declare_speed(cli::Tool& tool, CLI::App& sub, const char* model_key, Speed& asked) {
  tool.key("-m,--model", model_key, "the pack to time", &sub)->type_name("PACK");
  sub.add_option("-r,--repetitions", asked.plan.repetitions, "repetitions (default 5)")->check(CLI::Range(1, 10000));
  sub.add_option("-t,--threads", asked.threads, "threads to compare, like 1,2")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024));
}

int bench_latency(cli::Tool& tool) {
  Asked asked;
  Speed speed;
  declare_questions(tool, asked);
  CLI::App* embed = tool.app().add_subcommand("embed", "texts and tokens a second of the embedder");
  declare_speed(tool, *embed, "models.embedder", speed);
  embed->add_option("--texts", speed.texts, "a text a line, or a .jsonl in BEIR's form")->required()->type_name("FILE");
  embed->add_option("-b,--batch", speed.plan.batch, "texts given at once (default 32)")->check(CLI::Range(1, 4096));
  CLI::App* model = tool.app().add_subcommand("model", "tokens a second of the generator");
  declare_speed(tool, *model, "models.generator", speed);
  model->add_option("--pp", speed.plan.prompt_tokens, "tokens to read; 0: none (default 512)")
      ->check(CLI::Range(0, 1 << 20));
  model->add_option("--tg", speed.plan.new_tokens, "tokens to write; 0: none (default 128)")
      ->check(CLI::Range(0, 1 << 20));
  tool.parse();

  if (embed->parsed()) return bench_model(tool.config().models.embedder, speed, tool);
  if (model->parsed()) return bench_model(tool.config().models.generator, speed, tool);
  return bench_questions(asked, tool);
}

}  // namespace

int main(int argc, char** argv) {
  const char* summary = "Measures how long questions, embeddings and tokens take.";
  return cli::run_tool(argc, argv, {"bench-latency", summary, kExamples}, bench_latency);
}
