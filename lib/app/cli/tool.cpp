// How a tool starts. Settings come from several sources, and later ones win: defaults, hardware profile, user's file,
// project's file, environment, --set, flags. CLI11 parses the command line; app/config parses files.
//
// A flag of key() is declared to CLI11 only for its name and its help; its value stays text. read_configuration() then
// applies all sources in the order above with set_key(), so that a value from any source is checked in the same way,
// and messages name the source. Flags that are not settings (--format, --config) are ordinary CLI11 options, and CLI11
// reads their environment variables.
//
// A profile has lower precedence than the files that may name it. If one is named, parse() therefore reads the
// configuration twice: once to learn the name, and again on top of the profile. The log is started after the first
// reading, so a profile cannot change it.
//
// How a tool ends. Every path leads through run_tool(): a body that returns, an Error, an interrupt, a closed pipe, and
// exceptions of other libraries each have an exit code. Metrics are written before an error leaves the body, because
// they count refused reservations. The output buffer is flushed last; if that fails, the exit code reports it.
#include "app/cli/tool.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <span>
#include <sstream>
#include <system_error>

#include "app/cli/machine.h"
#include "app/cli/memory_options.h"
#include "app/cli/output.h"
#include "app/cli/progress.h"
#include "app/cli/signals.h"
#include "app/cli/variables.h"
#include "app/config/load.h"
#include "app/config/paths.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/log.h"
#include "base/output_file.h"
#include "base/suggest.h"
#include "base/version.h"
#include "base/visible.h"
#include "measure/report/metrics_report.h"

namespace frugal::cli {
namespace {

/// Thrown to end the tool without an error, after --help and --version.
struct Finished {
  int exit_code;
};

std::string long_flag(const CLI::Option& option) {
  return option.get_lnames().empty() ? option.get_name() : "--" + option.get_lnames().front();
}

// Flags and subcommands that are valid where an unknown argument was found: candidates for a suggestion.
std::vector<std::string> known_words(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    words.push_back(sub->get_name());
    if (!sub->parsed()) continue;
    for (std::string& word : known_words(*sub)) words.push_back(std::move(word));
  }
  return words;
}

std::string help_command(const std::string& tool, const CLI::App& app) {
  for (const CLI::App* sub : app.get_subcommands()) return fmt::format("{} {} --help", tool, sub->get_name());
  return tool + " --help";
}

// True if `word` stands behind "--" on the command line, and not before it as well.
bool is_behind_dashes(std::span<char* const> arguments, std::string_view word) {
  const auto is = [](std::string_view wanted) { return [wanted](const char* argument) { return argument == wanted; }; };
  const auto dashes = std::find_if(arguments.begin(), arguments.end(), is("--"));
  return std::none_of(arguments.begin(), dashes, is(word)) && std::any_of(dashes, arguments.end(), is(word));
}

Error unknown_argument(const std::string& tool, const CLI::App& app, std::span<char* const> arguments) {
  const std::vector<std::string> extras = app.remaining(true);
  std::string word = extras.empty() ? std::string("argument") : extras.front();
  for (const std::string& extra : extras)
    if (extra.substr(0, 1) == "-" && extra != "--") {
      word = extra.substr(0, extra.find('='));
      break;
    }
  const bool flag = word.substr(0, 1) == "-";
  if (flag && is_behind_dashes(arguments, word))
    return Error(Code::usage, fmt::format("unexpected argument '{}' after '--'", word))
        .hint("put flags before '--': every word behind it is an argument");
  Error error(Code::usage, fmt::format("unknown {} '{}'", flag ? "flag" : "argument", word));
  const std::string nearest = nearest_name(word, known_words(app));
  return error.hint(nearest.empty() ? fmt::format("run {}", help_command(tool, app))
                                    : fmt::format("did you mean '{}'?", nearest));
}

// CLI11's message in our form.
std::string message_of(const CLI::ParseError& failure) {
  constexpr std::string_view kConversion = "Could not convert: ", kIs = " = ";
  std::string message = failure.what();
  const size_t is = message.find(kIs);
  if (!message.starts_with(kConversion) || is == std::string::npos) return message;
  return fmt::format("{}: '{}' is not a number, or too large",
                     message.substr(kConversion.size(), is - kConversion.size()), message.substr(is + kIs.size()));
}

// The hint names the environment variable if the wrong value came from one.
Error usage_error(const std::string& tool, const CLI::App& app, const CLI::ParseError& failure) {
  std::string message = message_of(failure);
  if (!message.empty() && !(message.size() > 1 && std::isupper(static_cast<unsigned char>(message[1]))))
    message[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(message[0])));
  Error error(Code::usage, message);
  for (const CLI::Option* option : app.get_options()) {
    const char* value = option->get_envname().empty() ? nullptr : std::getenv(option->get_envname().c_str());
    if (value && *value && message.find(long_flag(*option)) != std::string::npos)
      return error.hint(fmt::format("the environment sets {}={}; change or unset it", option->get_envname(), value));
  }
  return error.hint(fmt::format("run {}", help_command(tool, app)));
}

