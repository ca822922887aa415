#include "app/wiring/latency_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/config/paths.h"
#include "base/error.h"
#include "base/file.h"
#include "measure/report/json.h"

namespace frugal::cli {

void LatencyExports::write(const LatencyReport& report, bool strict) const {
  if (!json.empty()) publish_file(json, json_document(report.json()));
  if (!markdown.empty()) publish_file(markdown, report.as("md"));
  if (!junit.empty()) publish_file(junit, report.junit(strict));
  if (!smaller_is_better.empty()) publish_file(smaller_is_better, json_document(report.smaller_is_better()));
}

void LatencyFlags::declare_gate(CLI::App& app) {
  app.add_option_function<double>(
         "--max-ratio", [this](double ratio) { max_ratio_given = true, gate.limits.max_ratio = ratio; },
         "the gate fails where time is surely more than this times as before (default 1.05)")
      ->check(CLI::Range(0.01, 1000.0));
  app.add_option_function<double>(
         "--max-memory-ratio", [this](double ratio) { gate.limits.max_memory_ratio = ratio; },
         "… and where the largest anonymous peak is (default: not gated)")
      ->check(CLI::Range(0.01, 1000.0));
  app.add_flag("--strict", strict, "exit 1 if a gate is inconclusive or a mode did not run");
  app.add_flag("--allow-other-machine", tolerance.other_machine, "take figures of another processor");
}

void LatencyFlags::declare(Tool& tool) {
  CLI::App& app = tool.app();
  const CLI::Range count(1, 1000000);
  app.add_option("--modes", modes, "naive, cold-disk, cold, warm (default cold,warm)")->delimiter(',');
  app.add_option("--question", question, "the question to ask")->type_name("TEXT");
  app.add_option("--queries", queries, "questions: a line each, or queries.jsonl")->type_name("FILE");
  app.add_option("--limit", limit, "take the first N questions (default: as many as runs)")->check(count);
  app.add_option("-n,--runs", gate.runs, "runs of each mode (default 40)")->check(count);
  app.add_option("--max-runs", gate.max_runs, "where a gate needs more to decide (default 320)")->check(count);
  app.add_option("--warmup", warmup_runs, "runs of each that do not count (default 1)")->check(CLI::Range(0, 1000));
  app.add_option("--timeout", timeout_s, "seconds that an answer may take (default 600)")->check(count);
  app.add_option("--seed", seed, "of the order within each round (default 1)");
  tool.key("--index", "index")->type_name("DIR");
  app.add_option("--rag-query", rag_query, "another rag-query than the one beside this tool")->type_name("PATH");
  CLI::Option* other = app.add_option("--against", against, "gate against this rag-query, in turn with ours");
  other->type_name("PATH");
  app.add_option("--baseline", baseline, "gate against an earlier report")->type_name("FILE")->excludes(other);
  declare_gate(app);
  app.add_option("--export-json", exports.json, "the report in hyperfine's shape")->type_name("FILE");
  app.add_option("--export-markdown", exports.markdown, "the tables")->type_name("FILE");
  app.add_option("--export-junit", exports.junit, "a test case a gate")->type_name("FILE");
  app.add_option("--export-smaller-is-better", exports.smaller_is_better, "for github-action-benchmark")
      ->type_name("FILE");
  app.add_option("RAG_QUERY_FLAGS", query_flags, "after --: flags for rag-query, like --answer none");
}

// A folder that is not there would be met only when the runs are done.
void LatencyExports::check() const {
  for (const std::string& file : {json, markdown, junit, smaller_is_better}) {
    const std::filesystem::path folder = std::filesystem::path(file).parent_path();
    if (!folder.empty() && !std::filesystem::is_directory(folder))
      throw Error(Code::bad_input, fmt::format("cannot write '{}': there is no folder '{}'", file, folder.native()))
          .hint("make the folder, or name another file");
  }
}

// Here, so that a wrong flag is met before the first run.
void LatencyFlags::check() const {
  if (question.empty() == queries.empty())
    throw Error(Code::usage, "name one of --question TEXT and --queries FILE").hint("run bench-latency --help");
  exports.check();
  if (!gated() && (max_ratio_given || gate.limits.max_memory_ratio))
    throw Error(Code::usage, "a gate needs something to compare with")
        .hint("name --baseline FILE or --against PATH, or use bench-latency compare");
  if (gated() && gate.runs < kMinGateRuns)
    throw Error(Code::usage, fmt::format("a gate needs at least {} runs, -n is {}", kMinGateRuns, gate.runs))
        .hint("the default of 40 tells 10 % more on a quiet machine; a noisy one goes on up to --max-runs");
}

std::vector<std::string> LatencyFlags::rag_query_flags(const Settings& settings) const {
  // From the cache the second run would be a look-up.
  std::vector<std::string> flags = {"--no-cache", "--no-progress"};
  if (const int64_t threads = settings.common.threads) flags.push_back(fmt::format("--threads={}", threads));
  flags.insert(flags.end(), query_flags.begin(), query_flags.end());
  return flags;
}

LatencyOptions LatencyFlags::options(const Settings& settings) const {
  check();
  const std::filesystem::path index = find_index(settings.index);
  const auto beside_us = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "rag-query";
  LatencyOptions asked;
  asked.command = {rag_query.empty() ? beside_us.native() : rag_query, "--index", index.native()};
  const std::vector<std::string> flags = rag_query_flags(settings);
  asked.command.insert(asked.command.end(), flags.begin(), flags.end());
  if (!against.empty()) asked.against = asked.command;
  if (!against.empty()) asked.against[0] = against;
  for (const std::string& mode : modes) {
    asked.modes.push_back(parse_latency_mode(mode));
    if (std::count(modes.begin(), modes.end(), mode) > 1)
      throw Error(Code::usage, fmt::format("--modes names {} twice", mode))
          .hint("a mode is measured against itself anyway");
  }
  asked.questions = queries.empty() ? std::vector<std::string>{question} : read_texts(queries);
  const auto most = static_cast<size_t>(limit > 0 ? limit : gate.runs);
  if (asked.questions.size() > most) asked.questions.resize(most);
  asked.warmup_runs = warmup_runs;
  asked.measure_aa = gate.runs >= kMinGateRuns;
  asked.seed = seed;
  asked.timeout = std::chrono::seconds(timeout_s);
  asked.data = present_models(settings.models);
  asked.data.push_back(index);
  return asked;
}

}  // namespace frugal::cli
