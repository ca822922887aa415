#include "measure/eval/batch_vectors.h"

#include <string_view>

namespace frugal {

void BatchVectors::embed(Embedder& embedder, std::span<const EvalQuery> queries) {
  std::vector<std::string_view> texts;
  for (const EvalQuery& query : queries) texts.push_back(query.text);
  const auto dimension = static_cast<size_t>(embedder.dimension());
  std::vector<float> rows(texts.size() * dimension);
  embedder.embed(texts, TextRole::query, rows);
  vectors_.clear();
  for (size_t i = 0; i < queries.size(); ++i) {
    const std::span<const float> row = std::span<const float>(rows).subspan(i * dimension, dimension);
    vectors_[queries[i].text].assign(row.begin(), row.end());
  }
}

std::optional<std::vector<float>> BatchVectors::find(const VectorKey& key) const {
  const auto found = vectors_.find(key.text);
  if (found == vectors_.end()) return std::nullopt;
  return found->second;
}

}  // namespace frugal
