// Verification: compares a pack with the full-precision model. Both run the same architecture's code over the same
// text, and the differences of their outputs are held against fixed bounds.
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

/// One figure of a comparison, with its bound (docs/tools/quantize-model.md has the reasons for the bounds).
struct QualityFigure {
  enum class Bound { at_least, at_most };
  std::string_view label;             // "KL divergence"
  std::string_view name, bound_name;  // keys of a report: "mean_kl_nats", "mean_kl_ceiling_nats"
  Bound side = Bound::at_least;
  double value = 0, bound = 0;
  bool percent = false;  // summary() writes it in percent

  /// True if the value is within its bound; false for NaN.
  bool holds() const { return side == Bound::at_least ? value >= bound : value <= bound; }
};

/// The comparison of one model with full precision, in the figures of its kind.
struct Verification {
  ModelKind kind = ModelKind::embedder;
  std::string_view unit = "texts";  // unit of `compared`: "texts", "tokens", "passages" …
  int64_t compared = 0;
  std::vector<QualityFigure> figures;
  /// The distance from full precision as one number. Embedders: 1 − mean cosine, of
  /// texts and images alike. Decoders: the mean KL divergence in
  /// nats; the expected perplexity grows by a factor of exp(KL); so do encoder-decoders and models of images and text.
  /// Readers: 1 − the mean overlap, or the logits' error.
  double loss = 0;

  /// True if there are figures and each is within its bound.
  bool passed() const;
  /// The value of the figure with this `name`, which must exist.
  double value(std::string_view name) const;
  /// "cosine mean 0.9982 (at least 0.99), …"
  std::string summary() const;
};

/// The set of bounds. It follows from the coarsest precision in the pack; `selected` is for packs of --dtype auto.
enum class VerifyLevel { fp16, int8, int4, selected };

/// Compares two packs over `texts`. A decoder reads the texts as one, at most kMaxVerifyTokens in windows of 1,024.
/// reference: the backend of the full-precision model; one other than the native backend also checks the kernels.
/// progress: gets the share done, 0 to 1. Throws as opening and running the models do, and Error(bad_input) if there
/// is no text.
Verification verify_against(const Pack& pack, const Pack& full_precision, ModelKind kind, VerifyLevel level,
                            std::span<const std::string_view> texts, int threads, const Backend& reference,
                            const std::function<void(double share)>& progress = {});

/// Compares models of one kind with one full-precision model, over one text.
class Comparison {
 public:
  virtual ~Comparison() = default;
  /// May be called repeatedly: outputs of the full-precision model are cached if they are small enough.
  virtual Verification measure(const ModelSource& model, VerifyLevel level,
                               const std::function<void(double share)>& progress) = 0;
};

/// The operations that differ between kinds of models. Each kind is defined in verify_KIND.cpp and listed in the table
/// of verify.cpp.
struct QuantizedKind {
  ModelKind kind;
  /// Borrows all arguments; `reference` runs the full-precision model. If texts are read as one, at most `max_tokens`
  /// are compared.
  std::unique_ptr<Comparison> (*compare_with)(const ModelSource& full_precision,
                                              std::span<const std::string_view> texts, int64_t max_tokens,
                                              ThreadPool& threads, Ops& reference);
  /// Runs the model over the texts, in batches, until it has read `max_tokens`.
  void (*run)(const ModelSource& source, Ops& ops, std::span<const std::string_view> texts, int64_t max_tokens,
              const std::function<void(double share)>& progress);
  /// True if its time is that of reading every weight for each token (decoding), not that of batches.
  bool reads_weights_per_token;
};
const QuantizedKind& quantized_kind(ModelKind kind);

/// A Comparison that owns its thread pool and backend.
class QualityMeter {
 public:
  /// Borrows the model and the texts. Throws Error(bad_input) if there is no text.
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

/// The built-in calibration text, on which the errors of single layers are measured. It has no sentence in common with
/// the next.
std::vector<std::string_view> calibration_texts();

/// The built-in verification text: paragraphs in English and Portuguese, written for this purpose.
std::vector<std::string_view> verification_texts();

/// The maximum number of tokens that a decoder is compared on.
inline constexpr int64_t kMaxVerifyTokens = 4096;

/// The first `max_tokens` tokens of the texts, joined by blank lines.
std::vector<TokenId> joined_ids(const Tokenizer& tokenizer, std::span<const std::string_view> texts,
                                int64_t max_tokens);

/// The non-empty lines of a text file. Throws Error(io), and Error(bad_input) if there are none.
std::vector<std::string> read_verification_texts(const std::filesystem::path& path);

}  // namespace frugal