// The examples of a subcommand; all, if none is of it.
std::string examples_of(const ToolInfo& info, const std::string& subcommand) {
  const std::string command = info.name + " " + subcommand;
  std::string chosen;
  std::istringstream lines(info.examples);
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find(command);
    const size_t end = at + command.size();
    const bool named = at != std::string::npos && (end == line.size() || line[end] == ' ');
    if (named) chosen += (chosen.empty() ? "" : "\n") + line;
  }
  return chosen.empty() ? info.examples : chosen;
}

std::string help_footer(const std::string& examples) {
  std::string footer = "Each long flag can also be set in the environment: --log-level as FRUGAL_LOG_LEVEL.";
  if (!examples.empty()) footer += "\n\nExamples:\n" + examples;
  return footer;
}

// Lets a command line be complete without what the work itself would need.
void require_nothing(CLI::App& app) {
  app.require_subcommand(0);
  for (CLI::Option* option : app.get_options()) option->required(false);
  for (CLI::App* sub : app.get_subcommands([](CLI::App*) { return true; })) require_nothing(*sub);
}

std::string_view prefix(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return "error: ";
    case LogLevel::warn:
      return "warning: ";
    case LogLevel::info:
      return "";
    case LogLevel::debug:
      return "debug: ";
  }
  return "";
}

std::string timestamp() {
  timeval now{};
  ::gettimeofday(&now, nullptr);
  tm utc{};
  ::gmtime_r(&now.tv_sec, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  return fmt::format("{}.{:03}Z", text, now.tv_usec / 1000);
}

}  // namespace

Tool::Tool(int argc, char** argv, ToolInfo info, SettingList settings, const CommonSettings& common)
    : argc_(argc),
      argv_(argv),
      info_(std::move(info)),
      settings_(std::move(settings)),
      common_(common),
      app_(info_.summary, info_.name),
      format_(info_.formats.front()) {
  app_.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app_.fallthrough();
  app_.set_help_flag("-h,--help", "show this help");
  app_.set_version_flag("--version", fmt::format("{} {} ({})", info_.name, version(), commit()),
                        "show version and commit");
  add_common_flags();
}

