#include "model/quant/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "compute/ops/ops.h"
#include "model/arch/registry.h"
#include "model/nn/kv_cache.h"
#include "model/nn/logits.h"
#include "model/nn/model_source.h"

namespace frugal {
namespace {

// Positions a decoder is compared on at a time: two blocks of logits are held, 2 · 32 · 49,152 floats (12 MiB) for
// SmolLM2.
constexpr int64_t kTokensPerStep = 32;
// Logits of the full precision that are remembered from one comparison to the next: 64 tokens of SmolLM2's.
constexpr int64_t kMaxRememberedFloats = 64 * 49152;
// Tokens after which a decoder starts anew, so that long texts do not measure long contexts. A multiple of the step.
constexpr int64_t kWindowTokens = 1024;

struct Floors {
  double mean_cosine, min_cosine, mean_kl, top1_agreement;
};

// Well below what good packs reach and well above what broken ones do; measured figures are in
// docs/tools/quantize-model.md.
Floors floors_of(VerifyLevel level) {
  switch (level) {
    case VerifyLevel::fp16:
      return {0.9999, 0.9995, 0.001, 0.98};
    case VerifyLevel::int8:
      return {0.99, 0.98, 0.02, 0.90};
    case VerifyLevel::int4:
      return {0.95, 0.90, 0.25, 0.70};
    case VerifyLevel::selected:
      return {0.98, 0.95, 0.02, 0.90};
  }
  return {};
}

double cosine(std::span<const float> a, std::span<const float> b) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += double(a[i]) * double(b[i]);
    aa += double(a[i]) * double(a[i]);
    bb += double(b[i]) * double(b[i]);
  }
  return aa > 0 && bb > 0 ? dot / std::sqrt(aa * bb) : 0;
}

}  // namespace

bool Verification::passed() const {
  // Written so that a figure that is no number fails.
  if (kind == ModelKind::decoder) return mean_kl <= mean_kl_ceiling && top1_agreement >= top1_agreement_floor;
  return mean_cosine >= mean_cosine_floor && min_cosine >= min_cosine_floor;
}

std::string Verification::summary() const {
  if (kind == ModelKind::decoder)
    return fmt::format("KL divergence {:.4f} (at most {}), top-1 agreement {:.1f} % (at least {:.0f} %) over {} tokens",
                       mean_kl, mean_kl_ceiling, 100 * top1_agreement, 100 * top1_agreement_floor, tokens);
  return fmt::format("cosine mean {:.4f} (at least {}), lowest {:.4f} (at least {}) over {} texts", mean_cosine,
                     mean_cosine_floor, min_cosine, min_cosine_floor, texts);
}

std::vector<std::string> read_verification_texts(const std::filesystem::path& path) {
  const std::string content = read_file(path);
  std::vector<std::string> texts;
  for (size_t begin = 0; begin < content.size();) {
    const size_t end = std::min(content.find('\n', begin), content.size());
    if (end > begin) texts.push_back(content.substr(begin, end - begin));
    begin = end + 1;
  }
  if (texts.empty()) throw Error(Code::bad_input, fmt::format("'{}' holds no text to verify with", path.native()));
  return texts;
}

std::vector<TokenId> joined_ids(const Tokenizer& tokenizer, std::span<const std::string_view> texts,
                                int64_t max_tokens) {
  std::string joined;
  for (const std::string_view text : texts) joined += std::string(text) + "\n\n";
  std::vector<TokenId> ids(tokenizer.prefix().begin(), tokenizer.prefix().end());
  for (const TokenId id : tokenizer.encode(joined, false)) ids.push_back(id);
  ids.resize(static_cast<size_t>(std::min(int64_t(ids.size()), max_tokens)));
  return ids;
}

QualityMeter::QualityMeter(const ModelSource& full_precision, ModelKind kind, std::span<const std::string_view> texts,
                           int64_t max_tokens, int threads, const Backend& reference)
    : kind_(kind), texts_(texts.begin(), texts.end()), pool_(threads), ops_(make_ops(reference, pool_, nullptr)) {
  if (texts.empty()) throw Error(Code::bad_input, "there is no text to verify with");
  if (kind == ModelKind::decoder)
    reference_ = open_decoder(full_precision, *ops_);
  else
    embedder_ = open_embedder(full_precision, *ops_);
  if (kind == ModelKind::decoder) ids_ = joined_ids(reference_->tokenizer(), texts, max_tokens);
}

QualityMeter::~QualityMeter() = default;

