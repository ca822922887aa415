// From the settings to models that load when they are asked for.
#pragma once

#include <memory>

#include "app/wiring/settings.h"
#include "memory/budget.h"
#include "memory/manager.h"
#include "model/hub/models.h"

namespace frugal {

/// The packs that the settings name. `when_auto`: what becomes of a model that is not in use, where the settings leave
/// it open. The generator keeps no prefixes: that is for questions (query_session.h). Borrows `budget`.
ModelOptions model_options(const cli::Tool& tool, const Settings& settings, Budget& budget, Manager::Mode when_auto);
std::unique_ptr<Models> open_models(const Settings& settings, const ModelOptions& options);

/// Everything at full precision, through libtorch unless another backend is named. Borrows `budget`.
std::unique_ptr<Models> naive_models(const cli::Tool& tool, const Settings& settings, Budget& budget);

}  // namespace frugal
