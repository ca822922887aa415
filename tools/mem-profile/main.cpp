// mem-profile: what memory models, stages and commands take (docs/tools/mem-profile.md).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/thread_pool.h"
#include "base/units.h"
#include "cli/json.h"
#include "cli/memory_diff.h"
#include "cli/memory_report.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/tool.h"
#include "config/pipeline.h"
#include "eval/command.h"
#include "eval/loaded_model.h"
#include "memory/budget.h"

using namespace frugal;

namespace {

constexpr const char* kExamples =
    "  mem-profile --pipeline configs/pipeline.yaml          load, run and unload each model in turn\n"
    "  mem-profile --model models/all-minilm-l6-v2.pack      one model\n"
    "  mem-profile --format json -- rag-query \"who?\"         any command, with its children\n"
    "  mem-profile diff a.jsonl b.jsonl --fail-above anon=5%  two such records: exit 1 if b takes more\n";

using Loaded = std::map<std::string, std::unique_ptr<LoadedModel>>;

/// Does what `stage` says to `loaded`; the note says what a run did.
std::string perform(const PipelineStage& stage, const std::filesystem::path& pack, Loaded& loaded, ThreadPool& threads,
                    Budget& budget, const Backend& backend) {
  switch (stage.action) {
    case PipelineStage::Action::load:
      loaded[stage.model] = std::make_unique<LoadedModel>(pack, threads, &budget, backend);
      return {};
    case PipelineStage::Action::run:
      return loaded.at(stage.model)->run(stage.text, stage.max_new_tokens);
    case PipelineStage::Action::unload:
      loaded.erase(stage.model);
      return {};
  }
  return {};
}

int profile_pipeline(const std::vector<PipelineStage>& stages, const cli::Tool& tool) {
  ThreadPool threads(tool.threads());
  Budget budget(tool.config().memory_budget);
  Loaded loaded;
  std::vector<StageProfile> profiles;
  for (const PipelineStage& stage : stages) {
    const std::vector<std::filesystem::path> files = {pack_of(stage.model, tool.config().models)};
    std::string note;
    const std::string name = fmt::format("{} {}", to_string(stage.action), stage.model);
    profiles.push_back(
        profile_stage(name, files, [&] { note = perform(stage, files[0], loaded, threads, budget, tool.backend()); }));
    if (tool.format() == "json") {
      const cli::StageLabel label = {std::string(to_string(stage.action)), stage.model, note};
      cli::print(cli::json_line(cli::stage_json(profiles.back(), label)));
      cli::flush_output();
    }
  }
  if (tool.format() == "text") cli::print(cli::stage_table(profiles));
  return 0;
}

int profile_command(const std::vector<std::string>& command, const cli::Tool& tool) {
  const cli::GracefulStop graceful;
  CommandOptions options;
  options.sample_memory = true;
  options.cancelled = cli::interrupted;
  const CommandResult result = run_command(command, options);
  const SampledPeak& peak = *result.peak;
  if (tool.format() == "json") {
    cli::print(cli::json_line(cli::command_json(command, result.exit_code, result.elapsed_ns, peak)));
  } else {
    cli::print(cli::command_text(result.elapsed_ns, peak));
  }
  return result.exit_code;
}

struct Diff {
  std::string before, now, ignore_below = "64KiB";
  std::vector<std::string> fail_above;
};

CLI::App* declare_diff(cli::Tool& tool, Diff& diff) {
  CLI::App* sub = tool.app().add_subcommand("diff", "what changed between two records of --format json");
  sub->add_option("BEFORE", diff.before, "the older record")->required()->type_name("FILE");
  sub->add_option("NOW", diff.now, "the newer one")->required()->type_name("FILE");
  sub->add_option("--fail-above", diff.fail_above, "exit 1 where a figure grew by more: anon=5%, peak_pss=2MiB")
      ->delimiter(',')
      ->type_name("FIGURE=LIMIT");
  sub->add_option("--ignore-below", diff.ignore_below, "growth that never fails (default 64KiB)")->type_name("SIZE");
  return sub;
}

int compare(const Diff& asked, const cli::Tool& tool) {
  std::vector<cli::MemoryGate> gates;
  for (const std::string& text : asked.fail_above)
    for (const cli::MemoryGate& gate : cli::parse_gates(text)) gates.push_back(gate);
  const cli::MemoryDiff diff =
      cli::compare_memory(cli::read_memory_records(asked.before), cli::read_memory_records(asked.now), gates,
                          parse_bytes(asked.ignore_below, "--ignore-below"));
  cli::print(tool.format() == "json" ? cli::json_document(cli::diff_json(diff)) : cli::diff_text(diff));
  return diff.passed() ? 0 : 1;
}

std::vector<PipelineStage> one_model(const std::string& pack, const std::string& text, int64_t max_new_tokens) {
  using Action = PipelineStage::Action;
  return {{Action::load, pack, {}, 0}, {Action::run, pack, text, max_new_tokens}, {Action::unload, pack, {}, 0}};
}

int mem_profile(cli::Tool& tool) {
  std::string pipeline, model, text = "A file that is mapped is read only where it is touched.";
  int64_t max_new_tokens = 32;
  std::vector<std::string> command;
  CLI::App& app = tool.app();
  app.add_option("--pipeline", pipeline, "stages to go through, as in configs/pipeline.yaml")->type_name("FILE");
  app.add_option("-m,--model", model, "load, run and unload one model")->type_name("PACK");
  app.add_option("--text", text, "with --model: what to embed, or the prompt")->type_name("TEXT");
  app.add_option("--max-new-tokens", max_new_tokens, "with --model: tokens to write")->check(CLI::Range(1, 1 << 20));
  app.add_option("COMMAND", command, "after --: a command; its standard output goes to standard error");
  Diff diff;
  const CLI::App* diff_command = declare_diff(tool, diff);
  tool.parse();

  if (diff_command->parsed()) return compare(diff, tool);
  if (int(!pipeline.empty()) + int(!model.empty()) + int(!command.empty()) != 1)
    throw Error(Code::usage, "name one of --pipeline FILE, --model PACK and -- COMMAND").hint("run mem-profile --help");
  if (!command.empty()) return profile_command(command, tool);
  return profile_pipeline(pipeline.empty() ? one_model(model, text, max_new_tokens) : load_pipeline(pipeline), tool);
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(argc, argv,
                       {"mem-profile", "Measures the memory that models, stages and commands really take.", kExamples},
                       mem_profile);
}
