#include "measure/eval/batch_vectors.h"

#include <string_view>

namespace frugal {

void BatchVectors::embed(Embedder& embedder, std::span<const EvalQuery> queries, bool with_weights) {
  std::vector<std::string_view> texts;
  texts.reserve(queries.size());
  for (const EvalQuery& query : queries) texts.push_back(query.text);
  vectors_.clear();
  if (with_weights) {
    std::vector<TextEmbedding> all = embedder.embed_all(texts, TextRole::query, TokenOutputs::weights);
    for (size_t i = 0; i < queries.size(); ++i) vectors_[queries[i].text] = std::move(all[i]);
    return;
  }
  const auto dimension = static_cast<size_t>(embedder.dimension());
  std::vector<float> rows(texts.size() * dimension);
  embedder.embed(texts, TextRole::query, rows);
  for (size_t i = 0; i < queries.size(); ++i) {
    const std::span<const float> row = std::span<const float>(rows).subspan(i * dimension, dimension);
    vectors_[queries[i].text].dense.assign(row.begin(), row.end());
  }
}

std::optional<TextEmbedding> BatchVectors::find(const VectorKey& key) const {
  const auto found = vectors_.find(key.text);
  if (found == vectors_.end()) return std::nullopt;
  return found->second;
}

}  // namespace frugal
