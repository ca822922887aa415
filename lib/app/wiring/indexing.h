// From the settings to what an index is written with.
#pragma once

#include <filesystem>
#include <functional>

#include "app/wiring/settings.h"
#include "measure/eval/dataset.h"
#include "model/hub/models.h"
#include "rag/index/index_writer.h"

namespace frugal {

/// Laws and chunks as the settings have them; no embedder.
IndexOptions index_options(const Settings& settings);

/// Draws what a writer reports; one bar a stage.
std::function<void(const IndexProgress&)> index_progress_bars();

/// Where the index of an evaluation set is: the settings' index, or a folder for each set and embedder.
std::filesystem::path eval_index_folder(const Settings& settings, const EvalSet& set);
/// Brings that index in line with the set's corpus.
void index_eval_set(const Settings& settings, const EvalSet& set, const std::filesystem::path& folder, Models& models);

}  // namespace frugal
