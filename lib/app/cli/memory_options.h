// From the `memory` keys of the configuration to the limits of this process, on this machine, now.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "app/config/config.h"
#include "memory/budget.h"
#include "memory/manager.h"
#include "memory/pager.h"
#include "telemetry/system_memory.h"

namespace frugal::cli {

struct BudgetRequest {
  enum class Kind { automatic, none, size };
  Kind kind = Kind::automatic;
  uint64_t bytes = 0;  // of a size
};
/// "auto", "none" or a size, as `flag` has it. Throws Error(usage), for a size of 0 too: it would hold nothing.
BudgetRequest parse_budget(std::string_view text, std::string_view flag = "--memory-budget");

/// The limits that `memory` sets. auto: nine tenths of what `system` has available. A size above what the machine or
/// the cgroup has at all is cut to that, with a warning in the log.
BudgetLimits budget_limits(const Config::Memory& memory, const SystemMemory& system);

/// Backend::device_bytes.
std::optional<uint64_t> device_bytes(const Config::Memory& memory);

PagerOptions pager_options(const Config::Memory& memory);

/// `when_auto`: what the tool finds right.
Manager::Mode manager_mode(const Config::Memory& memory, Manager::Mode when_auto);

}  // namespace frugal::cli
