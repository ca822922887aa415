#include "app/wiring/replay_command.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "app/cli/output.h"
#include "base/units.h"
#include "measure/profile/allocation_replay.h"
#include "measure/report/json.h"
#include "measure/report/table.h"

namespace frugal::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kReplaySchema = 1;

// The events of one kind of memory, or of all kinds, with the result of each allocator.
struct ReplayedTrace {
  std::string kind;
  size_t operations = 0;
  uint64_t peak_live_bytes = 0;
  std::vector<ReplayResult> results;
};

ReplayedTrace compare(std::string kind, const AllocationTrace& trace) {
  ReplayedTrace replayed{std::move(kind), trace.events.size(), trace.peak_live_bytes, {}};
  for (const ReplayAllocator allocator : kReplayAllocators)
    if (const std::optional<ReplayResult> result = replay(trace, allocator)) replayed.results.push_back(*result);
  return replayed;
}

std::vector<ReplayedTrace> compare_kinds(const AllocationTrace& trace) {
  std::vector<ReplayedTrace> traces;
  for (int i = 0; i < kMemoryTags; ++i) {
    const auto tag = static_cast<MemoryTag>(i);
    const AllocationTrace part = only(trace, tag);
    if (!part.events.empty()) traces.push_back(compare(std::string(to_string(tag)), part));
  }
  if (traces.size() > 1) traces.push_back(compare("all", trace));
  return traces;
}

Json comparison_json(const ReplayedTrace& replayed) {
  Json allocators = Json::array();
  for (const ReplayResult& result : replayed.results)
    allocators.push_back({{"allocator", to_string(result.allocator)},
                          {"peak_bytes", result.peak_bytes},
                          {"fragmentation", result.fragmentation(replayed.peak_live_bytes)},
                          {"left_bytes", result.left_bytes},
                          {"ns_per_operation", result.ns_per_operation}});
  return {{"kind", replayed.kind},
          {"operations", replayed.operations},
          {"peak_live_bytes", replayed.peak_live_bytes},
          {"allocators", allocators}};
}

std::string comparison_table(const std::vector<ReplayedTrace>& traces) {
  constexpr Table::Align right = Table::Align::right;
  Table table({{"memory"},
               {"operations", right},
               {"peak live", right},
               {"allocator"},
               {"peak", right},
               {"fragmentation", right},
               {"left", right},
               {"ns/operation", right}});
  for (const ReplayedTrace& replayed : traces)
    for (const ReplayResult& result : replayed.results)
      table.add({replayed.kind, std::to_string(replayed.operations), format_bytes(replayed.peak_live_bytes),
                 std::string(to_string(result.allocator)), format_bytes(result.peak_bytes),
                 fmt::format("{:.1f}%", 100 * result.fragmentation(replayed.peak_live_bytes)),
                 format_bytes(result.left_bytes), fmt::format("{:.0f}", result.ns_per_operation)});
  return table.text();
}

}  // namespace

ReplayCommand::ReplayCommand(Tool& tool)
    : tool_(tool), command_(tool.app().add_subcommand("replay", "compare allocators on a run's recorded allocations")) {
  command_->add_option("TRACE", trace_, "file written with $FRUGAL_ALLOCATION_TRACE")->required()->type_name("FILE");
}

int ReplayCommand::run() const {
  const std::vector<ReplayedTrace> traces = compare_kinds(read_allocation_trace(trace_));
  if (tool_.format() != "json") {
    print(comparison_table(traces));
    return 0;
  }
  Json kinds = Json::array();
  for (const ReplayedTrace& replayed : traces) kinds.push_back(comparison_json(replayed));
  print(json_document({{"schema_version", kReplaySchema}, {"kinds", kinds}}));
  return 0;
}

}  // namespace frugal::cli
