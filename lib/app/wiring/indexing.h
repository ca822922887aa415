// Builds from the settings the options of the index writer (rag/index/index_writer.h), and keeps the index of an
// evaluation set up to date.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "app/wiring/image_captioner.h"
#include "app/wiring/settings.h"
#include "measure/eval/dataset.h"
#include "memory/budget.h"
#include "model/hub/models.h"
#include "rag/index/index_writer.h"

namespace frugal {

/// The known laws and the chunk sizes of the settings; the embedder is left empty. Throws like known_laws().
IndexOptions index_options(const Settings& settings);

/// The models with which an index is written.
struct IndexModels {
  std::unique_ptr<Models> models;
  std::shared_ptr<Embedder> embedder;
  std::shared_ptr<ImageEmbedder> image_embedder;  // null: none
  std::unique_ptr<ImageCaptioner> captioner;      // null: none
};
/// Opens the embedder of the settings and their image embedder, or if they name none that of the index in `folder`, and
/// with an image embedder the captioner of the settings, if any, and enters them into `options`, which borrows them.
/// Borrows `settings` and `budget`. Throws as Models::embedder() and ImageCaptioner.
IndexModels open_index_models(const cli::Tool& tool, const Settings& settings, const std::filesystem::path& folder,
                              Budget& budget, IndexOptions& options);

/// A callback for IndexOptions::progress that draws a progress line for each stage.
std::function<void(const IndexProgress&)> index_progress_bars();

/// Updates the index whenever files that it covers have changed and then stayed the same for a while, and passes every
/// update that changed it to `report`. Ends with cli::Interrupted.
[[noreturn]] void watch_index(const std::filesystem::path& folder, IndexOptions options,
                              const std::function<void(const IndexReport&)>& report);

/// The folder of an evaluation set's index: the index of the settings or, if that is empty, a folder below cache_home()
/// for each set and embedder.
std::filesystem::path eval_index_folder(const Settings& settings, const EvalSet& set);
/// Creates or updates the index in `folder` from the set's corpus, with vectors unless dense retrieval is switched off.
void index_eval_set(const Settings& settings, const EvalSet& set, const std::filesystem::path& folder, Models& models);

}  // namespace frugal
