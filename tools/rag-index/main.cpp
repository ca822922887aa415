// rag-index: keeps an index in line with files (docs/tools/rag-index.md).
#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "../shared/configured_laws.h"
#include "base/error.h"
#include "base/units.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/tool.h"
#include "config/paths.h"
#include "rag/index.h"
#include "rag/models.h"

namespace frugal {
namespace {

using nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;
constexpr size_t kShownSkipped = 20;  // of a list that text output shows

constexpr const char* kExamples =
    "  rag-index add docs notes.md --index kb     index a folder and a file; again: only what changed\n"
    "  rag-index add --index kb                   bring everything that was ever added up to date\n"
    "  cat page.html | rag-index add - --stdin-name page.html --index kb\n"
    "  rag-index remove docs/old --index kb       take files out\n"
    "  rag-index status --index kb                what is in it, and what was skipped\n"
    "  rag-index check --index kb                 is it whole, and as its files are?";

struct Flags {
  std::vector<std::string> paths;
  bool no_embed = false, re_embed = false, strict = false, hidden = false;
  std::string stdin_name = "stdin";
  std::string max_file_size = "64MiB";
};

struct Commands {
  CLI::App *add, *remove, *status, *check;
};

Commands declare(cli::Tool& tool, Flags& flags) {
  CLI::App& app = tool.app();
  Commands commands{app.add_subcommand("add", "index files, folders and patterns, or bring them up to date"),
                    app.add_subcommand("remove", "take files and folders out of the index"),
                    app.add_subcommand("status", "what the index holds"),
                    app.add_subcommand("check", "compare the index with itself and with its files")};
  app.require_subcommand(1);
  CLI::App& add = *commands.add;
  add.add_option("PATH", flags.paths,
                 "files, folders, patterns; - for standard input; none: all that were added before");
  add.add_flag("--no-embed", flags.no_embed, "words only; vectors come with a later run without this flag");
  add.add_flag("--re-embed", flags.re_embed, "drop the vectors and compute them with the embedder of now");
  add.add_flag("--strict", flags.strict, "exit 1 if anything was skipped");
  add.add_flag("--hidden", flags.hidden, "also files and folders whose names begin with '.'");
  add.add_option("--stdin-name", flags.stdin_name, "name, and by its extension format, of standard input")
      ->type_name("NAME");
  add.add_option("--max-file-size", flags.max_file_size, "larger files are skipped; files of records have no limit")
      ->type_name("SIZE");
  tool.key("--embedder", "models.embedder", "pack of the embedder", &add);
  tool.key("--chunk-tokens", "chunking.max_tokens", "longest chunk, in tokens of the embedder", &add);
  tool.key("--overlap-tokens", "chunking.overlap_tokens", "repeated where a paragraph is cut", &add);
  commands.remove->add_option("PATH", flags.paths, "files and folders")->required();
  for (CLI::App* command : {commands.add, commands.remove, commands.status, commands.check})
    tool.key("--index", "index", "folder of the index", command);
  return commands;
}

/// Draws what the writer reports; one bar a stage.
class StageProgress {
 public:
  void operator()(const IndexProgress& progress) {
    if (!bar_ || progress.stage != stage_) {
      stage_ = progress.stage;
      const bool reading = stage_ == IndexProgress::Stage::reading;
      bar_ = std::make_shared<cli::Progress>(reading ? "reading" : "embedding", reading ? "files" : "chunks",
                                             static_cast<uint64_t>(progress.total));
    }
    bar_->update(static_cast<uint64_t>(progress.done));
  }

