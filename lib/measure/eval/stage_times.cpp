#include "measure/eval/stage_times.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/statistics.h"

namespace frugal {
namespace {

using TimedStage = std::pair<std::string_view, double Timings::*>;

// In the order of the pipeline. What lies outside all stages ("other") is in the total alone.
constexpr std::array<TimedStage, 6> kTimedStages{{{"hyde", &Timings::hyde_ms},
                                                  {"embed", &Timings::embed_ms},
                                                  {"retrieve", &Timings::retrieve_ms},
                                                  {"rerank", &Timings::rerank_ms},
                                                  {"answer", &Timings::answer_ms},
                                                  {"total", &Timings::total_ms}}};

}  // namespace

void StageTimes::add(const Timings& timings) {
  questions_.push_back(timings);
}

std::vector<StageTime> StageTimes::summary() const {
  std::vector<StageTime> summary;
  for (const auto& [stage, time] : kTimedStages) {
    std::vector<double> ms;
    for (const Timings& question : questions_) ms.push_back(question.*time);
    if (ms.empty() || *std::max_element(ms.begin(), ms.end()) == 0) continue;
    summary.push_back({stage, mean(ms), median(ms), percentile(ms, 95)});
  }
  return summary;
}

std::vector<std::string_view> timed_stages() {
  std::vector<std::string_view> names;
  names.reserve(std::size(kTimedStages));
  for (const TimedStage& stage : kTimedStages) names.push_back(stage.first);
  return names;
}

}  // namespace frugal
