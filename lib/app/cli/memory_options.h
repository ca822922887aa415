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
      {"limit on resident weights (mapped ones too), KV cache, working memory and index: a size like 64MiB or 1.5G, "
       "auto (nine tenths of the memory available at the start) or none"});
    f("memory.gpu_budget", gpu_budget, {"the same limit for the device of backend torch:cuda"});
    f("memory.mode", mode,
      {"when a model that is not in use is unloaded: aggressive (at once), cache (if its memory is needed) or auto "
       "(cache for rag-query --batch and rag-eval, else aggressive)"});
    f(paging);
    for (size_t tag = 0; tag < limits.size(); ++tag)
      f(fmt::format("memory.limits.{}", to_string(static_cast<MemoryTag>(tag))), limits[tag],
        {"limit on this kind of memory within the budget, in bytes; 0: none of its own", {}, Unit::bytes});
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
