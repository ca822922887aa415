// Compares an embedder with full precision by the cosine between both vectors of each text. The vectors of the
// full-precision model are computed once and cached.
#include <algorithm>
#include <vector>

#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "model/nn/embedder.h"
#include "model/verify/cosine_figures.h"
#include "model/verify/verify.h"

namespace frugal {
namespace {

class EmbedderComparison final : public Comparison {
 public:
  EmbedderComparison(const ModelSource& full_precision, std::span<const std::string_view> texts, ThreadPool& threads,
                     Ops& reference)
      : texts_(texts.begin(), texts.end()), threads_(threads), reference_(open_embedder(full_precision, reference)) {}

  Verification measure(const ModelSource& model, VerifyLevel level,
                       const std::function<void(double)>& progress) override {
    const std::unique_ptr<Ops> ops = make_cpu_ops(threads_, Budget::unlimited());
    const auto embedder = open_embedder(model, *ops);
    std::vector<float> vector(static_cast<size_t>(embedder->dimension()));
    Cosines cosines;
    for (size_t i = 0; i < texts_.size(); ++i) {
      embedder->embed(std::span(&texts_[i], 1), TextRole::passage, vector);
      cosines.add(cosine(vector, expected_vector(i)));
      if (progress) progress(double(i + 1) / double(texts_.size()));
    }
    using enum QualityFigure::Bound;
    const CosineFloors floors = cosine_floors(level);
    return {ModelKind::embedder,
            "texts",
            cosines.count(),
            {{"cosine mean", "mean_cosine", "mean_cosine_floor", at_least, cosines.mean(), floors.mean},
             {"lowest", "min_cosine", "min_cosine_floor", at_least, cosines.lowest(), floors.lowest}},
            1 - cosines.mean()};
  }

 private:
  std::span<const float> expected_vector(size_t text) {
    const auto dimension = static_cast<size_t>(reference_->dimension());
    expected_.resize(texts_.size() * dimension);
    const std::span<float> vector = std::span(expected_).subspan(text * dimension, dimension);
    if (text >= num_known_) reference_->embed(std::span(&texts_[text], 1), TextRole::passage, vector);
    num_known_ = std::max(num_known_, text + 1);
    return vector;
  }

  std::vector<std::string_view> texts_;
  ThreadPool& threads_;
  std::unique_ptr<Embedder> reference_;
  std::vector<float> expected_;  // the vector of every text
  size_t num_known_ = 0;         // the first texts, whose vectors are filled in
};

std::unique_ptr<Comparison> compare_with(const ModelSource& full_precision, std::span<const std::string_view> texts,
                                         int64_t, ThreadPool& threads, Ops& reference) {
  return std::make_unique<EmbedderComparison>(full_precision, texts, threads, reference);
}

void run(const ModelSource& source, Ops& ops, std::span<const std::string_view> texts, int64_t max_tokens,
         const std::function<void(double)>& progress) {
  const auto embedder = open_embedder(source, ops);
  std::vector<float> vector(static_cast<size_t>(embedder->dimension()));
  int64_t tokens = 0;
  for (const std::string_view text : texts) {
    if (tokens >= max_tokens) return;
    embedder->embed(std::span(&text, 1), TextRole::passage, vector);
    tokens += std::min(embedder->max_tokens(), int64_t(embedder->tokenizer().encode(text, false).size()));
    progress(std::min(1.0, double(tokens) / double(max_tokens)));
  }
}

}  // namespace

extern const QuantizedKind kQuantizedEmbedder{ModelKind::embedder, compare_with, run, false};

}  // namespace frugal
