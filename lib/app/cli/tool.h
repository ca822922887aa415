// What every tool does the same way: common flags, configuration and its precedence, help with examples, narration on
// standard error, and the one place where exceptions and signals become messages and exit codes (docs/tools/common.md).
//
//   int main(int argc, char** argv) {
//     return cli::run_tool(argc, argv, {"rag-query", "Answers a question from an index.", kExamples}, [](cli::Tool&
//     tool) {
//       std::string question;
//       tool.app().add_option("QUESTION", question, "what to ask")->required();
//       tool.key("-n,--top-k", "retrieval.top_k", "chunks to show");
//       tool.parse();
//       return ask(question, tool.config(), tool.format());
//     });
//   }
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/config.h"
#include "compute/ops/plugin.h"
#include "memory/budget.h"

namespace frugal::cli {

struct ToolInfo {
  std::string name;
  std::string summary;                                  // one sentence
  std::string examples;                                 // lines of commands with what they do, shown under the help
  std::vector<std::string> formats = {"text", "json"};  // what --format takes; the first is the default
};

class Tool {
 public:
  Tool(int argc, char** argv, ToolInfo info);

  /// To declare the tool's own arguments, before parse(). A long flag is also read from FRUGAL_<FLAG>; common flags are
  /// accepted after a subcommand too.
  CLI::App& app() { return app_; }
  /// A flag that overrides a key of the configuration; its value is checked as the key's is, and its help shows the
  /// key's default.
  CLI::Option* key(const std::string& flags, const std::string& key, const std::string& help,
                   CLI::App* subcommand = nullptr);
  /// A flag without a value that sets a key to `value`: --no-dense sets retrieval.dense to false.
  CLI::Option* key_flag(const std::string& flags, const std::string& key, const std::string& value,
                        const std::string& help, CLI::App* subcommand = nullptr);

  /// Reads the command line, the environment and the files, and starts the log. Help and version end the tool from
  /// here. Throws Error(usage).
  void parse();

  // From here on only after parse().
  const Config& config() const { return config_; }
  const std::string& format() const { return format_; }
  const Backend& backend() const { return backend_; }
  /// What this process may hold (app/cli/memory_options.h). Reads the system's memory where the budget is not said.
  BudgetLimits budget_limits() const;
  /// Writes what the process has counted to where --metrics says, if it does. Throws Error(io).
  void write_metrics() const;
  /// Threads to use: config().threads, or the processors this process may run on.
  int threads() const;

 private:
  struct KeyOption {
    CLI::Option* option;
    std::string key;
    std::string fixed_value;  // of key_flag
  };
  void add_common_flags();
  void name_environment(CLI::App& app, bool named);
  void parse_arguments();
  void apply_environment();
  void apply_flags();
  void read_configuration(const Config& base);
  void start_log();

  int argc_;
  char** argv_;
  ToolInfo info_;
  CLI::App app_;
  std::vector<KeyOption> keys_;
  std::string config_file_;
  std::vector<std::string> assignments_;
  std::string format_;
  std::string metrics_file_;
  bool no_progress_ = false;
  int verbosity_ = 0;
  Config config_;
  Backend backend_;
};

/// Runs `body` and returns the exit code: what body returned, or that of the error it threw (base/error.h), 70 for any
/// other exception, 5 for std::bad_alloc, 130 and 143 for SIGINT and SIGTERM, 141 where the reader of standard output
/// went away. Output that could not be written (full disk) is an error even if body did not notice.
int run_tool(int argc, char** argv, ToolInfo info, const std::function<int(Tool&)>& body);

}  // namespace frugal::cli
