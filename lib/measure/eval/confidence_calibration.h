// How far the confidence of answers can be trusted: whether it tells right answers from wrong ones, and whether it is
// the probability of being right.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "measure/eval/measure.h"

namespace frugal {

/// An answer to a question, given or held back: its confidence, 0…1, and whether it is right.
struct ScoredAnswer {
  double confidence = 0;
  bool right = false;
};

/// A group of answers of similar confidence, for a reliability diagram.
struct ReliabilityBin {
  double confidence = 0;  // mean
  double right = 0;       // share of right answers
  int64_t answers = 0;
};

struct Calibration {
  int64_t answers = 0, right = 0;
  /// Area under the receiver operating characteristic: the probability that a right answer has a higher confidence than
  /// a wrong one, where a tie counts half (Fawcett 2006). nullopt unless there are answers of both kinds.
  std::optional<Measure> auroc;
  /// Expected calibration error: the mean distance between confidence and share of right answers over bins of equal
  /// mass (Nixon et al. 2019).
  Measure error;
  std::vector<ReliabilityBin> bins;  // by rising confidence; at most kCalibrationBins
};

constexpr size_t kCalibrationBins = 10;

/// nullopt if there are no answers. The order of `answers` has no effect. The intervals resample answers. In a resample
/// with answers of one kind only, the area counts as 1/2.
std::optional<Calibration> calibration_of(std::vector<ScoredAnswer> answers);

}  // namespace frugal
