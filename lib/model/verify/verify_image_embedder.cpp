// Compares a model of texts and images with full precision by the cosine between both vectors of each input. The images
// are made up (made_images.h). The vectors of the full-precision model are computed once and cached.
#include <algorithm>
#include <memory>
#include <vector>

#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "model/nn/image_embedder.h"
#include "model/verify/cosine_figures.h"
#include "model/verify/made_images.h"
#include "model/verify/verify.h"

namespace frugal {
namespace {

constexpr size_t kImages = 16;

std::vector<float> vector_of_text(ImageEmbedder& model, std::string_view text) {
  std::vector<float> vector(static_cast<size_t>(model.dimension()));
  model.embed_texts(std::span(&text, 1), vector);
  return vector;
}

std::vector<float> vector_of_image(ImageEmbedder& model, ImageSet set, size_t index) {
  std::vector<float> vector(static_cast<size_t>(model.dimension()));
  const RgbImage image = made_image(set, int64_t(index), Budget::unlimited());
  model.embed_images(std::span(&image, 1), Budget::unlimited(), vector);
  return vector;
}

class ImageEmbedderComparison final : public Comparison {
 public:
  ImageEmbedderComparison(const ModelSource& full_precision, std::span<const std::string_view> texts,
                          ThreadPool& threads, Ops& reference)
      : texts_(texts.begin(), texts.end()), threads_(threads) {
    const auto model = open_as<ImageEmbedder>(full_precision, reference);
    expected_.reserve(texts_.size() + kImages);
    for (const std::string_view text : texts_) expected_.push_back(vector_of_text(*model, text));
    for (size_t i = 0; i < kImages; ++i) expected_.push_back(vector_of_image(*model, ImageSet::verification, i));
  }

  Verification measure(const ModelSource& model, VerifyLevel level,
                       const std::function<void(double)>& progress) override {
    const std::unique_ptr<Ops> ops = make_cpu_ops(threads_, Budget::unlimited());
    const auto pack = open_as<ImageEmbedder>(model, *ops);
    Cosines texts, images;
    for (size_t i = 0; i < expected_.size(); ++i) {
      const bool is_text = i < texts_.size();
      const std::vector<float> vector = is_text ? vector_of_text(*pack, texts_[i])
                                                : vector_of_image(*pack, ImageSet::verification, i - texts_.size());
      (is_text ? texts : images).add(cosine(vector, expected_[i]));
      if (progress) progress(double(i + 1) / double(expected_.size()));
    }
    return verdict(level, texts, images);
  }

 private:
  static Verification verdict(VerifyLevel level, const Cosines& texts, const Cosines& images) {
    using enum QualityFigure::Bound;
    const CosineFloors floors = cosine_floors(level);
    return {
        ModelKind::image_embedder,
        "texts and images",
        texts.count() + images.count(),
        {{"cosine mean of texts", "mean_text_cosine", "mean_text_cosine_floor", at_least, texts.mean(), floors.mean},
         {"lowest", "min_text_cosine", "min_text_cosine_floor", at_least, texts.lowest(), floors.lowest},
         {"mean of images", "mean_image_cosine", "mean_image_cosine_floor", at_least, images.mean(), floors.mean},
         {"lowest", "min_image_cosine", "min_image_cosine_floor", at_least, images.lowest(), floors.lowest}},
        1 - (texts.mean() + images.mean()) / 2};
  }

  std::vector<std::string_view> texts_;
  ThreadPool& threads_;
  std::vector<std::vector<float>> expected_;  // of the texts, then of the images
};

std::unique_ptr<Comparison> compare_with(const ModelSource& full_precision, std::span<const std::string_view> texts,
                                         int64_t, ThreadPool& threads, Ops& reference) {
  return std::make_unique<ImageEmbedderComparison>(full_precision, texts, threads, reference);
}

// Each tower reads `max_tokens`.
void run(const ModelSource& source, Ops& ops, std::span<const std::string_view> texts, int64_t max_tokens,
         const std::function<void(double)>& progress) {
  const auto model = open_as<ImageEmbedder>(source, ops);
  int64_t tokens = 0;
  for (const std::string_view text : texts) {
    if (tokens >= max_tokens) break;
    vector_of_text(*model, text);
    tokens += std::min(model->max_tokens(), int64_t(model->tokenizer().encode(text, false).size()));
    progress(std::min(1.0, double(tokens) / double(max_tokens)) / 2);
  }
  tokens = 0;
  for (size_t i = 0; tokens < max_tokens; ++i) {
    vector_of_image(*model, ImageSet::calibration, i);
    tokens += model->image_tokens();
    progress((1 + std::min(1.0, double(tokens) / double(max_tokens))) / 2);
  }
}

}  // namespace

extern const QuantizedKind kQuantizedImageEmbedder{ModelKind::image_embedder, compare_with, run, false};

}  // namespace frugal
