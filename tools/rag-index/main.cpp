// rag-index: creates an index of files and keeps it up to date (docs/tools/rag-index.md).
#include <fmt/format.h>

#include <iostream>
#include <string>
#include <vector>

#include "app/cli/output.h"
#include "app/cli/tool.h"
#include "app/config/paths.h"
#include "app/wiring/index_report.h"
#include "app/wiring/indexing.h"
#include "app/wiring/secret.h"
#include "app/wiring/settings.h"
#include "base/error.h"
#include "base/units.h"
#include "memory/budget.h"
#include "rag/index/index_writer.h"

namespace frugal {
namespace {

constexpr const char* kExamples =
    "  rag-index add docs notes.md --index kb     index a folder and a file; later runs read only changed files\n"
    "  rag-index add --index kb                   update everything that was added before\n"
    "  cat page.html | rag-index add - --stdin-name page.html --index kb\n"
    "  rag-index add docs --exclude '*.tmp' --index kb   leave files out, now and later\n"
    "  rag-index remove docs/old --index kb       remove files from the index, until they are added by name\n"
    "  rag-index relocate docs texts --index kb   follow a folder that was moved\n"
    "  rag-index status --index kb                show its contents and the skipped files\n"
    "  rag-index check --index kb                 verify the index, and compare it with its files";

struct Flags {
  std::vector<std::string> paths;
  std::vector<std::string> exclude, no_exclude;
  std::string old_path, new_path;
  bool no_embed = false, re_embed = false, strict = false, hidden = false, no_ignore = false, watch = false;
  std::string stdin_name = "stdin", max_file_size = "64MiB";
};

struct Commands {
  CLI::App *add, *remove, *relocate, *status, *check;
};

// Returns what is wrong with it, as CLI11 asks for.
std::string is_path(const std::string& text) {
  return text.empty() ? "an empty text is no path" : "";
}

Commands declare(cli::Tool& tool, Flags& flags) {
  CLI::App& app = tool.app();
  Commands commands{app.add_subcommand("add", "add files, folders and patterns to the index, or update them"),
                    app.add_subcommand("remove", "remove files and folders from the index"),
                    app.add_subcommand("relocate", "follow files and folders that were moved, without reading them"),
                    app.add_subcommand("status", "show the contents of the index"),
                    app.add_subcommand("check", "verify the index, and compare it with its files")};
  app.require_subcommand(1);
  CLI::App& add = *commands.add;
  add.add_option("PATH", flags.paths,
                 "files, folders, patterns; - for standard input; none: all paths that were added before")
      ->check(is_path);
  add.add_flag("--no-embed", flags.no_embed, "index words only; a later run without this flag adds the vectors");
  add.add_flag("--re-embed", flags.re_embed, "replace all vectors by those of the current embedder");
  add.add_flag("--strict", flags.strict, "exit with 1 if a file was skipped");
  add.add_flag("--hidden", flags.hidden, "include files and folders whose names begin with '.'");
  add.add_flag("--no-ignore", flags.no_ignore, "include what .gitignore and .ignore leave out");
  add.add_flag("--watch", flags.watch, "go on: update the index whenever files change, until Ctrl-C");
  for (CLI::Option* option :
       {add.add_option("--exclude", flags.exclude, "leave out files and folders, now and in later runs; repeatable"),
        add.add_option("--no-exclude", flags.no_exclude, "end such an exclusion; repeatable")})
    option->type_name("GLOB")->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add.add_option("--stdin-name", flags.stdin_name, "name of standard input; its extension determines the format")
      ->type_name("NAME");
  add.add_option("--max-file-size", flags.max_file_size, "skip larger files; csv and jsonl have no limit")
      ->type_name("SIZE");
  tool.key("--embedder", "models.embedder", &add);
  tool.key("--image-embedder", "models.image_embedder", &add);
  tool.key("--captioner", "models.captioner", &add);
  tool.key("--chunk-tokens", "chunking.max_tokens", &add);
  tool.key("--overlap-tokens", "chunking.overlap_tokens", &add);
  commands.remove->add_option("PATH", flags.paths, "files and folders")->required()->check(is_path);
  commands.relocate->add_option("OLD", flags.old_path, "the path that the index knows")->required()->check(is_path);
  commands.relocate->add_option("NEW", flags.new_path, "the path of today")->required()->check(is_path);
  for (CLI::App* command : {commands.add, commands.remove, commands.relocate, commands.status, commands.check})
    tool.key("--index", "index", command);
  return commands;
}

IndexFormat index_format(const cli::Tool& tool) {
  return tool.format() == "json" ? IndexFormat::json : IndexFormat::text;
}

void print_report(const cli::Tool& tool, const IndexReport& report) {
  if (index_format(tool) == IndexFormat::text)
    for (const std::string& line : render_warnings(report)) cli::print_message(line);
  cli::print(render_report(report, index_format(tool)));
}

int add(const cli::Tool& tool, const Settings& settings, const Flags& flags, const std::filesystem::path& folder) {
  if (flags.re_embed && flags.no_embed) throw Error(Code::usage, "--re-embed and --no-embed exclude each other");
  if (flags.paths.empty()) require_index(folder);  // updating must not create an index
  IndexOptions options = index_options(settings);
  options.scan = {flags.hidden, !flags.no_ignore};
  options.exclude = flags.exclude;
  options.no_exclude = flags.no_exclude;
  options.re_embed = flags.re_embed;
  options.extract.max_file_bytes = parse_bytes(flags.max_file_size, "--max-file-size");
  options.stdin_name = flags.stdin_name;
  options.stdin_stream = &std::cin;
  options.progress = index_progress_bars();
  Budget budget(tool.budget_limits());
  options.extract.budget = budget;
  IndexModels models;
  if (!flags.no_embed) models = open_index_models(tool, settings, folder, budget, options);
  const IndexReport report = IndexWriter(folder, options).add(flags.paths);
  print_report(tool, report);
  if (flags.watch) watch_index(folder, options, [&](const IndexReport& changes) { print_report(tool, changes); });
  return !report.unread_roots.empty() || (flags.strict && !report.skipped.empty()) ? 1 : 0;
}

int remove(const cli::Tool& tool, const Settings& settings, const Flags& flags, const std::filesystem::path& folder) {
  require_index(folder);  // removing must not create an index
  IndexOptions options = index_options(settings);
  options.stdin_name = flags.paths.empty() ? "stdin" : flags.paths.front();
  const IndexReport report = IndexWriter(folder, std::move(options)).remove(flags.paths);
  print_report(tool, report);
  return 0;
}

int relocate(const cli::Tool& tool, const Settings& settings, const Flags& flags, const std::filesystem::path& folder) {
  require_index(folder);
  print_report(tool, IndexWriter(folder, index_options(settings)).relocate(flags.old_path, flags.new_path));
  return 0;
}

int check(const cli::Tool& tool, const Settings& settings, const std::filesystem::path& folder) {
  const CheckReport report = check_index(folder, vector_options(settings));
  cli::print(render_check(report, index_format(tool)));
  if (report.problems.empty()) return 0;
  throw Error(Code::verify_failed,
              fmt::format("the index at '{}' has {} problems", folder.native(), report.problems.size()))
      .hint("if only vectors are named, run rag-index add --re-embed; else delete the folder and add the files again");
}

int run(cli::Tool& tool, const Settings& settings) {
  Flags flags;
  const Commands commands = declare(tool, flags);
  tool.parse();
  if (*commands.add)
    return add(tool, settings, flags, settings.index.empty() ? default_index() : find_index(settings.index));
  const std::filesystem::path folder = find_index(settings.index);
  if (*commands.remove) return remove(tool, settings, flags, folder);
  if (*commands.relocate) return relocate(tool, settings, flags, folder);
  if (*commands.check) return check(tool, settings, folder);
  cli::print(render_status(read_status(folder), folder, index_format(tool)));
  return 0;
}

}  // namespace
}  // namespace frugal

int main(int argc, char** argv) {
  return frugal::run_tool(
      argc, argv, {"rag-index", "Creates an index of files for rag-query, and keeps it up to date.", frugal::kExamples},
      frugal::run);
}
