// rag-eval: measures retrieval and answers on a set of questions with known answers (docs/tools/rag-eval.md).
#include <fmt/format.h>

#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/cli/output.h"
#include "app/cli/progress.h"
#include "app/cli/tool.h"
#include "app/wiring/indexing.h"
#include "app/wiring/known_laws.h"
#include "app/wiring/open_models.h"
#include "app/wiring/query_session.h"
#include "app/wiring/questions_command.h"
#include "app/wiring/secret.h"
#include "app/wiring/settings.h"
#include "base/error.h"
#include "base/output_file.h"
#include "measure/eval/cache_pairs.h"
#include "measure/eval/evaluation.h"
#include "memory/budget.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExamples =
    "  rag-eval --set eval/squad-dev-b                          index the set once, then measure retrieval\n"
    "  rag-eval --set eval/cranfield --format json --limit 100  the first 100 queries, as JSON\n"
    "  rag-eval --set A --answers --foreign B/queries.jsonl     also answers, and questions that A cannot answer\n"
    "  rag-eval questions mine.jsonl --index kb                 questions of your own, with the passages that answer "
    "them\n"
    "  rag-eval cache-pairs pairs.tsv                           how often the semantic cache takes one question for "
    "another";

struct Flags {
  int64_t limit = 0;
  std::string out_run;
  bool answers = false;
  fs::path unanswerable, foreign;
  int64_t foreign_limit = 500;
  fs::path pairs;
  bool mistakes = false;
};

void declare(cli::Tool& tool, Flags& flags) {
  CLI::App& app = tool.app();
  const CLI::Range count(0, 1'000'000'000);
  // Here --set names the set of questions; KEY=VALUE still sets a key of the configuration, as in every tool. A value
  // that is an existing folder is a set, even if it contains '='.
  tool.take_from_set(
      [](const std::string& value) { return fs::is_directory(value) || value.find('=') == std::string::npos; });
  app.get_option("--set")
      ->description("folder with corpus.jsonl, queries.jsonl and qrels.tsv; or a key to set")
      ->type_name("DIR|KEY=VALUE")
      ->group("Options");
  app.add_option("--limit", flags.limit, "use only the first N queries; 0: all")->check(count);
  tool.output_file("--out-run", flags.out_run, "write the fused ranking in TREC's run format");
  app.add_flag("--answers", flags.answers, "also extract answers and measure them, and their confidence (slower)");
  app.add_option("--unanswerable", flags.unanswerable,
                 "questions that the set seems to answer and does not; default: unanswerable.jsonl in the set")
      ->type_name("FILE");
  app.add_option("--foreign", flags.foreign, "queries that the set cannot answer: measures how often they are refused")
      ->type_name("FILE");
  app.add_option("--foreign-limit", flags.foreign_limit, "use only the first N of --foreign (default 500)")
      ->check(count);
  tool.key("--index", "index")
      ->description("folder of the set's index; default: in the cache folder, by set and embedder");
  tool.key("--fusion", "retrieval.fusion");
  tool.key("-C,--candidates", "retrieval.candidates");
  tool.key("--embedder", "models.embedder");
  tool.key_flag("--no-dense", "retrieval.dense", "false", "search by words only; no embedder is needed");
  CLI::App* pairs = app.add_subcommand("cache-pairs", "measure the semantic cache's guard on pairs of questions");
  pairs->add_option("FILE", flags.pairs, "tab-separated: label, type, lang, a, b under their names; or id, a, b, label")
      ->required();
  pairs->add_flag("--mistakes", flags.mistakes, "also print the pairs decided against their label, and why");
}

int measure_pairs(const cli::Tool& tool, const Settings& settings, const Flags& flags) {
  const PairReport report = measure_guard(read_question_pairs(flags.pairs), known_laws(settings));
  cli::print(tool.format() == "json" ? pairs_to_json(report, flags.mistakes)
                                     : pairs_to_markdown(report, flags.mistakes));
  return 0;
}

fs::path set_folder(const cli::Tool& tool) {
  const std::vector<std::string> named = tool.own_set_values();
  if (named.empty()) throw Error(Code::usage, "no set named").hint("rag-eval --set DIR; rag-eval --help shows more");
  if (named.size() > 1) throw Error(Code::usage, "--set names two sets").hint("measure one set at a time");
  return named.front();
}

int run(cli::Tool& tool, const Settings& settings) {
  Flags flags;
  declare(tool, flags);
  cli::QuestionsCommand questions;
  const CLI::App* questions_command = cli::declare_questions(tool, questions);
  tool.parse();
  if (questions_command->parsed()) return cli::measure_questions(questions, flags.limit, tool, settings);
  if (!flags.pairs.empty()) return measure_pairs(tool, settings, flags);
  for (const auto& [flag, file] : {std::pair("--foreign", flags.foreign), {"--unanswerable", flags.unanswerable}})
    if (!file.empty() && !flags.answers)
      throw Error(Code::usage, fmt::format("{} needs --answers: it counts refused answers", flag))
          .hint("add --answers");
  const EvalSet set = read_eval_set(set_folder(tool), flags.limit);
  Budget budget(tool.budget_limits());
  const auto models = open_models(settings, model_options(tool, settings, budget, Manager::Mode::cache));
  const fs::path folder = eval_index_folder(settings, set);
  index_eval_set(settings, set, folder, *models);
  const auto store = open_store(folder, budget, vector_options(settings));

  EvalOptions options;
  options.pipeline = pipeline_options(settings);
  options.answers = flags.answers;
  if (!flags.foreign.empty()) options.foreign = read_eval_queries(flags.foreign, flags.foreign_limit);
  const fs::path unanswerable = flags.unanswerable.empty() ? set.unanswerable : flags.unanswerable;
  if (flags.answers && !unanswerable.empty()) options.unanswerable = read_eval_queries(unanswerable, flags.limit);
  std::optional<cli::Progress> bar;
  options.progress = [&, drawn = std::string()](std::string_view doing, int64_t done, int64_t total) mutable {
    if (drawn != doing) bar.emplace(drawn = doing, "questions", static_cast<uint64_t>(total));
    bar->update(static_cast<uint64_t>(done));
  };
  std::ostringstream trec_run;
  const EvalReport report = evaluate(set, *store, *models, options, flags.out_run.empty() ? nullptr : &trec_run);
  bar.reset();
  if (!flags.out_run.empty()) write_output(flags.out_run, trec_run.str());
  cli::print(tool.format() == "json" ? report_to_json(report, 2) + "\n" : report_to_markdown(report));
  return 0;
}

}  // namespace
}  // namespace frugal

int main(int argc, char** argv) {
  return frugal::run_tool(argc, argv,
                          {"rag-eval",
                           "Measures retrieval and answers on a set of questions with known answers.",
                           frugal::kExamples,
                           {"md", "json"}},
                          frugal::run);
}
