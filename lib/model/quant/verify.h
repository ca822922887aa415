// Does the pack still answer as the full-precision model does? Both run through the same code on the same built-in
// text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "compute/ops/plugin.h"
#include "model/format/pack.h"
#include "model/nn/architecture.h"
#include "model/nn/decoder.h"
#include "model/nn/embedder.h"
#include "model/nn/kv_cache.h"
#include "model/nn/model_source.h"

namespace frugal {

/// Figures of one comparison, with the floors they were held against (docs/tools/quantize-model.md says where these
/// come from).
struct Verification {
  ModelKind kind = ModelKind::embedder;
  int64_t texts = 0;   // embedder: texts compared
  int64_t tokens = 0;  // decoder: positions compared
  // Embedder: cosine between the vectors of a text.
  double mean_cosine = 0, min_cosine = 0;
  double mean_cosine_floor = 0, min_cosine_floor = 0;
  // Decoder: KL(full ‖ pack) of the next-token distributions in nats, and how often both name the same token first.
  double mean_kl = 0, top1_agreement = 0;
  double mean_kl_ceiling = 0, top1_agreement_floor = 0;

  bool passed() const;
  /// How far from full precision, as one number: 1 − mean cosine, or the mean KL divergence in nats, by which the
  /// expected perplexity grows by a factor of exp(KL).
  double loss() const { return kind == ModelKind::decoder ? mean_kl : 1 - mean_cosine; }
  /// "mean cosine 0.9982 (floor 0.99), …"
  std::string summary() const;
};

/// The coarsest precision in a pack decides what may be expected of it; `selected` is what --dtype auto promises.
enum class VerifyLevel { fp16, int8, int4, selected };

/// Runs both packs over `texts`; a decoder reads them one after the other, at most 4,096 tokens in windows of 1,024.
/// `reference` is the backend that the full precision runs on: another than ours makes it a second oracle.
/// `progress` gets the share done, 0…1. Throws what opening and running the models throws, and Error(bad_input) if
/// there is no text.
Verification verify_against(const Pack& pack, const Pack& full_precision, ModelKind kind, VerifyLevel level,
                            std::span<const std::string_view> texts, int threads, const Backend& reference,
                            const std::function<void(double share)>& progress = {});

/// Compares one model after the other with one in full precision, over one text. What the full precision says is
/// remembered where it is small, so that many comparisons cost little more than the models compared.
class QualityMeter {
 public:
  /// Borrows all. A decoder reads at most `max_tokens`.
  QualityMeter(const ModelSource& full_precision, ModelKind kind, std::span<const std::string_view> texts,
               int64_t max_tokens, int threads, const Backend& reference);
  ~QualityMeter();

  Verification measure(const ModelSource& model, VerifyLevel level, const std::function<void(double share)>& progress);

 private:
  void compare_embedder(const ModelSource& model, Verification& result, const std::function<void(double)>& progress);
  void compare_decoder(const ModelSource& model, Verification& result, const std::function<void(double)>& progress);
  std::span<const float> expected_vector(size_t text);
  std::span<const float> expected_logits(int64_t begin, std::span<const TokenId> step, KvCache& cache);

  const ModelKind kind_;
  std::vector<std::string_view> texts_;
  ThreadPool pool_;
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<Embedder> embedder_;
  std::unique_ptr<Decoder> reference_;
  std::vector<TokenId> ids_;
  std::vector<float> expected_;  // every text's vector; logits of every token, or of the step at hand
  int64_t expected_rows_ = 0;    // that are filled in, from the front
};

/// The text that inputs are sampled on to measure what each layer's rounding does: like the next, but another.
std::vector<std::string_view> calibration_texts();

/// The built-in text: paragraphs in English and Portuguese, written for this purpose.
std::vector<std::string_view> verification_texts();

/// Positions that a decoder is compared on at most.
inline constexpr int64_t kMaxVerifyTokens = 4096;

/// The texts as one, a blank line between them: the first `max_tokens` tokens.
std::vector<TokenId> joined_ids(const Tokenizer& tokenizer, std::span<const std::string_view> texts,
                                int64_t max_tokens);

/// The lines of a text file that hold anything. Throws Error(bad_input | io).
std::vector<std::string> read_verification_texts(const std::filesystem::path& path);

}  // namespace frugal
