// summarize: shortens texts of any length, with a citation for every sentence (docs/tools/summarize.md).
#include <fmt/format.h>

#include <string>
#include <vector>

#include "app/cli/output.h"
#include "app/cli/tool.h"
#include "app/wiring/settings.h"
#include "app/wiring/summary_printer.h"
#include "app/wiring/summary_session.h"
#include "base/error.h"

namespace frugal {
namespace {

constexpr const char* kExamples =
    "  summarize contract.pdf                                   its most central sentences, with their pages\n"
    "  summarize lei.txt --model bart-large-cnn.pack            written by a model, each sentence borne out by the "
    "text\n"
    "  summarize report.docx --style bullets --max-length 80    a list of at most 80 words\n"
    "  git log -50 | summarize - --style one-line --no-sources  one sentence and nothing else\n"
    "  summarize *.md --format jsonl > summaries.jsonl          a JSON object for each file";

struct Flags {
  std::vector<std::string> files;
  std::string stdin_name = "stdin";
  bool no_sources = false;
};

void declare(cli::Tool& tool, Flags& flags) {
  CLI::App& app = tool.app();
  app.add_option("FILE", flags.files, "text, Markdown, HTML, PDF, office files, e-mail …; - for standard input")
      ->required();
  tool.key("--model", "models.summarizer");
  tool.key("--mode", "summary.mode");
  tool.key("--style", "summary.style");
  tool.key("--max-length", "summary.max_length");
  tool.key("--cache-type-kv", "generate.kv_dtype");
  app.add_flag("--no-sources", flags.no_sources, "print the summary alone, without marks and sources");
  tool.key_flag("--no-cache", "cache.enabled", "false", "write every part again");
  app.add_option("--stdin-name", flags.stdin_name, "name of standard input; its extension determines the format")
      ->type_name("NAME");
}

int run(cli::Tool& tool, const Settings& settings) {
  Flags flags;
  declare(tool, flags);
  tool.parse();
  if (flags.files.size() > 1 && tool.format() == "json")
    throw Error(Code::usage, "--format json is for one file").hint("--format jsonl prints an object for each file");
  SummarySession session(tool, settings);
  cli::SummaryPrinter printer(tool, settings.summary.style, !flags.no_sources, flags.files.size() > 1);
  bool failed = false;
  for (const std::string& file : flags.files) {
    try {
      printer.begin(file);
      const SummarySession::Result result = session.summarise_file(file, flags.stdin_name, printer.stream());
      if (result.summary.statements.empty())
        throw Error(Code::negative, fmt::format("'{}' has no sentence to summarise", file))
            .hint("tables, lists of links and headings alone are not summarised");
      printer.end(result);
    } catch (const Error& error) {
      if (flags.files.size() == 1 || error.code() == Code::over_budget) throw;
      cli::print_error(error.message(), error.hint());
      failed = true;
    }
  }
  return failed ? exit_code(Code::negative) : 0;
}

}  // namespace
}  // namespace frugal

int main(int argc, char** argv) {
  return frugal::run_tool(argc, argv,
                          {"summarize",
                           "Summarises a text of any length, with a citation for every sentence.",
                           frugal::kExamples,
                           {"text", "json", "jsonl"}},
                          frugal::run);
}
