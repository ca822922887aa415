// What every tool does the same way: common flags, configuration and its precedence, help with examples, narration on
// standard error, and the one place where exceptions and signals become messages and exit codes (docs/tools/common.md).
//
//   int ask(cli::Tool& tool, const Settings& settings) {
//     std::string question;
//     tool.app().add_option("QUESTION", question, "what to ask")->required();
//     tool.key("-n,--top-k", "retrieval.top_k");
//     tool.parse();
//     …
//   }
//
// The settings are those of app/wiring; here they are a list of keys, but for the few that every tool has.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli/common_settings.h"
#include "app/config/setting_list.h"
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
  /// `common` is a part of what `settings` borrow, and borrowed as well.
  Tool(int argc, char** argv, ToolInfo info, SettingList settings, const CommonSettings& common);

  /// To declare the tool's own arguments, before parse(). A long flag is also read from FRUGAL_<FLAG>; common flags are
  /// accepted after a subcommand too.
  CLI::App& app() { return app_; }
  /// A flag that overrides a key of the configuration; its value is checked as the key's is, and its help is the key's
  /// documentation with its default.
  CLI::Option* key(const std::string& flags, const std::string& key, CLI::App* subcommand = nullptr);
  /// A flag without a value that sets a key to `value`: --no-dense sets retrieval.dense to false.
  CLI::Option* key_flag(const std::string& flags, const std::string& key, const std::string& value,
                        const std::string& help, CLI::App* subcommand = nullptr);

  /// Values of --set for which `is_own` is true are the tool's (own_set_values()), the others settings as everywhere.
  void take_from_set(std::function<bool(const std::string& value)> is_own) { is_own_set_value_ = std::move(is_own); }

  /// Reads the command line, the environment and the files, and starts the log. Help and version end the tool from
  /// here. Throws Error(usage).
  void parse();

  // From here on only after parse().
  std::vector<std::string> own_set_values() const;
  const std::string& format() const { return format_; }
  const Backend& backend() const { return backend_; }
  /// What this process may hold (app/cli/memory_options.h). Reads the system's memory where the budget is not said.
  BudgetLimits budget_limits() const;
  /// Writes what the process has counted to where --metrics says, if it does. Throws Error(io).
  void write_metrics() const;
  /// Threads to use: as set, or the processors this process may run on.
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
  void read_configuration(const std::string& profile);
  bool is_own_set_value(const std::string& value) const;
  void start_log();

  int argc_;
  char** argv_;
  ToolInfo info_;
  SettingList settings_;
  const CommonSettings& common_;
  std::function<bool(const std::string&)> is_own_set_value_;
  CLI::App app_;
  std::vector<KeyOption> keys_;
  std::string config_file_;
  std::vector<std::string> assignments_;
  std::string format_;
  std::string metrics_file_;
  bool no_progress_ = false;
  int verbosity_ = 0;
  Backend backend_;
};

/// Runs `body` and returns the exit code: what body returned, or that of the error it threw (base/error.h), 70 for any
/// other exception, 5 for std::bad_alloc, 130 and 143 for SIGINT and SIGTERM, 141 where the reader of standard output
/// went away. Output that could not be written (full disk) is an error even if body did not notice.
int run_tool(int argc, char** argv, ToolInfo info, const SettingList& settings, const CommonSettings& common,
             const std::function<int(Tool&)>& body);

}  // namespace frugal::cli
