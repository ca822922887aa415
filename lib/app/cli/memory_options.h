// The settings of memory, and what they mean for this process, on this machine, now.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/setting.h"
#include "memory/budget.h"
#include "memory/manager.h"
#include "memory/pager.h"
#include "telemetry/system_memory.h"

namespace frugal::cli {

struct MemorySettings {
  std::string budget = "auto";      // as parse_budget() takes it
  std::string gpu_budget = "auto";  // the same, for the device that a backend runs on
  std::optional<Manager::Mode> mode;
  PagerOptions paging;
  std::array<uint64_t, kMemoryTags> limits{};  // bytes of the budget for each kind; 0: none but the budget

  template <typename F>
  void visit(F&& f) {
    f("memory.budget", budget,
      {"memory that weights (mapped ones too), keys and values, working memory and index may hold: a size like 64MiB "
       "or 1.5G, auto (nine tenths of what is available at the start) or none"});
    f("memory.gpu_budget", gpu_budget, {"the same for the device of backend torch:cuda"});
    f("memory.mode", mode,
      {"of models that are not in use: aggressive: unload at once; cache: keep until their room is needed; auto: cache "
       "for rag-query --batch and rag-eval, else aggressive"});
    f(paging);
    for (size_t tag = 0; tag < limits.size(); ++tag)
      f(fmt::format("memory.limits.{}", to_string(static_cast<MemoryTag>(tag))), limits[tag],
        {"bytes of the budget that this kind may have; 0: all of it", {}, Unit::bytes});
  }
};

struct BudgetRequest {
  enum class Kind { automatic, none, size };
  Kind kind = Kind::automatic;
  uint64_t bytes = 0;  // of a size
};
/// "auto", "none" or a size, as `flag` has it. Throws Error(usage), for a size of 0 too: it would hold nothing.
BudgetRequest parse_budget(std::string_view text, std::string_view flag = "--memory-budget");

/// The limits that `memory` sets. auto: nine tenths of what `system` has available. A size above what the machine or
/// the cgroup has at all is cut to that, with a warning in the log.
BudgetLimits budget_limits(const MemorySettings& memory, const SystemMemory& system);

/// Backend::device_bytes.
std::optional<uint64_t> device_bytes(const MemorySettings& memory);

}  // namespace frugal::cli
