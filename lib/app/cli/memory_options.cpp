#include "app/cli/memory_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/units.h"

namespace frugal::cli {

BudgetRequest parse_budget(std::string_view text, std::string_view flag) {
  using Kind = BudgetRequest::Kind;
  if (text == "auto") return {Kind::automatic, 0};
  if (text == "none") return {Kind::none, 0};
  const uint64_t bytes = parse_bytes(text, flag);
  if (bytes == 0)
    throw Error(Code::usage, fmt::format("{}: a budget of 0 holds nothing", flag))
        .hint("give a size like 64MiB, `none` (no limit) or `auto` (nine tenths of the available memory)");
  return {Kind::size, bytes};
}

BudgetLimits budget_limits(const MemorySettings& memory, const SystemMemory& system) {
  const BudgetRequest request = parse_budget(memory.budget);
  BudgetLimits result;
  result.by_tag = memory.limits;
  if (request.kind == BudgetRequest::Kind::none) return result;
  result.available_bytes = [] { return read_system_memory().available_bytes(); };
  if (request.kind == BudgetRequest::Kind::automatic) {
    result.total_bytes = std::max<uint64_t>(1, system.available_bytes() / 10 * 9);
    log(LogLevel::info, "memory budget: {} of {} available", format_bytes(result.total_bytes),
        format_bytes(system.available_bytes()));
    return result;
  }
  const uint64_t machine = system.limit_bytes();
  if (request.bytes > machine)
    log(LogLevel::warn, "--memory-budget {} is more than {} has; the budget is lowered to {}",
        format_bytes(request.bytes),
        system.cgroup && system.cgroup->limit_bytes == machine ? "this cgroup" : "this machine", format_bytes(machine));
  result.total_bytes = std::min(request.bytes, machine);
  return result;
}

std::optional<uint64_t> device_bytes(const MemorySettings& memory) {
  const BudgetRequest request = parse_budget(memory.gpu_budget, "--gpu-memory-budget");
  if (request.kind == BudgetRequest::Kind::automatic) return std::nullopt;
  return request.bytes;
}

}  // namespace frugal::cli
