// Compares a model of images and text with full precision by its next-token distributions after an image: the mean
// KL(full ‖ pack) in nats, and how often both have the same most probable token.
//
// The full-precision model reads each image (made_images.h) and the prompt of a caption, and writes greedily, at most
// kCaptionTokens. The pack reads the same image and is given the same tokens, whatever it would have written itself.
#include <algorithm>
#include <memory>
#include <vector>

#include "base/error.h"
#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "model/nn/logits.h"
#include "model/nn/vision_language.h"
#include "model/verify/made_images.h"
#include "model/verify/token_figures.h"
#include "model/verify/verify.h"

namespace frugal {
namespace {

constexpr int64_t kImages = 8, kCaptionTokens = 16;

// What is written about one image, and the logits after the prompt and after each token but the last.
struct Caption {
  int64_t prompt_tokens = 0;
  std::vector<TokenId> tokens;
  std::vector<float> logits;  // [tokens, vocab]
};

// Reads image number `index` and the prompt of a caption. `given`: the tokens that were written by another model; null:
// those that this one writes, up to one that ends the text.
Caption caption_of(VisionLanguage& model, ImageSet set, int64_t index, const Caption* given) {
  Caption caption;
  std::vector<float> logits(static_cast<size_t>(model.vocab_size()));
  const RgbImage image = made_image(set, index, Budget::unlimited());
  const std::unique_ptr<ImageText> text = model.read(image, "", kCaptionTokens, logits, Budget::unlimited());
  caption.prompt_tokens = text->prompt_tokens();
  const std::vector<TokenId> ends = model.ends();
  const size_t most = given ? given->tokens.size() : static_cast<size_t>(text->max_tokens());
  for (;;) {
    caption.logits.insert(caption.logits.end(), logits.begin(), logits.end());
    const size_t written = caption.tokens.size();
    const TokenId next = given ? given->tokens[written] : static_cast<TokenId>(argmax(logits));
    caption.tokens.push_back(next);
    if (written + 1 == most || (!given && std::find(ends.begin(), ends.end(), next) != ends.end())) return caption;
    text->append(next, logits);
  }
}

class VisionLanguageComparison final : public Comparison {
 public:
  VisionLanguageComparison(const ModelSource& full_precision, ThreadPool& threads, Ops& reference) : threads_(threads) {
    const auto model = open_as<VisionLanguage>(full_precision, reference);
    for (int64_t i = 0; i < kImages; ++i) expected_.push_back(caption_of(*model, ImageSet::verification, i, nullptr));
  }

  Verification measure(const ModelSource& model, VerifyLevel level,
                       const std::function<void(double)>& progress) override {
    const std::unique_ptr<Ops> ops = make_cpu_ops(threads_, Budget::unlimited());
    const auto pack = open_as<VisionLanguage>(model, *ops);
    const auto vocab = static_cast<size_t>(pack->vocab_size());
    TokenFigures figures;
    for (size_t i = 0; i < expected_.size(); ++i) {
      const Caption caption = caption_of(*pack, ImageSet::verification, int64_t(i), &expected_[i]);
      for (size_t t = 0; t < caption.tokens.size(); ++t)
        figures.add(std::span(expected_[i].logits).subspan(t * vocab, vocab),
                    std::span(caption.logits).subspan(t * vocab, vocab));
      if (progress) progress(double(i + 1) / double(expected_.size()));
    }
    return {ModelKind::vision_language, "tokens", figures.count(), figures.figures(level), figures.mean_kl()};
  }

 private:
  ThreadPool& threads_;
  std::vector<Caption> expected_;
};

std::unique_ptr<Comparison> compare_with(const ModelSource& full_precision, std::span<const std::string_view>, int64_t,
                                         ThreadPool& threads, Ops& reference) {
  return std::make_unique<VisionLanguageComparison>(full_precision, threads, reference);
}

void run(const ModelSource& source, Ops& ops, std::span<const std::string_view>, int64_t max_tokens,
         const std::function<void(double)>& progress) {
  const auto model = open_as<VisionLanguage>(source, ops);
  int64_t read = 0;
  for (int64_t i = 0; read < max_tokens; ++i) {
    const Caption caption = caption_of(*model, ImageSet::calibration, i, nullptr);
    read += caption.prompt_tokens + int64_t(caption.tokens.size());
    progress(std::min(1.0, double(read) / double(max_tokens)));
  }
}

}  // namespace

extern const QuantizedKind kQuantizedVisionLanguage{ModelKind::vision_language, compare_with, run, true};

}  // namespace frugal
