#include "app/wiring/questions_command.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <vector>

#include "app/cli/output.h"
#include "app/cli/progress.h"
#include "app/config/paths.h"
#include "app/wiring/open_models.h"
#include "app/wiring/query_session.h"
#include "app/wiring/secret.h"
#include "base/error.h"
#include "measure/eval/dataset.h"
#include "measure/eval/question_file.h"
#include "memory/budget.h"

namespace frugal::cli {
namespace {

// A subcommand accepts the flags of its tool: those that say how a set is measured mean nothing here.
void refuse_flags_of_sets(Tool& tool) {
  for (const char* flag : {"--out-run", "--answers", "--unanswerable", "--foreign", "--foreign-limit"})
    if (tool.app().get_option(flag)->count() > 0)
      throw Error(Code::usage, fmt::format("{} is for --set DIR, not for questions", flag))
          .hint("leave it out; rag-eval questions --help shows the flags");
  if (!tool.own_set_values().empty())
    throw Error(Code::usage, "questions are asked of an index, not of a set").hint("name the index with --index DIR");
}

}  // namespace

CLI::App* declare_questions(Tool& tool, QuestionsCommand& command) {
  CLI::App* sub =
      tool.app().add_subcommand("questions", "measure an index on hand-written questions with gold passages");
  sub->add_option("FILE", command.file, "a question a line: {\"_id\",\"text\",\"gold\":[…],\"answers\":[…]}")
      ->required();
  tool.key("--index", "index", sub);
  return sub;
}

int measure_questions(const QuestionsCommand& command, int64_t limit, Tool& tool, const Settings& settings) {
  refuse_flags_of_sets(tool);
  const std::vector<EvalQuery> questions = read_eval_queries(command.file, limit);
  if (questions.empty())
    throw Error(Code::bad_input, fmt::format("'{}' has no questions", command.file.native()))
        .hint("a question is a line: {\"_id\":\"1\",\"text\":\"…\",\"gold\":[\"…\"],\"answers\":[\"…\"]}");
  Budget budget(tool.budget_limits());
  const auto store = open_store(find_index(settings.index), budget, vector_options(settings));
  const auto models = open_models(settings, model_options(tool, settings, budget, Manager::Mode::cache));
  std::optional<Progress> bar;
  bar.emplace("asking", "questions", questions.size());
  const QuestionReport report =
      evaluate_questions(command.file.filename().native(), questions, *store, *models, pipeline_options(settings),
                         [&](int64_t done, int64_t) { bar->update(static_cast<uint64_t>(done)); });
  bar.reset();
  if (report.ranks && report.ranks->first_10.mean == 0)
    print_message("no gold passage was found for any question: are they named as in this index?");
  print(tool.format() == "json" ? question_report_to_json(report, 2) + "\n" : question_report_to_markdown(report));
  return 0;
}

}  // namespace frugal::cli
