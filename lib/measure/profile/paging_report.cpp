#include "measure/profile/paging_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/units.h"
#include "measure/report/table.h"

namespace frugal {
namespace {

using Json = nlohmann::ordered_json;

// Share of the possible speed that was reached; above 1 where the page cache saved disk reads. nullopt: unknown.
std::optional<double> share_of_possible(const PagingAblation& ablation, const PagingRun& run) {
  const std::optional<double> least = run.least_ms_per_token(ablation.compute_ms_per_token);
  return least ? std::optional(*least / run.ms_per_token) : std::nullopt;
}

Json number(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// Share of the time since paging began in which a read was under way, and the rate during it.
double reading_share(const PagingRun& run) {
  return run.pager.paging_ns == 0
             ? 0
             : static_cast<double>(run.pager.reading_ns) / static_cast<double>(run.pager.paging_ns);
}
double reading_rate(const PagingRun& run) {
  return run.pager.reading_ns == 0
             ? 0
             : 1e9 * static_cast<double>(run.pager.read_bytes) / static_cast<double>(run.pager.reading_ns);
}

Json run_json(const PagingAblation& ablation, const PagingRun& run) {
  return {{"source", to_string(run.pager.source)},
          {"policy", to_string(run.policy)},
          {"paging", run.pager.paging},
          {"read_blocks", run.pager.read_blocks},
          {"read_bytes", run.pager.read_bytes},
          {"hit_rate", run.pager.hit_rate()},
          {"reading_share", reading_share(run)},
          {"reading_bytes_per_second", reading_rate(run)},
          {"uses", run.uses},
          {"simulated_reads",
           {{"belady", run.simulated.belady},
            {"predictive", run.simulated.predictive},
            {"lru", run.simulated.lru},
            {"clock", run.simulated.clock}}},
          {"reads_to_optimum", run.reads_to_optimum()},
          {"weight_bytes", run.pager.total_bytes},
          {"room_bytes", run.pager.capacity_bytes},
          {"bytes_not_resident", run.bytes_not_resident()},
          {"disk_bytes_per_second", number(run.disk_bytes_per_second)},
          {"ms_per_token", run.ms_per_token},
          {"least_ms_per_token", number(run.least_ms_per_token(ablation.compute_ms_per_token))},
          {"share_of_possible_speed", number(share_of_possible(ablation, run))},
          {"peak_rss_bytes", run.peak_rss_bytes},
          {"within_memory", run.peak_rss_bytes <= ablation.rss_limit_bytes()},
          {"same_tokens", run.same_tokens},
          {"same_logits", run.same_logits}};
}

Table runs_table(const PagingAblation& ablation) {
  Table table({{"source"},
               {"policy"},
               {"blocks read", kRight},
               {"bytes", kRight},
               {"hits", kRight},
               {"of Belady's", kRight},
               {"ms/token", kRight},
               {"possible", kRight},
               {"reached", kRight},
               {"peak RSS", kRight},
               {"tokens"}});
  for (const PagingRun& run : ablation.runs) {
    const auto least = run.least_ms_per_token(ablation.compute_ms_per_token);
    const auto share = share_of_possible(ablation, run);
    table.add({std::string(to_string(run.pager.source)), std::string(to_string(run.policy)),
               fmt::format("{}", run.pager.read_blocks), format_bytes(run.pager.read_bytes),
               fmt::format("{:.1f}%", 100 * run.pager.hit_rate()), fmt::format("{:.2f}", run.reads_to_optimum()),
               fmt::format("{:.1f}", run.ms_per_token), least ? fmt::format("{:.1f}", *least) : "?",
               share ? fmt::format("{:.0f}%", 100 * *share) : "?", format_bytes(run.peak_rss_bytes),
               run.same_tokens ? "same" : "DIFFERENT"});
  }
  table.add({"all resident", "", "", "", "", "", fmt::format("{:.1f}", ablation.compute_ms_per_token), "", "",
             format_bytes(ablation.unlimited_peak_rss_bytes), ""});
  return table;
}

std::string disk_text(const PagingRun& run) {
  if (!run.disk_bytes_per_second) return "the disk's rate is unknown: this file system cannot read past the page cache";
  return fmt::format("the disk reads {:.2f} GB/s", *run.disk_bytes_per_second / 1e9);
}

}  // namespace

Json paging_json(const PagingAblation& ablation) {
  Json runs = Json::array();
  for (const PagingRun& run : ablation.runs) runs.push_back(run_json(ablation, run));
  return {{"schema_version", 1},
          {"model", ablation.plan.pack.filename().native()},
          {"pack_bytes", ablation.pack_bytes},
          {"budget_bytes", ablation.plan.budget_bytes},
          {"rss_limit_bytes", ablation.rss_limit_bytes()},
          {"threads", ablation.plan.threads},
          {"new_tokens", ablation.plan.new_tokens},
          {"rounds", ablation.plan.rounds},
          {"block_bytes", Pager::kBlockBytes},
          {"unlimited",
           {{"ms_per_token", ablation.compute_ms_per_token}, {"peak_rss_bytes", ablation.unlimited_peak_rss_bytes}}},
          {"runs", runs},
          {"passed", ablation.passed()}};
}

std::string paging_text(const PagingAblation& ablation) {
  std::string text = runs_table(ablation).text() + "\n";
  for (const PagingRun& run : ablation.runs) {
    if (!run.pager.paging) {
      text += fmt::format("{}, {}: everything fits, nothing is paged\n", to_string(run.pager.source),
                          to_string(run.policy));
      continue;
    }
    const SimulatedReads& reads = run.simulated;
    text += fmt::format(
        "{}, {}: {} of {} cannot be resident, {}; reads under way {:.0f}% of the time, at {:.2f} GB/s; {} uses of "
        "blocks, simulated to need {} reads at best, predictive {}, lru {}, clock {}\n",
        to_string(run.pager.source), to_string(run.policy), format_bytes(run.bytes_not_resident()),
        format_bytes(run.pager.total_bytes), disk_text(run), 100 * reading_share(run), reading_rate(run) / 1e9,
        run.uses, reads.belady, reads.predictive, reads.lru, reads.clock);
  }
  return text + fmt::format("{}: tokens as without a limit, peak RSS at most {}\n",
                            ablation.passed() ? "passed" : "FAILED", format_bytes(ablation.rss_limit_bytes()));
}

}  // namespace frugal
