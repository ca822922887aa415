// Compares an embedder with full precision by the cosine between both vectors of each text. Where a model has several
// outputs, such as BGE-M3's weights and vectors of tokens, the lowest of their cosines counts. The outputs of the
// full-precision model are computed once and cached.
#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "model/nn/embedder.h"
#include "model/verify/cosine_figures.h"
#include "model/verify/verify.h"

namespace frugal {
namespace {

// The weights of two texts as vectors over the vocabulary.
double weight_cosine(std::span<const TokenWeight> a, std::span<const TokenWeight> b) {
  double dot = 0, aa = 0, bb = 0;
  for (const TokenWeight& x : a) aa += double(x.weight) * double(x.weight);
  for (const TokenWeight& y : b) bb += double(y.weight) * double(y.weight);
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i].token == b[j].token) dot += double(a[i].weight) * double(b[j].weight);
    const bool first = a[i].token <= b[j].token, second = b[j].token <= a[i].token;
    i += first;
    j += second;
  }
  return aa > 0 && bb > 0 ? dot / std::sqrt(aa * bb) : 0;
}

double similarity(const TextEmbedding& got, const TextEmbedding& want) {
  double lowest = cosine(got.dense, want.dense);
  if (!want.sparse.empty()) lowest = std::min(lowest, weight_cosine(got.sparse, want.sparse));
  if (!want.token_vectors.empty()) lowest = std::min(lowest, cosine(got.token_vectors, want.token_vectors));
  return lowest;
}

TextEmbedding embed(Embedder& embedder, std::string_view text) {
  return std::move(embedder.embed_all(std::span(&text, 1), TextRole::passage).front());
}

class EmbedderComparison final : public Comparison {
 public:
  EmbedderComparison(const ModelSource& full_precision, std::span<const std::string_view> texts, ThreadPool& threads,
                     Ops& reference)
      : texts_(texts.begin(), texts.end()), threads_(threads), reference_(open_embedder(full_precision, reference)) {}

  Verification measure(const ModelSource& model, VerifyLevel level,
                       const std::function<void(double)>& progress) override {
    const std::unique_ptr<Ops> ops = make_cpu_ops(threads_, Budget::unlimited());
    const auto embedder = open_embedder(model, *ops);
    Cosines cosines;
    for (size_t i = 0; i < texts_.size(); ++i) {
      cosines.add(similarity(embed(*embedder, texts_[i]), expected(i)));
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
  const TextEmbedding& expected(size_t text) {
    if (text == expected_.size()) expected_.push_back(embed(*reference_, texts_[text]));
    return expected_.at(text);
  }

  std::vector<std::string_view> texts_;
  ThreadPool& threads_;
  std::unique_ptr<Embedder> reference_;
  std::vector<TextEmbedding> expected_;  // of the first texts
};

std::unique_ptr<Comparison> compare_with(const ModelSource& full_precision, std::span<const std::string_view> texts,
                                         int64_t, ThreadPool& threads, Ops& reference) {
  return std::make_unique<EmbedderComparison>(full_precision, texts, threads, reference);
}

void run(const ModelSource& source, Ops& ops, std::span<const std::string_view> texts, int64_t max_tokens,
         const std::function<void(double)>& progress) {
  const auto embedder = open_embedder(source, ops);
  int64_t tokens = 0;
  for (const std::string_view text : texts) {
    if (tokens >= max_tokens) return;
    embed(*embedder, text);
    tokens += std::min(embedder->max_tokens(), int64_t(embedder->tokenizer().encode(text, false).size()));
    progress(std::min(1.0, double(tokens) / double(max_tokens)));
  }
}

}  // namespace

extern const QuantizedKind kQuantizedEmbedder{ModelKind::embedder, compare_with, run, false};

}  // namespace frugal