void Tool::add_common_flags() {
  app_.option_defaults()->group("Common");
  app_.add_option("--config", config_file_, "configuration file to read instead of ./frugal.yaml")->type_name("FILE");
  app_.add_option("--set", assignments_, "set a key of the configuration (configs/default.yaml lists them); repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  key("-t,--threads", "threads");
  key("--profile", "profile");
  key("--memory-budget", "memory.budget")->type_name("SIZE");
  key("--gpu-memory-budget", "memory.gpu_budget")->type_name("SIZE");
  key("--backend", "backend");
  app_.add_option("--format", format_, fmt::format("format of the output: {}", fmt::join(info_.formats, ", ")))
      ->type_name("FORMAT")
      ->check([formats = info_.formats](const std::string& format) {
        const bool known = std::find(formats.begin(), formats.end(), format) != formats.end();
        return known ? std::string() : fmt::format("'{}' is not one of {}", format, fmt::join(formats, ", "));
      });
  app_.add_flag("-v,--verbose", verbosity_, "log the progress of the work on standard error; -vv logs more");
  key("--log-level", "log.level");
  key("--log-file", "log.file")->type_name("FILE");
  output_file("--metrics", metrics_file_, "write the metrics at the end, as Prometheus text; FILE.json: as JSON");
  app_.add_flag("--no-progress", no_progress_, "draw no progress line");
  app_.add_flag("--print-config", print_config_, "show every setting, and where its value comes from");
  app_.option_defaults()->group("Options");
}

CLI::Option* Tool::key(const std::string& flags, const std::string& key, CLI::App* subcommand) {
  const SettingField* field = settings_.find(key);
  FRUGAL_CHECK(field);
  if (key == "index" && !app_.get_option_no_throw("--list-indexes"))
    app_.add_flag("--list-indexes", list_indexes_, "show the indexes that --index finds by name")->group("Common");
  std::string text(field->doc());
  if (const std::string value = field->text(); !value.empty()) text += fmt::format(" (default {})", value);
  // CLI11 takes any text here: set_key() checks the value, as it does for files and the environment.
  CLI::App& owner = subcommand ? *subcommand : app_;
  CLI::Option* option = owner.add_option(flags, CLI::callback_t([](const CLI::results_t&) { return true; }), text);
  option->type_name("VALUE")->type_size(1)->expected(1);
  keys_.push_back({option, key, {}});
  return option;
}

CLI::Option* Tool::key_flag(const std::string& flags, const std::string& key, const std::string& value,
                            const std::string& help, CLI::App* subcommand) {
  CLI::Option* option = (subcommand ? *subcommand : app_).add_flag(flags, help);
  keys_.push_back({option, key, value});
  return option;
}

CLI::Option* Tool::output_file(const std::string& flags, std::string& file, const std::string& help,
                               CLI::App* subcommand) {
  output_files_.push_back(&file);
  return (subcommand ? *subcommand : app_).add_option(flags, file, help)->type_name("FILE");
}

// CLI11 reads the environment for the tool's own options. Options of configuration keys are left to
// apply_environment(), since --set overrides the environment. `enabled` false removes the names again, for a shorter
// help.
void Tool::bind_environment(CLI::App& app, bool enabled) {
  for (CLI::Option* option : app.get_options()) {
    const bool is_key = std::any_of(keys_.begin(), keys_.end(), [&](const KeyOption& k) { return k.option == option; });
    if (is_key || option->get_lnames().empty()) continue;
    const std::string& name = option->get_lnames().front();
    const auto is = [&](std::string_view other) { return name == other; };
    const bool answers_and_ends = is("help") || is("version") || is("print-config") || is("list-indexes");
    if (!answers_and_ends && !is("set")) option->envname(enabled ? environment_name(name) : "");
  }
  for (CLI::App* sub : app.get_subcommands([](CLI::App*) { return true; })) bind_environment(*sub, enabled);
}

// CLI11's help of a subcommand lacks what the tool itself has: the common flags, the note on the environment, examples.
std::string Tool::help() const {
  const auto chosen = app_.get_subcommands();
  if (chosen.empty()) return app_.help();
  const auto common = app_.get_options([](const CLI::Option* option) { return option->get_group() == "Common"; });
  std::string text = app_.help();
  while (text.ends_with('\n')) text.pop_back();
  return text + "\n" + CLI::Formatter().make_group("Common", false, common) + "\n" +
         help_footer(examples_of(info_, chosen.front()->get_name())) + "\n";
}

void Tool::print_config() const {
  if (format_.starts_with("json")) {
    nlohmann::ordered_json json{{"schema_version", 1}, {"settings", nlohmann::ordered_json::array()}};
    for (const SettingField& field : settings_.fields())
      json["settings"].push_back({{"key", field.key()}, {"value", field.text()}, {"origin", field.origin()}});
    return print("{}\n", json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  }
  for (const SettingField& field : settings_.fields())
    print("{:<50} # {}\n", fmt::format("{}={}", field.key(), field.text()), field.origin());
}

void Tool::print_indexes() const {
  std::vector<std::filesystem::path> indexes = named_indexes();
  if (format_.starts_with("json")) {
    nlohmann::ordered_json json{{"schema_version", 1}, {"indexes", nlohmann::ordered_json::array()}};
    for (const std::filesystem::path& index : indexes)
      json["indexes"].push_back({{"name", index.filename().native()}, {"path", index.native()}});
    return print("{}\n", json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  }
  for (const std::filesystem::path& index : indexes) print("{}\t{}\n", index.filename().native(), index.native());
  if (!indexes.empty()) return;
  const std::optional<std::filesystem::path> data = data_home();
  print_message(data ? fmt::format("no index in '{}'", (*data / "indexes").native()) : "there is no home folder");
}

void Tool::parse_arguments() {
  const std::vector<std::string_view> arguments(argv_, argv_ + argc_);
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  for (const std::string_view question : {"--print-config", "--list-indexes"})
    if (std::find(arguments.begin(), dashes, question) != dashes) require_nothing(app_);
  try {
    app_.parse(argc_, argv_);
  } catch (const CLI::CallForHelp&) {
    bind_environment(app_, false);  // the footer says it once for all flags
    print(help());
    throw Finished{0};
  } catch (const CLI::CallForVersion& request) {
    print("{}\n", request.what());
    throw Finished{0};
  } catch (const CLI::ExtrasError&) {
    throw unknown_argument(info_.name, app_, {argv_, size_t(argc_)});
  } catch (const CLI::RequiredError& failure) {
    // A misspelt subcommand is a missing one, too: `rag-index stauts`.
    if (!app_.remaining(true).empty()) throw unknown_argument(info_.name, app_, {argv_, size_t(argc_)});
    throw usage_error(info_.name, app_, failure);
  } catch (const CLI::ParseError& failure) {
    throw usage_error(info_.name, app_, failure);
  }
}

void Tool::check_output_files() const {
  for (const std::string* file : output_files_) {
    if (file->empty()) continue;
    const OutputFile output(*file);
    output.check();
    if (output.is_standard_output()) print_to_stderr();
  }
}

void Tool::apply_environment() {
  for (const auto& [option, key, fixed_value] : keys_) {
    const std::string name = environment_name(long_flag(*option).substr(2));
    const char* value = std::getenv(name.c_str());
    if (!value || !*value) continue;
    if (fixed_value.empty()) {
      set_key(settings_, key, value, name);
    } else if (CLI::detail::to_flag_value(value) > 0) {
      set_key(settings_, key, fixed_value, name);
    }
  }
}

void Tool::apply_flags() {
  for (const std::string& assignment : assignments_)
    if (!is_own_set_value(assignment)) set_assignment(settings_, assignment);
  for (const auto& [option, key, fixed_value] : keys_) {
    if (option->count() == 0) continue;
    set_key(settings_, key, fixed_value.empty() ? option->results().back() : fixed_value, long_flag(*option));
  }
}

void Tool::start_log() {
  LogLevel level = common_.log.level;
  if (verbosity_ > 0) level = std::max(level, verbosity_ > 1 ? LogLevel::debug : LogLevel::info);
  std::shared_ptr<std::FILE> file;  // shared because a LogSink is copyable
  if (!common_.log.file.empty()) {
    const std::filesystem::path path = expand_home(common_.log.file);
    file.reset(std::fopen(path.c_str(), "ae"), [](std::FILE* f) {
      if (f) std::fclose(f);
    });
    if (!file) throw io_error("open log file", path.native());
  }
  set_log_sink(
      [file](LogLevel line_level, std::string_view line) {
        print_message(fmt::format("{}{}", prefix(line_level), line));
        if (!file) return;
        std::fputs(fmt::format("{} {}{}\n", timestamp(), prefix(line_level), visible_line(line)).c_str(), file.get());
        std::fflush(file.get());
      },
      level);
  if (!config_warning_.empty()) log(LogLevel::warn, "{}", config_warning_);
  for (const std::string& unknown : unknown_variables(environ)) log(LogLevel::warn, "{}", unknown);
}

void Tool::parse() {
  bind_environment(app_, true);
  app_.footer(help_footer(info_.examples));
  parse_arguments();
  if (list_indexes_) {
    print_indexes();
    throw Finished{0};
  }
  check_output_files();
  read_configuration("");
  start_log();
  // The profile is named by the settings that override it: they are read a second time, on top of the profile.
  if (const std::string profile = common_.profile; !profile.empty()) read_configuration(profile);
  if (no_progress_) Progress::disable();
  backend_ = parse_backend(common_.backend);
  backend_.device_bytes = device_bytes(common_.memory);
  parse_budget(common_.memory.budget);
  if (!print_config_) return;
  print_config();
  throw Finished{0};
}

void Tool::read_configuration(const std::string& profile) {
  settings_.reset();
  if (!profile.empty()) apply_named_profile(settings_, profile);
  config_warning_ = load_config(settings_, config_file_);
  apply_environment();
  apply_flags();
}

bool Tool::is_own_set_value(const std::string& value) const {
  return is_own_set_value_ && is_own_set_value_(value);
}

std::vector<std::string> Tool::own_set_values() const {
  std::vector<std::string> values;
  for (const std::string& value : assignments_)
    if (is_own_set_value(value)) values.push_back(value);
  return values;
}

BudgetLimits Tool::budget_limits() const {
  return cli::budget_limits(common_.memory, read_system_memory());
}

void Tool::write_metrics() const {
  if (!metrics_file_.empty()) frugal::write_metrics(metrics_file_);
}

int Tool::threads() const {
  return common_.threads > 0 ? static_cast<int>(common_.threads) : available_cpus();
}

namespace {

// The metrics are written after a failure too: the number of refused reservations is one of them.
int run_with_metrics(Tool& tool, const std::function<int(Tool&)>& body) {
  try {
    const int code = body(tool);
    tool.write_metrics();
    return code;
  } catch (const Error&) {
    tool.write_metrics();
    throw;
  }
}

// What the system refuses to the standard library: a path that is no path, a thread.
Error as_error(const std::system_error& refusal) {
  const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&refusal);
  errno = refusal.code().value();
  if (file) return io_error("use", file->path1().native());
  Error error(Code::io, fmt::format("the system refused: {}", refusal.what()));
  if (refusal.code() == std::errc::resource_unavailable_try_again)
    error.hint("raise the limit on processes (ulimit -u), or use --threads 1");
  return error;
}

int run_guarded(const std::function<int()>& body) {
  try {
    const int code = body();
    throw_if_interrupted();
    return code;
  } catch (const Finished& finished) {
    return finished.exit_code;
  } catch (const Interrupted& interruption) {
    return 128 + interruption.signal;
  } catch (const OutputClosed&) {
    return 128 + SIGPIPE;
  } catch (const Error& error) {
    print_error(error.message(), error.hint());
    return exit_code(error.code());
  } catch (const std::bad_alloc&) {
    return end_out_of_memory();
  } catch (const std::system_error& refusal) {
    const Error error = as_error(refusal);
    print_error(error.message(), error.hint());
    return exit_code(error.code());
  } catch (const std::exception& failure) {
    print_error(fmt::format("internal: {}", failure.what()),
                "this is a bug in frugal; please report it with the command line");
    return exit_code(Code::internal);
  }
}

// The rest of the buffer reaches the reader, or the exit code reports that it did not.
int finish_output(int code) {
  try {
    flush_output();
    return code;
  } catch (const OutputClosed&) {
    return 128 + SIGPIPE;
  } catch (const Error& error) {
    print_error(error.message(), error.hint());
    return code == 0 ? exit_code(error.code()) : code;
  }
}

}  // namespace

int run_tool(int argc, char** argv, ToolInfo info, const SettingList& settings, const CommonSettings& common,
             const std::function<int(Tool&)>& body) {
  install_signal_handlers();
  try {
    const int code = finish_output(run_guarded([&] {
      Tool tool(argc, argv, std::move(info), settings, common);
      return run_with_metrics(tool, body);
    }));
    Progress::hide_line();
    set_log_sink({}, LogLevel::error);
    return code;
  } catch (const std::bad_alloc&) {  // a message was being made of an error
    return end_out_of_memory();
  }
}

}  // namespace frugal::cli
