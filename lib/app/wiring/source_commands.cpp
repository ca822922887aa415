#include "app/wiring/source_commands.h"

#include <memory>

#include "app/cli/input.h"
#include "app/cli/output.h"
#include "app/config/paths.h"
#include "app/wiring/secret.h"
#include "base/error.h"
#include "base/file.h"
#include "memory/budget.h"
#include "rag/index/store.h"
#include "rag/reply/cite_check.h"
#include "rag/reply/passage.h"

namespace frugal::cli {
namespace {

constexpr size_t kMaxAnswerBytes = size_t(256) << 20;

void print_lines(const SourceCommands& commands, const Tool& tool, const Settings& settings) {
  Budget budget(tool.budget_limits());
  const std::unique_ptr<Store> store = open_store(find_index(settings.index), budget, vector_options(settings));
  const PassageTime time = commands.now ? PassageTime::now : PassageTime::indexed;
  const Passage passage = read_passage(*store, commands.place, time, budget);
  if (const std::string note = passage_note(passage); !note.empty()) print_message(note);
  print(render_passage(passage, tool.format().starts_with("json"), stdout_is_terminal()));
}

void check_answer(const SourceCommands& commands, const Tool& tool) {
  Budget budget(tool.budget_limits());
  const std::string answer =
      commands.answer == "-" ? read_standard_input(kMaxAnswerBytes) : read_file(commands.answer, kMaxAnswerBytes);
  if (answer.size() > kMaxAnswerBytes) throw Error(Code::bad_input, "the answer is larger than 256 MiB");
  const AnswerCheck check = check_citations(answer, budget);
  print(render_check(check, tool.format().starts_with("json")));
  require_holds(check);
}

}  // namespace

void declare_sources(Tool& tool, SourceCommands& commands) {
  CLI::App* get = tool.app().add_subcommand("get", "print lines of an indexed file, and say if it has changed since");
  get->add_option("PLACE", commands.place, "PATH, PATH:LINE or PATH:FIRST-LAST, as an answer prints it")->required();
  get->add_flag("--now", commands.now, "as the file is now, if it has changed since it was indexed");
  tool.key("--index", "index", get);
  CLI::App* check = tool.app().add_subcommand("cite-check", "compare the citations of a saved answer with their files");
  check->add_option("ANSWER", commands.answer, "JSON answer of rag-query; - for standard input")->required();
}

bool is_given(const SourceCommands& commands) {
  return !commands.place.empty() || !commands.answer.empty();
}

int run_sources(const SourceCommands& commands, const Tool& tool, const Settings& settings) {
  if (!commands.answer.empty())
    check_answer(commands, tool);
  else
    print_lines(commands, tool, settings);
  return 0;
}

}  // namespace frugal::cli
