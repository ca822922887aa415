// Opens the models that the settings name (model/hub/models.h). A model is loaded when it is first used.
#pragma once

#include <memory>

#include "app/wiring/settings.h"
#include "memory/budget.h"
#include "memory/manager.h"
#include "model/hub/models.h"

namespace frugal {

/// Options for open_models(). `auto_mode`: the unloading mode if the settings say auto. The prefix cache is off; only
/// questions use it (query_session.h). Borrows `budget`.
ModelOptions model_options(const cli::Tool& tool, const Settings& settings, Budget& budget, Manager::Mode auto_mode);
/// The models that the settings name: packs, which are looked up at their first use (Error(missing)), and remotes.
/// Throws Error(usage) for a list of models that is none (model/remote/model_list.h).
std::unique_ptr<Models> open_models(const Settings& settings, const ModelOptions& options);

/// Models in full precision, read from the checkpoints of the packs, on libtorch unless the tool names another backend.
/// Borrows `budget`. Throws Error(missing).
std::unique_ptr<Models> naive_models(const cli::Tool& tool, const Settings& settings, Budget& budget);

}  // namespace frugal
