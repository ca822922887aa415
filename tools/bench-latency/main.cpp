// bench-latency: measures the time of questions, embeddings and tokens (docs/tools/bench-latency.md).
#include "app/cli/output.h"
#include "app/cli/progress.h"
#include "app/cli/tool.h"
#include "app/config/paths.h"
#include "app/wiring/latency_flags.h"
#include "app/wiring/settings.h"
#include "base/error.h"
#include "measure/bench/throughput.h"
#include "measure/bench/throughput_report.h"
#include "memory/budget.h"

using namespace frugal;

namespace {

constexpr const char* kExamples =
    "  bench-latency --modes cold,warm --question \"who?\"                  a new process against a running one\n"
    "  bench-latency --queries q.jsonl --against old/rag-query --strict     is this build slower than that one?\n"
    "  bench-latency --queries q.jsonl --baseline old.json                  is it slower than an earlier report?\n"
    "  bench-latency compare old.json new.json --max-ratio 1.05             compare two reports; exit 1 if slower\n"
    "  bench-latency embed --texts notes.txt                                speed of the embedder\n"
    "  bench-latency model --pp 512 --tg 128 --threads 1,2                  speed of the generator, by threads\n";

int bench_questions(cli::LatencyFlags& flags, const cli::Tool& tool, const Settings& settings) {
  LatencyOptions options = flags.options(settings);
  const std::vector<std::filesystem::path> packs = existing_packs(settings.models);
  LatencyReport report(options, flags.rag_query_flags(settings), read_environment(packs));
  if (!flags.baseline.empty()) flags.gate.baseline = read_baseline(flags.baseline, report.record, flags.tolerance);
  {
    cli::Progress progress("measuring", "runs");
    options.progress = [&](int64_t done, int64_t total) { progress.update(uint64_t(done), uint64_t(total)); };
    const CpuShare share;
    LatencyBench bench(options);
    if (flags.gated()) {
      report.gates = run_gated(bench, flags.gate);
    } else {
      bench.run(flags.gate.runs);
    }
    report.take(bench.rows(), share.since());
  }
  flags.exports.write(report, flags.strict);
  cli::print(report.as(tool.format()));
  return report.exit_code(flags.strict);
}

struct ReportPaths {
  std::string before, now;
};

int compare(const ReportPaths& paths, const cli::LatencyFlags& flags, const cli::Tool& tool) {
  const bool gated = flags.max_ratio_given || flags.gate.limits.max_memory_ratio;
  const GateLimits* limits = gated ? &flags.gate.limits : nullptr;
  const auto comparison = LatencyComparison::read(paths.before, paths.now, limits, flags.tolerance);
  cli::print(comparison.as(tool.format()));
  return gates_exit_code(comparison.gates, flags.strict);
}

struct SpeedFlags {
  ThroughputPlan plan;
  std::string texts;
  std::vector<int> threads;
};

int bench_model(const std::string& pack, SpeedFlags flags, const cli::Tool& tool, const PagerOptions& paging) {
  if (flags.threads.empty()) flags.threads = {tool.threads()};
  if (!flags.texts.empty()) flags.plan.texts = read_texts(flags.texts);
  const std::filesystem::path file = find_model(pack);
  const CpuShare share;
  Budget budget(tool.budget_limits());
  ThroughputReport report;
  for (int count : flags.threads) {
    ThreadPool threads(count);
    MachinePeak peak = measure_peak(threads, budget);
    std::vector<Throughput> tests;
    {
      LoadedModel model(file, threads, budget, {}, LoadMode::mmap, paging);
      tests = measure_throughput(model, count, flags.plan, budget);
    }
    peak.raise(measure_peak(threads, budget));  // again, since another program may have disturbed the first
    report.add(std::move(tests), peak);
  }
  report.load = share.since();
  report.environment = read_environment({file});
  cli::print(report.as(tool.format()));
  return 0;
}

void declare_speed(cli::Tool& tool, CLI::App& sub, const char* model_key, SpeedFlags& flags) {
  tool.key("-m,--model", model_key, &sub)->type_name("PACK");
  sub.add_option("-r,--repetitions", flags.plan.repetitions, "measured runs (default 5)")->check(CLI::Range(1, 10000));
  sub.add_option("-t,--threads", flags.threads, "numbers of threads to compare, like 1,2")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024));
}

int bench_latency(cli::Tool& tool, const Settings& settings) {
  cli::LatencyFlags flags;
  ReportPaths reports;
  SpeedFlags speed;
  flags.declare(tool);
  CLI::App* embed = tool.app().add_subcommand("embed", "measure the speed of the embedder");
  declare_speed(tool, *embed, "models.embedder", speed);
  embed
      ->add_option("--texts", speed.texts,
                   "file of texts: a line each, or a .jsonl with a \"text\" or \"query\" on each line")
      ->required()
      ->type_name("FILE");
  embed->add_option("-b,--batch", speed.plan.batch, "texts in a batch (default 32)")->check(CLI::Range(1, 4096));
  CLI::App* model = tool.app().add_subcommand("model", "measure the speed of the generator");
  declare_speed(tool, *model, "models.generator", speed);
  model->add_option("--pp", speed.plan.prompt_tokens, "tokens of the prompt; 0: none (default 512)")
      ->check(CLI::Range(0, 1 << 20));
  model->add_option("--tg", speed.plan.new_tokens, "tokens to generate; 0: none (default 128)")
      ->check(CLI::Range(0, 1 << 20));
  CLI::App* comparison = tool.app().add_subcommand("compare", "compare two reports of --export-json");
  comparison->add_option("BEFORE", reports.before, "the earlier report")->required();
  comparison->add_option("NOW", reports.now, "the later report")->required();
  flags.declare_gate(*comparison);
  tool.parse();

  if (comparison->parsed()) return compare(reports, flags, tool);
  if (embed->parsed()) return bench_model(settings.models.embedder, speed, tool, settings.common.memory.paging);
  if (model->parsed()) return bench_model(settings.models.generator, speed, tool, settings.common.memory.paging);
  return bench_questions(flags, tool, settings);
}

}  // namespace

int main(int argc, char** argv) {
  const char* summary = "Measures how long questions, embeddings and tokens take, and detects slow-downs.";
  return run_tool(argc, argv, {"bench-latency", summary, kExamples, {"text", "json", "md", "csv"}}, bench_latency);
}
