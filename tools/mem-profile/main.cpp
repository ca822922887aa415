// mem-profile: measures the memory of models, stages and commands (docs/tools/mem-profile.md).
#include <nlohmann/json.hpp>

#include "app/cli/output.h"
#include "app/cli/tool.h"
#include "app/config/scenario.h"
#include "app/wiring/paging_command.h"
#include "app/wiring/profile_run.h"
#include "app/wiring/replay_command.h"
#include "app/wiring/scenario_profile.h"
#include "app/wiring/settings.h"
#include "base/error.h"
#include "base/units.h"
#include "measure/profile/memory_alert.h"
#include "measure/profile/memory_diff.h"
#include "measure/report/json.h"

using namespace frugal;

namespace {

constexpr const char* kExamples =
    "  mem-profile --pipeline configs/pipeline.yaml          load, run and unload each model in turn\n"
    "  mem-profile --model models/all-minilm-l6-v2.pack      one model\n"
    "  mem-profile --format json -- rag-query \"who?\"         any command, with its child processes\n"
    "  mem-profile diff a.jsonl b.jsonl --fail-above anon=5%  compare two records: exit 1 if b needs more\n"
    "  mem-profile paging --model x.pack --memory-budget 64MiB  cost of a budget in which not all weights fit\n";

struct Diff {
  std::string before, now, ignore_below = "64KiB";
  std::vector<std::string> fail_above;
};

CLI::App* declare_diff(cli::Tool& tool, Diff& diff) {
  CLI::App* sub = tool.app().add_subcommand("diff", "compare two records of --format json");
  sub->add_option("BEFORE", diff.before, "the earlier record")->required()->type_name("FILE");
  sub->add_option("NOW", diff.now, "the later record")->required()->type_name("FILE");
  sub->add_option("--fail-above", diff.fail_above, "exit 1 if a figure grew by more: anon=5%, peak_pss=2MiB")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("FIGURE=LIMIT");
  sub->add_option("--ignore-below", diff.ignore_below, "growth that is always accepted (default 64KiB)")
      ->type_name("SIZE");
  return sub;
}

int compare(const Diff& flags, const cli::Tool& tool) {
  std::vector<MemoryGate> gates;
  for (const std::string& text : flags.fail_above)
    for (const MemoryGate& gate : parse_gates(text)) gates.push_back(gate);
  const MemoryDiff diff = compare_memory(read_memory_records(flags.before), read_memory_records(flags.now), gates,
                                         parse_bytes(flags.ignore_below, "--ignore-below"));
  cli::print(tool.format() == "json" ? json_document(diff_json(diff)) : diff_text(diff));
  return diff.passed() ? 0 : 1;
}

int mem_profile(cli::Tool& tool, const Settings& settings, const std::vector<std::string>& arguments) {
  const std::string kText = "A file that is mapped is read only where it is touched.";
  std::string pipeline, model, text = kText;
  int64_t max_new_tokens = 32;
  std::vector<std::string> command;
  CLI::App& app = tool.app();
  app.add_option("--pipeline", pipeline, "file of stages, like configs/pipeline.yaml")->type_name("FILE");
  app.add_option("-m,--model", model, "load, run and unload one model")->type_name("PACK");
  app.add_option("--text", text, "with --model: the text to embed, or the prompt")->type_name("TEXT");
  app.add_option("--max-new-tokens", max_new_tokens, "with --model: limit on generated tokens")
      ->check(CLI::Range(1, 1 << 20));
  app.add_option("COMMAND", command, "after --: a command to run; its standard output goes to standard error");
  cli::ProfileRequest request;
  tool.output_file("--svg", request.pictures.svg, "draw the memory of the stages over time");
  tool.output_file("--html", request.pictures.html, "the same as an HTML page with a table");
  tool.output_file("--trace", request.pictures.trace, "the same as a trace for Chrome and Perfetto");
  app.add_flag("--estimate", request.estimate, "predict the memory of each stage, then compare with the measurement");
  std::vector<std::string> mode_names = {"mmap"};
  app.add_option("--load-mode", mode_names, "mmap, mlock, read, stream or naive; several are compared: mmap,read")
      ->delimiter(',')
      ->allow_extra_args(false);
  std::vector<std::string> alerts;
  app.add_option("--alert", alerts, "exit 1 if a stage exceeds a limit: peak_anon=64MiB, available=1GiB, pressure=10")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("FIGURE=LIMIT");
  Diff diff;
  const CLI::App* diff_command = declare_diff(tool, diff);
  cli::PagingCommand paging;
  paging.plan.text = kText;
  const CLI::App* paging_command = cli::declare_paging(tool, paging);
  const cli::ReplayCommand replay(tool);
  tool.parse();

  if (diff_command->parsed()) return compare(diff, tool);
  if (paging_command->parsed()) return cli::profile_paging(paging, tool, settings);
  if (replay.parsed()) return replay.run();
  if (int(!pipeline.empty()) + int(!model.empty()) + int(!command.empty()) != 1)
    throw Error(Code::usage, "give one of --pipeline FILE, --model PACK and -- COMMAND").hint("run mem-profile --help");
  request.json = tool.format() == "json";
  std::vector<LoadMode> modes;
  modes.reserve(mode_names.size());
  for (const std::string& name : mode_names) modes.push_back(parse_load_mode(name));
  if (modes.size() > 1 && !(request.pictures.svg + request.pictures.html + request.pictures.trace).empty())
    throw Error(Code::usage, "a picture shows one load mode").hint("name one --load-mode at a time");
  if (modes.size() > 1) return cli::compare_load_modes(arguments, modes, request.json);
  const Scenario stages =
      pipeline.empty() ? cli::one_model_scenario(model, text, max_new_tokens) : load_scenario(pipeline);
  alerts.insert(alerts.end(), stages.alerts.begin(), stages.alerts.end());
  for (const std::string& alert : alerts)
    for (AlertRule& rule : parse_alert(alert)) request.alerts.push_back(std::move(rule));
  if (!command.empty()) return cli::profile_command(command, request);
  request.title = std::filesystem::path(pipeline.empty() ? model : pipeline).filename();
  cli::ProfileOptions options = cli::profile_options(tool, settings);
  options.load_mode = modes.at(0);
  options.mode = stages.mode == Scenario::Mode::cache ? Manager::Mode::cache : Manager::Mode::aggressive;
  return cli::profile_scenario(stages, options, request);
}

}  // namespace

int main(int argc, char** argv) {
  return run_tool(argc, argv,
                  {"mem-profile", "Measures the memory that models, stages and commands use, by kind.", kExamples},
                  [&](cli::Tool& tool, const Settings& settings) {
                    return mem_profile(tool, settings, {argv + 1, argv + argc});
                  });
}
