#include "app/wiring/indexing.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "app/cli/output.h"
#include "app/cli/progress.h"
#include "app/cli/signals.h"
#include "app/config/paths.h"
#include "app/wiring/known_laws.h"
#include "app/wiring/open_models.h"
#include "app/wiring/secret.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "model/remote/model_list.h"
#include "rag/index/index_status.h"
#include "rag/scan/sources.h"
#include "rag/scan/watch.h"

namespace frugal {

IndexOptions index_options(const Settings& settings) {
  IndexOptions options;
  options.laws = known_laws(settings);
  options.chunks = settings.chunks;
  options.vectors = vector_options(settings);
  return options;
}

namespace {

constexpr auto kQuiet = std::chrono::milliseconds(500);  // an editor or a copy is done by then

/// As the index names it; empty: there is no index, or it has no images.
std::string image_embedder_of(const std::filesystem::path& folder) {
  try {
    return read_status(folder).image_embedder_name;
  } catch (const Error& error) {
    if (error.code() != Code::missing) throw;
    return {};
  }
}

/// A name that find_model() understands in any folder: of a pack in a folder of models, or an absolute path.
std::string lasting_name(const std::string& model) {
  const bool is_path = model.find('/') != model.npos || std::filesystem::exists(model);
  return is_path ? std::filesystem::absolute(expand_home(model)).lexically_normal().native() : model;
}

std::string interruption(const IndexProgress& progress) {
  const std::string done = progress.stage == IndexProgress::Stage::reading
                               ? fmt::format("{} files read", progress.done)
                               : fmt::format("{} of {} chunks embedded", progress.done, progress.total);
  return fmt::format("interrupted: {}; run the command again to continue", done);
}

}  // namespace

IndexModels open_index_models(const cli::Tool& tool, const Settings& settings, const std::filesystem::path& folder,
                              Budget& budget, IndexOptions& options) {
  Settings used = settings;
  std::string& images = used.models.image_embedder;
  if (images.empty()) images = image_embedder_of(folder);
  IndexModels open;
  open.models = open_models(used, model_options(tool, used, budget, Manager::Mode::aggressive));
  open.embedder = open.models->embedder();
  options.embedder = open.embedder.get();
  const std::vector<ModelEntry> embedders = parse_model_list(used.models.embedder);
  const bool is_remote = !embedders.empty() && embedders.front().kind == ModelEntry::Kind::remote;
  options.embedder_name = is_remote ? embedders.front().name : find_model(used.models.embedder).filename().native();
  if (images.empty()) return open;
  try {
    open.image_embedder = open.models->image_embedder();
  } catch (const Error& error) {
    // That of the index, which this run did not ask for: its texts can be updated all the same.
    if (error.code() != Code::missing || !settings.models.image_embedder.empty()) throw;
    log(LogLevel::warn, "images stay as they are: {}", error.message());
    return open;
  }
  options.image_embedder = open.image_embedder.get();
  options.image_embedder_name = lasting_name(images);
  if (settings.models.captioner.empty()) return open;
  open.captioner = std::make_unique<ImageCaptioner>(tool, settings, budget);
  options.captioner = open.captioner->identity();
  options.caption = [captioner = open.captioner.get()](const RgbImage& image) {
    return captioner->describe(image, "").text;
  };
  return open;
}

std::function<void(const IndexProgress&)> index_progress_bars() {
  return
      [bar = std::shared_ptr<cli::Progress>(), drawn = IndexProgress::Stage::reading](const IndexProgress& p) mutable {
        if (!bar || p.stage != drawn) {
          const bool reading = p.stage == IndexProgress::Stage::reading;
          bar = std::make_shared<cli::Progress>(reading ? "reading" : "embedding", reading ? "files" : "chunks",
                                                static_cast<uint64_t>(p.total));
          drawn = p.stage;
        }
        try {
          bar->update(static_cast<uint64_t>(p.done));
        } catch (const cli::Interrupted&) {
          bar.reset();
          cli::print_message(interruption(p));
          throw;
        }
      };
}

void watch_index(const std::filesystem::path& folder, IndexOptions options,
                 const std::function<void(const IndexReport&)>& report) {
  const cli::GracefulStop graceful;
  options.re_embed = false;
  options.exclude = options.no_exclude = {};
  for (;;) {
    // From here on no change is missed: one that came before is found by the update.
    Watch watch(read_status(folder).coverage, normal_path(folder));
    const IndexReport changes = IndexWriter(folder, options).add({});
    if (changes.files_added + changes.files_changed + changes.files_removed > 0) report(changes);
    cli::flush_output();
    if (!watch.wait(kQuiet, cli::interrupted)) cli::throw_if_interrupted();
  }
}

std::filesystem::path eval_index_folder(const Settings& settings, const EvalSet& set) {
  if (!settings.index.empty()) return expand_home(settings.index);
  const std::optional<std::filesystem::path> cache = cache_home();
  if (!cache)
    throw Error(Code::usage, "there is no home folder to keep the set's index in").hint("name one with --index DIR");
  const std::string what = std::filesystem::absolute(set.corpus).native() + "\n" + settings.models.embedder +
                           (settings.pipeline.dense ? "" : "\nwords only");
  return *cache / "eval" / fmt::format("{}-{}", set.name, sha256_hex(what).substr(0, 12));
}

void index_eval_set(const Settings& settings, const EvalSet& set, const std::filesystem::path& folder, Models& models) {
  IndexOptions options = index_options(settings);
  options.scan.ignore_files = false;  // a set's corpus is all of its files, wherever they lie
  const auto embedder = settings.pipeline.dense ? models.embedder() : nullptr;
  options.embedder = embedder.get();
  std::optional<cli::Progress> bar;
  options.progress = [&](const IndexProgress& progress) {
    if (progress.stage != IndexProgress::Stage::embedding) return;
    if (!bar) bar.emplace("indexing", "chunks", static_cast<uint64_t>(progress.total));
    bar->update(static_cast<uint64_t>(progress.done));
  };
  create_private_folders(std::filesystem::absolute(folder).parent_path());
  const IndexReport report = IndexWriter(folder, options).add({set.corpus.native()});
  bar.reset();
  if (report.vectors_computed > 0)
    cli::print_message(fmt::format("indexed {} documents, {} chunks; {:.1f} chunks/s embedded", report.documents,
                                   report.chunks,
                                   static_cast<double>(report.vectors_computed) / report.embedding_seconds));
}

}  // namespace frugal
