#include "app/wiring/latency_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/config/paths.h"
#include "base/error.h"
#include "base/output_file.h"
#include "measure/report/json.h"

namespace frugal::cli {

void LatencyExports::write(const LatencyReport& report, bool strict) const {
  if (!json.empty()) write_output(json, json_document(report.json()));
  if (!markdown.empty()) write_output(markdown, report.as("md"));
  if (!junit.empty()) write_output(junit, report.junit(strict));
  if (!smaller_is_better.empty()) write_output(smaller_is_better, json_document(report.smaller_is_better()));
}

void LatencyFlags::declare_gate(CLI::App& app) {
  app.add_option_function<double>(
         "--max-ratio", [this](double ratio) { max_ratio_given = true, gate.limits.max_ratio = ratio; },
         "fail if time ÷ earlier time is certainly above this (default 1.05)")
      ->check(CLI::Range(0.01, 1000.0));
  app.add_option_function<double>(
         "--max-memory-ratio", [this](double ratio) { gate.limits.max_memory_ratio = ratio; },
         "the same for the peak of anonymous memory (default: not gated)")
      ->check(CLI::Range(0.01, 1000.0));
  app.add_flag("--strict", strict, "exit with 1 also if a gate is inconclusive or a mode did not run");
  app.add_flag("--allow-other-machine", tolerance.other_machine, "accept reports from another processor");
}

void LatencyFlags::declare(Tool& tool) {
  CLI::App& app = tool.app();
  const CLI::Range count(1, 1000000);
  app.add_option("--modes", modes, "modes to measure: naive, cold-disk, cold, warm, server (default cold,warm)")
      ->delimiter(',');
  app.add_option("--question", question, "a single question")->type_name("TEXT");
  app.add_option("--queries", queries,
                 "file of questions: a line each, as rag-query --batch takes it, or queries.jsonl of a BEIR set")
      ->type_name("FILE");
  app.add_option("--limit", limit, "use only the first N questions (default: as many as runs)")->check(count);
  app.add_option("-n,--runs", gate.runs, "runs of each mode (default 40)")->check(count);
  app.add_option("--max-runs", gate.max_runs, "largest number of runs if a gate needs more to decide (default 320)")
      ->check(count);
  app.add_option("--warmup", warmup_runs, "uncounted runs of each mode before the others (default 1)")
      ->check(CLI::Range(0, 1000));
  app.add_option("--timeout", timeout_s, "limit on the time of an answer, in seconds (default 600)")->check(count);
  app.add_option("--seed", seed, "seed of the order of modes within a round (default 1)");
  tool.key("--index", "index")->type_name("DIR");
  app.add_option("--rag-query", rag_query, "rag-query to measure (default: the one beside this tool)")
      ->type_name("PATH");
  CLI::Option* other =
      app.add_option("--against", against, "fail if slower than this rag-query, which runs in turn with ours");
  other->type_name("PATH");
  app.add_option("--baseline", baseline, "fail if slower than this earlier report of --export-json")
      ->type_name("FILE")
      ->excludes(other);
  declare_gate(app);
  tool.output_file("--export-json", exports.json, "write the report as JSON in hyperfine's form");
  tool.output_file("--export-markdown", exports.markdown, "write the tables as Markdown");
  tool.output_file("--export-junit", exports.junit, "write the verdicts as JUnit test cases");
  tool.output_file("--export-smaller-is-better", exports.smaller_is_better,
                   "write the medians for github-action-benchmark");
  app.add_option("RAG_QUERY_FLAGS", query_flags, "after --: flags passed to rag-query, like --answer none");
}

// Called before the first run, so that a wrong flag costs no time.
void LatencyFlags::check() const {
  if (question.empty() == queries.empty())
    throw Error(Code::usage, "give either --question TEXT or --queries FILE").hint("run bench-latency --help");
  if (!gated() && (max_ratio_given || gate.limits.max_memory_ratio))
    throw Error(Code::usage, "a gate needs something to compare with")
        .hint("name --baseline FILE or --against PATH, or use bench-latency compare");
  if (gated() && gate.runs < kMinGateRuns)
    throw Error(Code::usage, fmt::format("a gate needs at least {} runs, -n is {}", kMinGateRuns, gate.runs))
        .hint("leave -n at its default of 40, which detects 10 % more time on a quiet machine");
}

std::vector<std::string> LatencyFlags::rag_query_flags(const Settings& settings) const {
  // With the answer cache, the second run would measure only a look-up.
  std::vector<std::string> flags = {"--no-cache", "--no-progress"};
  if (const int64_t threads = settings.common.threads) flags.push_back(fmt::format("--threads={}", threads));
  flags.insert(flags.end(), query_flags.begin(), query_flags.end());
  return flags;
}

LatencyOptions LatencyFlags::options(const Settings& settings) const {
  check();
  const std::filesystem::path index = find_index(settings.index);
  const auto sibling = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "rag-query";
  LatencyOptions result;
  result.command = {rag_query.empty() ? sibling.native() : rag_query, "--index", index.native()};
  const std::vector<std::string> flags = rag_query_flags(settings);
  result.command.insert(result.command.end(), flags.begin(), flags.end());
  if (!against.empty()) result.against = result.command;
  if (!against.empty()) result.against[0] = against;
  for (const std::string& mode : modes) {
    result.modes.push_back(parse_latency_mode(mode));
    if (std::count(modes.begin(), modes.end(), mode) > 1)
      throw Error(Code::usage, fmt::format("--modes names {} twice", mode))
          .hint("name each mode once; the A/A runs need no flag");
  }
  result.questions = queries.empty() ? std::vector<std::string>{question} : read_texts(queries);
  const auto max_questions = static_cast<size_t>(limit > 0 ? limit : gate.runs);
  if (result.questions.size() > max_questions) result.questions.resize(max_questions);
  result.warmup_runs = warmup_runs;
  result.measure_aa = gate.runs >= kMinGateRuns;
  result.seed = seed;
  result.timeout = std::chrono::seconds(timeout_s);
  result.data = existing_packs(settings.models);
  result.data.push_back(index);
  return result;
}

}  // namespace frugal::cli
