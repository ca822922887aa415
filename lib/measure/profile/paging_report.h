// The output of `mem-profile paging` (docs/tools/mem-profile.md names every field).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "measure/profile/paging_ablation.h"

namespace frugal {

nlohmann::ordered_json paging_json(const PagingAblation& ablation);
/// One row per run, the simulated reads for the recorded order of use, and the verdict.
std::string paging_text(const PagingAblation& ablation);

}  // namespace frugal
