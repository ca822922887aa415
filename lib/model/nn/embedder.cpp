#include "model/nn/embedder.h"

namespace frugal {

std::vector<TextEmbedding> Embedder::embed_all(std::span<const std::string_view> texts, TextRole role, TokenOutputs) {
  const auto width = static_cast<size_t>(dimension());
  std::vector<float> vectors(texts.size() * width);
  embed(texts, role, vectors);
  std::vector<TextEmbedding> all(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::span<const float> vector = std::span(vectors).subspan(i * width, width);
    all[i].dense.assign(vector.begin(), vector.end());
  }
  return all;
}

}  // namespace frugal
