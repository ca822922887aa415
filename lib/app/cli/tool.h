// The common part of all tools (docs/tools/common.md): shared flags, the order in which configurations override each
// other, help with examples, the log on standard error, and run_tool(), which turns exceptions and signals into
// messages and exit codes.
//
//   int ask(cli::Tool& tool, const Settings& settings) {
//     std::string question;
//     tool.app().add_option("QUESTION", question, "the question")->required();
//     tool.key("-n,--top-k", "retrieval.top_k");
//     tool.parse();
//     …
//   }
//
// Except for CommonSettings, the settings are only a list of keys here; app/wiring/settings.h has the structs.
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
  std::string examples;                                 // commands with their effect, a line each; the end of the help
  std::vector<std::string> formats = {"text", "json"};  // values of --format; the first is the default
};

class Tool {
 public:
  /// `settings` refers to the struct that holds `common`. Both are borrowed.
  Tool(int argc, char** argv, ToolInfo info, SettingList settings, const CommonSettings& common);

  /// Declares the tool's own arguments, before parse(). A long flag is also read from the environment variable
  /// FRUGAL_<FLAG>. Common flags are accepted before and after a subcommand.
  CLI::App& app() { return app_; }
  /// Adds a flag that overrides a key of the configuration. Its value is checked like the key's; its help is the key's
  /// documentation with the default.
  CLI::Option* key(const std::string& flags, const std::string& key, CLI::App* subcommand = nullptr);
  /// Adds a flag without a value that sets a key to `value`: --no-dense sets retrieval.dense to false.
  CLI::Option* key_flag(const std::string& flags, const std::string& key, const std::string& value,
                        const std::string& help, CLI::App* subcommand = nullptr);

  /// A flag that names a file for a result (base/output_file.h); `-` is standard output. parse() throws for a place
  /// that cannot be written, so that no long run ends without its result. If a file is standard output, print() goes to
  /// standard error: `--export-json - | jq` reads the file alone.
  CLI::Option* output_file(const std::string& flags, std::string& file, const std::string& help,
                           CLI::App* subcommand = nullptr);

  /// Takes the values of --set for which `is_own` is true for the tool itself (own_set_values()); the others remain
  /// settings.
  void take_from_set(std::function<bool(const std::string& value)> is_own) { is_own_set_value_ = std::move(is_own); }

  /// Reads the command line, the environment and the configuration files, and starts the log. --help, --version,
  /// --print-config and --list-indexes print and end the tool. Throws Error(usage).
  void parse();

  // --- valid after parse() ---
  std::vector<std::string> own_set_values() const;
  const std::string& format() const { return format_; }
  const Backend& backend() const { return backend_; }
  /// The memory limits of this process (app/cli/memory_options.h). Reads the memory of the system.
  BudgetLimits budget_limits() const;
  /// Writes the metrics of this process to the file of --metrics, if it was given. Throws Error(io).
  void write_metrics() const;
  /// Number of threads: as set, or the number of processors that this process may run on.
  int threads() const;

 private:
  struct KeyOption {
    CLI::Option* option;
    std::string key;
    std::string fixed_value;  // set by key_flag(); empty: the flag takes a value
  };
  void add_common_flags();
  void bind_environment(CLI::App& app, bool enabled);
  void parse_arguments();
  std::string help() const;
  void print_config() const;
  void print_indexes() const;
  void check_output_files() const;
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
  std::vector<const std::string*> output_files_;
  std::string config_file_, config_warning_;
  std::vector<std::string> assignments_;
  std::string format_;
  std::string metrics_file_;
  bool no_progress_ = false;
  bool print_config_ = false, list_indexes_ = false;
  int verbosity_ = 0;
  Backend backend_;
};

/// Runs `body` and returns the exit code: the result of `body`, or the code of the Error that it threw (base/error.h);
/// 5 for std::bad_alloc, 70 for any other exception, 130 and 143 for SIGINT and SIGTERM, 141 if standard output is a
/// pipe that its reader closed. Output that cannot be written (full disk) is an error even if `body` succeeded.
int run_tool(int argc, char** argv, ToolInfo info, const SettingList& settings, const CommonSettings& common,
             const std::function<int(Tool&)>& body);

}  // namespace frugal::cli
