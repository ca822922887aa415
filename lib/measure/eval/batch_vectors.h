// Vectors of the questions that are being asked: embedded together, and once for all the ways to ask them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "measure/eval/dataset.h"
#include "model/hub/models.h"
#include "rag/answer/answer_cache.h"

namespace frugal {

class BatchVectors : public QuestionVectors {
 public:
  /// Knows these questions from now on, and no others.
  void embed(Embedder& embedder, std::span<const EvalQuery> queries);

  std::optional<std::vector<float>> find(const VectorKey& key) const override;
  void put(const VectorKey&, std::span<const float>) const override {}  // a passage is asked for once

 private:
  std::unordered_map<std::string, std::vector<float>> vectors_;  // by text
};

}  // namespace frugal
