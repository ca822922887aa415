// Builds from the settings the options of the index writer (rag/index/index_writer.h), and keeps the index of an
// evaluation set up to date.
#pragma once

#include <filesystem>
#include <functional>

#include "app/wiring/settings.h"
#include "measure/eval/dataset.h"
#include "model/hub/models.h"
#include "rag/index/index_writer.h"

namespace frugal {

/// The known laws and the chunk sizes of the settings; the embedder is left empty. Throws like known_laws().
IndexOptions index_options(const Settings& settings);

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
