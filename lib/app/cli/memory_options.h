// The settings of memory, and the limits in bytes that follow from them on this machine. Not the budget itself, which
// enforces the limits (memory/budget.h).
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
  std::string budget = "auto";        // text for parse_budget()
  std::string gpu_budget = "auto";    // the same for the device that a backend runs on
  std::optional<Manager::Mode> mode;  // nullopt: auto, the tool decides
  PagerOptions paging;
  std::array<uint64_t, kMemoryTags> limits{};  // bytes by kind of memory; 0: no limit of its own

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
  uint64_t bytes = 0;  // for Kind::size, else 0
};
/// Parses "auto", "none" or a size such as "64MiB". `flag` names the source in messages. Throws Error(usage) for
/// another text and for a size of 0.
BudgetRequest parse_budget(std::string_view text, std::string_view flag = "--memory-budget");

/// The limits of `memory` in bytes. auto: nine tenths of the memory that `system` has available. A size above the
/// memory of the machine or of the cgroup is lowered to it, with a warning in the log.
BudgetLimits budget_limits(const MemorySettings& memory, const SystemMemory& system);

/// The budget of a backend's device in bytes (Backend::device_bytes). nullopt: auto; 0: none.
std::optional<uint64_t> device_bytes(const MemorySettings& memory);

}  // namespace frugal::cli
