#include "app/wiring/paging_command.h"

#include <nlohmann/json.hpp>

#include "app/cli/memory_options.h"
#include "app/cli/output.h"
#include "app/config/paths.h"
#include "base/error.h"
#include "measure/profile/paging_report.h"
#include "measure/report/json.h"
#include "telemetry/child_process.h"

namespace frugal::cli {

CLI::App* declare_paging(Tool& tool, PagingCommand& command) {
  CLI::App* sub = tool.app().add_subcommand("paging", "measure a generator whose weights do not fit --memory-budget");
  sub->add_option("-m,--model", command.model, "the generator")->required()->type_name("PACK");
  sub->add_option("--text", command.plan.text, "the prompt");
  sub->add_option("--max-new-tokens", command.plan.new_tokens, "tokens to generate")->check(CLI::Range(1, 1 << 20));
  sub->add_option("--page-policy", command.policies, "policies to measure: predictive, lru, clock")
      ->delimiter(',')
      ->allow_extra_args(false);
  sub->add_option("--page-source", command.sources, "sources to measure: direct (cold disk), mapped (page cache)")
      ->delimiter(',')
      ->allow_extra_args(false);
  sub->add_option("--rounds", command.plan.rounds, "runs of each combination; the median is reported")
      ->check(CLI::Range(1, 1000));
  return sub;
}

int profile_paging(const PagingCommand& command, const Tool& tool, const Settings& settings) {
  if (!tool.backend().native())
    throw Error(Code::usage, "only the native backend can page weights").hint("leave --backend out");
  PagingPlan plan = command.plan;
  plan.pack = find_model(command.model);
  plan.threads = tool.threads();
  plan.budget_bytes = parse_budget(settings.common.memory.budget).bytes;
  for (const std::string& name : command.sources) plan.sources.push_back(parse_named<BlockSource>("page source", name));
  for (const std::string& name : command.policies)
    plan.policies.push_back(parse_named<PagePolicyKind>("paging policy", name));
  const PagingAblation ablation = measure_paging(plan, run_in_child);
  print(tool.format() == "json" ? json_document(paging_json(ablation)) : paging_text(ablation));
  return ablation.passed() ? 0 : 1;
}

}  // namespace frugal::cli
