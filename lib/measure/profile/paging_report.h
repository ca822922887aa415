// What `mem-profile paging` prints (docs/tools/mem-profile.md names every field).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "measure/profile/paging_ablation.h"

namespace frugal {

nlohmann::ordered_json paging_json(const PagingAblation& ablation);
/// A row a run, what simulation says of the order of use that was recorded, and the verdict.
std::string paging_text(const PagingAblation& ablation);

}  // namespace frugal