Verification QualityMeter::measure(const ModelSource& model, VerifyLevel level,
                                   const std::function<void(double)>& progress) {
  const Floors floors = floors_of(level);
  Verification result;
  result.kind = kind_;
  result.mean_cosine_floor = floors.mean_cosine;
  result.min_cosine_floor = floors.min_cosine;
  result.mean_kl_ceiling = floors.mean_kl;
  result.top1_agreement_floor = floors.top1_agreement;
  if (kind_ == ModelKind::decoder)
    compare_decoder(model, result, progress);
  else
    compare_embedder(model, result, progress);
  return result;
}

std::span<const float> QualityMeter::expected_vector(size_t text) {
  const auto dimension = static_cast<size_t>(embedder_->dimension());
  expected_.resize(texts_.size() * dimension);
  const std::span<float> vector = std::span(expected_).subspan(text * dimension, dimension);
  if (int64_t(text) >= expected_rows_) embedder_->embed(std::span(&texts_[text], 1), vector);
  expected_rows_ = std::max(expected_rows_, int64_t(text) + 1);
  return vector;
}

void QualityMeter::compare_embedder(const ModelSource& model, Verification& result,
                                    const std::function<void(double)>& progress) {
  const std::unique_ptr<Ops> ops = make_cpu_ops(pool_);
  const auto embedder = open_embedder(model, *ops);
  std::vector<float> vector(static_cast<size_t>(embedder->dimension()));
  result.min_cosine = 1;
  for (size_t i = 0; i < texts_.size(); ++i) {
    embedder->embed(std::span(&texts_[i], 1), vector);
    const double similarity = cosine(vector, expected_vector(i));
    result.mean_cosine += similarity / static_cast<double>(texts_.size());
    result.min_cosine = std::min(result.min_cosine, similarity);
    ++result.texts;
    if (progress) progress(double(i + 1) / double(texts_.size()));
  }
}

std::span<const float> QualityMeter::expected_logits(int64_t begin, std::span<const TokenId> step, KvCache& cache) {
  const int64_t vocab = reference_->vocab_size();
  const bool remember = int64_t(ids_.size()) * vocab <= kMaxRememberedFloats;
  expected_.resize(static_cast<size_t>((remember ? int64_t(ids_.size()) : kTokensPerStep) * vocab));
  const std::span<float> logits = std::span(expected_).subspan(static_cast<size_t>(remember ? begin * vocab : 0),
                                                               step.size() * static_cast<size_t>(vocab));
  if (remember && begin < expected_rows_) return logits;
  reference_->forward_all(step, cache, logits);
  expected_rows_ = begin + int64_t(step.size());
  return logits;
}

void QualityMeter::compare_decoder(const ModelSource& model, Verification& result,
                                   const std::function<void(double)>& progress) {
  const std::unique_ptr<Ops> ops = make_cpu_ops(pool_);
  const auto decoder = open_decoder(model, *ops);
  const auto total = static_cast<int64_t>(ids_.size());
  const int64_t window = std::min(kWindowTokens, decoder->context_tokens() / kTokensPerStep * kTokensPerStep);
  if (window == 0) throw Error(Code::bad_input, "the model's context is too short to verify it");
  KvCache cache = decoder->make_cache(window);
  KvCache reference_cache = reference_->make_cache(window);
  const auto vocab = static_cast<size_t>(decoder->vocab_size());
  std::vector<float> logits(vocab * kTokensPerStep);
  int64_t agreed = 0;
  for (int64_t begin = 0; begin < total; begin += kTokensPerStep) {
    if (begin % window == 0) {
      cache.truncate(0);
      reference_cache.truncate(0);
    }
    const auto count = static_cast<size_t>(std::min(kTokensPerStep, total - begin));
    const auto step = std::span<const TokenId>(ids_).subspan(static_cast<size_t>(begin), count);
    decoder->forward_all(step, cache, std::span(logits).first(count * vocab));
    const std::span<const float> expected = expected_logits(begin, step, reference_cache);
    for (size_t t = 0; t < count; ++t) {
      const auto p = expected.subspan(t * vocab, vocab);
      const auto q = std::span<const float>(logits).subspan(t * vocab, vocab);
      result.mean_kl += kl_divergence(p, q) / static_cast<double>(total);
      agreed += likeliest(p) == likeliest(q) ? 1 : 0;
    }
    if (progress) progress(double(begin + int64_t(count)) / double(total));
  }
  result.tokens = total;
  result.top1_agreement = static_cast<double>(agreed) / static_cast<double>(total);
}

Verification verify_against(const Pack& pack, const Pack& full_precision, ModelKind kind, VerifyLevel level,
                            std::span<const std::string_view> texts, int threads, const Backend& reference,
                            const std::function<void(double)>& progress) {
  const PackSource full(full_precision), source(pack);
  return QualityMeter(full, kind, texts, kMaxVerifyTokens, threads, reference).measure(source, level, progress);
}

}  // namespace frugal
