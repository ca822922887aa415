// What `mem-profile paging` prints (docs/tools/mem-profile.md names every field).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "eval/paging_ablation.h"

namespace frugal::cli {

nlohmann::ordered_json paging_json(const PagingAblation& ablation);
/// A row a run, what simulation says of the order of use that was recorded, and the verdict.
std::string paging_text(const PagingAblation& ablation);

}  // namespace frugal::cli