 private:
  IndexProgress::Stage stage_ = IndexProgress::Stage::reading;
  std::shared_ptr<cli::Progress> bar_;  // shared: std::function copies its target
};

ordered_json json_of(const std::vector<SkippedFile>& files, const char* why) {
  ordered_json list = ordered_json::array();
  for (const SkippedFile& file : files) list.push_back({{"path", file.path}, {why, file.reason}});
  return list;
}

ordered_json rate(int64_t count, double seconds) {
  return count > 0 && seconds > 0 ? ordered_json(static_cast<double>(count) / seconds) : ordered_json(nullptr);
}

ordered_json json_of(const IndexReport& report) {
  return {{"schema_version", kSchemaVersion},
          {"files_added", report.files_added},
          {"files_changed", report.files_changed},
          {"files_unchanged", report.files_unchanged},
          {"files_removed", report.files_removed},
          {"files_ignored", report.files_ignored},
          {"documents", report.documents},
          {"chunks", report.chunks},
          {"chunks_added", report.chunks_added},
          {"chunks_removed", report.chunks_removed},
          {"vectors_computed", report.vectors_computed},
          {"vectors_reused", report.vectors_reused},
          {"chunks_without_vector", report.chunks_without_vector},
          {"generation", report.generation},
          {"reading_ms", report.reading_seconds * 1e3},
          {"embedding_ms", report.embedding_seconds * 1e3},
          {"chunks_embedded_per_s", rate(report.vectors_computed, report.embedding_seconds)},
          {"skipped", json_of(report.skipped, "reason")},
          {"notes", json_of(report.notes, "note")}};
}

void narrate_files(const std::vector<SkippedFile>& files, std::string_view label) {
  for (size_t i = 0; i < std::min(files.size(), kShownSkipped); ++i)
    cli::narrate(fmt::format("{}: {}: {}", label, files[i].path, files[i].reason));
  if (files.size() > kShownSkipped) cli::narrate(fmt::format("{}: and {} more", label, files.size() - kShownSkipped));
}

void print_report(const IndexReport& report) {
  narrate_files(report.skipped, "skipped");
  narrate_files(report.notes, "note");
  cli::print("files: {} added, {} changed, {} unchanged, {} removed, {} skipped\n", report.files_added,
             report.files_changed, report.files_unchanged, report.files_removed, report.skipped.size());
  cli::print("index: {} documents, {} chunks, generation {}\n", report.documents, report.chunks, report.generation);
  if (report.vectors_computed > 0)
    cli::print(
        "vectors: {} computed in {:.1f} s ({:.0f}/s), {} reused\n", report.vectors_computed, report.embedding_seconds,
        static_cast<double>(report.vectors_computed) / std::max(report.embedding_seconds, 1e-9), report.vectors_reused);
  if (report.chunks_without_vector > 0)
    cli::print("vectors: {} chunks wait for a run with an embedder\n", report.chunks_without_vector);
}

int add(const cli::Tool& tool, const Flags& flags, const std::filesystem::path& folder) {
  const Config& config = tool.config();
  IndexOptions options;
  options.laws = configured_laws(config);
  options.chunk_tokens = config.chunking.max_tokens;
  options.overlap_tokens = config.chunking.overlap_tokens;
  options.hidden = flags.hidden;
  options.re_embed = flags.re_embed;
  options.extract.max_file_bytes = parse_bytes(flags.max_file_size, "--max-file-size");
  options.stdin_name = flags.stdin_name;
  options.stdin_stream = &std::cin;
  options.progress = StageProgress();
  if (flags.re_embed && flags.no_embed) throw Error(Code::usage, "--re-embed and --no-embed exclude each other");
  std::unique_ptr<Models> models;
  if (!flags.no_embed) {
    models = open_pack_models({[&] { return find_model(config.models.embedder); }, nullptr}, tool.threads(), nullptr);
    options.embedder = &models->embedder();
  }
  const IndexReport report = IndexWriter(folder, std::move(options)).add(flags.paths);
  if (tool.format() == "json")
    cli::print(cli::json_document(json_of(report)));
  else
    print_report(report);
  return flags.strict && !report.skipped.empty() ? 1 : 0;
}

int remove(const cli::Tool& tool, const Flags& flags, const std::filesystem::path& folder) {
  read_status(folder);  // an index is not made by taking something out of it
  IndexOptions options;
  options.laws = configured_laws(tool.config());
  options.stdin_name = flags.paths.empty() ? "stdin" : flags.paths.front();
  const IndexReport report = IndexWriter(folder, std::move(options)).remove(flags.paths);
  if (tool.format() == "json")
    cli::print(cli::json_document(json_of(report)));
  else
    print_report(report);
  return 0;
}

int status(const cli::Tool& tool, const std::filesystem::path& folder) {
  const IndexStatus status = read_status(folder);
  const StoreInfo& info = status.info;
  const bool embedded = !info.embedder_fingerprint.empty();
  if (tool.format() == "json") {
    cli::print(
        cli::json_document({{"schema_version", kSchemaVersion},
                            {"index", folder.native()},
                            {"generation", info.generation},
                            {"files", status.files},
                            {"documents", info.documents},
                            {"chunks", info.chunks},
                            {"chunks_without_vector", status.chunks_without_vector},
                            {"embedder", embedded ? ordered_json(info.embedder_fingerprint) : ordered_json(nullptr)},
                            {"dimension", embedded ? ordered_json(info.dimension) : ordered_json(nullptr)},
                            {"database_bytes", status.database_bytes},
                            {"vectors_bytes", status.vectors_bytes},
                            {"roots", status.roots},
                            {"skipped", json_of(status.skipped, "reason")}}));
    return 0;
  }
  cli::print("index:      {} (generation {})\n", folder.native(), info.generation);
  cli::print("documents:  {} in {} files, {} chunks\n", info.documents, status.files, info.chunks);
  if (embedded)
    cli::print("vectors:    {} of {} dimensions, {} chunks wait for one\n", info.vectors, info.dimension,
               status.chunks_without_vector);
  cli::print("embedder:   {}\n", embedded ? info.embedder_fingerprint : "none");
  cli::print("disk:       {} database, {} vectors\n", format_bytes(status.database_bytes),
             format_bytes(status.vectors_bytes));
  for (const std::string& root : status.roots) cli::print("root:       {}\n", root);
  for (const SkippedFile& file : status.skipped) cli::print("skipped:    {}: {}\n", file.path, file.reason);
  return 0;
}

int check(const cli::Tool& tool, const std::filesystem::path& folder) {
  const CheckReport report = check_index(folder);
  if (tool.format() == "json") {
    cli::print(cli::json_document({{"schema_version", kSchemaVersion},
                                   {"ok", report.problems.empty()},
                                   {"problems", report.problems},
                                   {"stale", json_of(report.stale, "reason")},
                                   {"chunks_checked", report.chunks_checked},
                                   {"vectors_checked", report.vectors_checked}}));
  } else {
    for (const std::string& problem : report.problems) cli::print("problem: {}\n", problem);
    for (const SkippedFile& file : report.stale) cli::print("stale: {}: {}\n", file.path, file.reason);
    cli::print("{} chunks and {} vectors checked\n", report.chunks_checked, report.vectors_checked);
  }
  if (report.problems.empty()) return 0;
  throw Error(Code::verify_failed,
              fmt::format("the index at '{}' has {} problems", folder.native(), report.problems.size()))
      .hint("run rag-index add --re-embed if only vectors are named, else delete the folder and add the files again");
}

int run(cli::Tool& tool) {
  Flags flags;
  const Commands commands = declare(tool, flags);
  tool.parse();
  if (*commands.add)
    return add(tool, flags, tool.config().index.empty() ? default_index() : expand_home(tool.config().index));
  const std::filesystem::path folder = find_index(tool.config().index);
  if (*commands.remove) return remove(tool, flags, folder);
  return *commands.status ? status(tool, folder) : check(tool, folder);
}

}  // namespace
}  // namespace frugal

int main(int argc, char** argv) {
  return frugal::cli::run_tool(
      argc, argv,
      {"rag-index", "Indexes files for rag-query, and keeps the index in line with them.", frugal::kExamples},
      frugal::run);
}
