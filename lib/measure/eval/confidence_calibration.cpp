// The answers are sorted once. A resample is how often each of them was drawn, so that both measures take linear time
// for each of the 2,000 resamples.
//
// Answers with the same confidence are interchangeable: in the bins, each of them counts with the share of right
// answers of all. Without that, the error would depend on the order in which questions were asked.
#include "measure/eval/confidence_calibration.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

namespace frugal {
namespace {

using Drawn = std::vector<int>;  // by answer: how often it was drawn

/// Answers of one confidence: sorted[begin … end).
struct Tie {
  size_t begin = 0, end = 0;
  double confidence = 0;
  double right = 0, wrong = 0;  // number drawn
};

/// Calls visit(tie) by rising confidence.
template <typename Visit>
void for_each_tie(std::span<const ScoredAnswer> sorted, const Drawn& drawn, Visit&& visit) {
  for (size_t begin = 0; begin < sorted.size();) {
    Tie tie{begin, begin, sorted[begin].confidence};
    for (; tie.end < sorted.size() && sorted[tie.end].confidence == tie.confidence; ++tie.end)
      (sorted[tie.end].right ? tie.right : tie.wrong) += drawn[tie.end];
    if (tie.right + tie.wrong > 0) visit(tie);
    begin = tie.end;
  }
}

std::optional<double> auroc(std::span<const ScoredAnswer> sorted, const Drawn& drawn) {
  double right = 0, wrong = 0, ordered_pairs = 0;
  for_each_tie(sorted, drawn, [&](const Tie& tie) {
    ordered_pairs += tie.right * (wrong + tie.wrong / 2);
    right += tie.right;
    wrong += tie.wrong;
  });
  if (right == 0 || wrong == 0) return std::nullopt;
  return ordered_pairs / (right * wrong);
}

std::vector<ReliabilityBin> bins_of(std::span<const ScoredAnswer> sorted, const Drawn& drawn) {
  const auto total = static_cast<size_t>(std::accumulate(drawn.begin(), drawn.end(), int64_t{0}));
  std::vector<ReliabilityBin> bins(std::min(kCalibrationBins, total));
  size_t place = 0;
  for_each_tie(sorted, drawn, [&](const Tie& tie) {
    const double share = tie.right / (tie.right + tie.wrong);
    for (const auto end = place + static_cast<size_t>(tie.right + tie.wrong); place < end; ++place) {
      ReliabilityBin& bin = bins[place * bins.size() / total];
      bin.confidence += tie.confidence;
      bin.right += share;
      ++bin.answers;
    }
  });
  for (ReliabilityBin& bin : bins) {
    bin.confidence /= static_cast<double>(bin.answers);
    bin.right /= static_cast<double>(bin.answers);
  }
  return bins;
}

double error_of(std::span<const ReliabilityBin> bins) {
  double distance = 0, answers = 0;
  for (const ReliabilityBin& bin : bins) {
    distance += static_cast<double>(bin.answers) * std::abs(bin.confidence - bin.right);
    answers += static_cast<double>(bin.answers);
  }
  return distance / answers;
}

/// The interval of a statistic of which answers were drawn.
template <typename Statistic>
Interval interval_of(size_t answers, Statistic&& statistic) {
  std::vector<double> all(answers);
  std::iota(all.begin(), all.end(), 0.0);
  Drawn drawn;
  return bootstrap(all, [&](std::span<const double> sample) {
    drawn.assign(answers, 0);
    for (const double index : sample) ++drawn[static_cast<size_t>(index)];
    return statistic(drawn);
  });
}

}  // namespace

std::optional<Calibration> calibration_of(std::vector<ScoredAnswer> answers) {
  if (answers.empty()) return std::nullopt;
  std::sort(answers.begin(), answers.end(),
            [](const ScoredAnswer& a, const ScoredAnswer& b) { return a.confidence < b.confidence; });
  const Drawn once(answers.size(), 1);
  Calibration calibration;
  calibration.answers = static_cast<int64_t>(answers.size());
  calibration.right = std::count_if(answers.begin(), answers.end(), [](const ScoredAnswer& a) { return a.right; });
  if (const auto area = auroc(answers, once))
    calibration.auroc = Measure{
        *area, interval_of(answers.size(), [&](const Drawn& drawn) { return auroc(answers, drawn).value_or(0.5); })};
  calibration.bins = bins_of(answers, once);
  calibration.error = {error_of(calibration.bins), interval_of(answers.size(), [&](const Drawn& drawn) {
                         return error_of(bins_of(answers, drawn));
                       })};
  return calibration;
}

}  // namespace frugal
