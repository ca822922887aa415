// The vectors of the current batch of questions: embedded together, and once for all rows of an ablation.
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
  /// Embeds the questions, with_weights also their token weights, and replaces all earlier vectors by theirs.
  void embed(Embedder& embedder, std::span<const EvalQuery> queries, bool with_weights);

  std::optional<TextEmbedding> find(const VectorKey& key) const override;
  void put(const VectorKey&, const TextEmbedding&) const override {}  // a passage of HyDE is used only once

 private:
  std::unordered_map<std::string, TextEmbedding> vectors_;  // by text
};

}  // namespace frugal
