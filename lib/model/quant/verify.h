// Does the pack still answer as the full-precision model does? Both run through the same code on the same built-in
// text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "compute/ops/plugin.h"
#include "model/format/pack.h"
#include "model/nn/model.h"
#include "model/nn/model_source.h"
#include "model/tokenize/tokenizer.h"

namespace frugal {

/// One figure of a comparison, and the bound that it is held against (docs/tools/quantize-model.md says where these
/// come from).
struct QualityFigure {
  enum class Bound { at_least, at_most };
  std::string_view label;             // "KL divergence"
  std::string_view name, bound_name;  // in reports: "mean_kl_nats", "mean_kl_ceiling_nats"
  Bound side = Bound::at_least;
  double value = 0, bound = 0;
  bool percent = false;  // how it is written

  /// False for a figure that is no number.
  bool holds() const { return side == Bound::at_least ? value >= bound : value <= bound; }
};

/// One model against its full precision, in the figures of its kind.
struct Verification {
  ModelKind kind = ModelKind::embedder;
  std::string_view unit = "texts";  // of what was compared
  int64_t compared = 0;
  std::vector<QualityFigure> figures;
  /// How far from full precision, as one number: 1 − mean cosine, or the mean KL divergence in nats, by which the
  /// expected perplexity grows by a factor of exp(KL).
  double loss = 0;

  bool passed() const;
  /// The figure with this name in reports. There must be one.
  double value(std::string_view name) const;
  /// "cosine mean 0.9982 (at least 0.99), …"
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

/// Models of one kind against one in full precision, over one text.
class Comparison {
 public:
  virtual ~Comparison() = default;
  /// May be called many times: what the full precision says is remembered where it is small.
  virtual Verification measure(const ModelSource& model, VerifyLevel level,
                               const std::function<void(double share)>& progress) = 0;
};

/// All that quantising knows of a kind of model: a line in the table of verify.cpp, defined in verify_KIND.cpp.
struct QuantizedKind {
  ModelKind kind;
  /// Borrows all; `reference` runs the full precision. At most `max_tokens` are compared, where texts are read as one.
  std::unique_ptr<Comparison> (*compare_with)(const ModelSource& full_precision,
                                              std::span<const std::string_view> texts, int64_t max_tokens,
                                              ThreadPool& threads, Ops& reference);
  /// Runs the model over the texts, a batch at a time, until it has read `max_tokens`.
  void (*run)(const ModelSource& source, Ops& ops, std::span<const std::string_view> texts, int64_t max_tokens,
              const std::function<void(double share)>& progress);
  /// Its speed is that of reading every weight for each token, not that of batches.
  bool reads_weights_per_token;
};
const QuantizedKind& quantized_kind(ModelKind kind);

/// A Comparison with all that it needs.
class QualityMeter {
 public:
  /// Borrows all. Throws Error(bad_input) if there is no text.
  QualityMeter(const ModelSource& full_precision, ModelKind kind, std::span<const std::string_view> texts,
               int64_t max_tokens, int threads, const Backend& reference);
  Verification measure(const ModelSource& model, VerifyLevel level, const std::function<void(double share)>& progress) {
    return comparison_->measure(model, level, progress);
  }

 private:
  ThreadPool pool_;
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<Comparison> comparison_;
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
