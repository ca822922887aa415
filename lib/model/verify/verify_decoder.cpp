// Compares a decoder with full precision by its next-token distributions: the mean KL(full ‖ pack) in nats, and how
// often both have the same most probable token.
//
// Both models read the same tokens in steps of kTokensPerStep, each with its own KV cache, and give the logits of every
// position. After kWindowTokens both caches are emptied, so a long text does not measure long contexts. If the logits
// of the full-precision model fit kMaxCachedFloats, they are cached for later comparisons.
#include <algorithm>
#include <vector>

#include "base/error.h"
#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "model/nn/decoder.h"
#include "model/nn/kv_cache.h"
#include "model/verify/token_figures.h"
#include "model/verify/verify.h"

namespace frugal {
namespace {

// Tokens of a forward pass: a batch as in prefill, whose logits take little memory (SmolLM2: 32 · 49,152 floats, 6
// MiB).
constexpr int64_t kTokensPerStep = 32;
// Logits of the full-precision model that are cached: 64 tokens of SmolLM2.
constexpr int64_t kMaxCachedFloats = 64 * 49152;
// A multiple of kTokensPerStep.
constexpr int64_t kWindowTokens = 1024;

// The tokens of a window: at most `max_tokens` and the model's context, a multiple of the step. Throws Error(bad_input)
// naming the `purpose` if the context is shorter than one step.
int64_t window_of(const Decoder& decoder, int64_t max_tokens, std::string_view purpose) {
  const int64_t window = std::min(max_tokens, decoder.context_tokens() / kTokensPerStep * kTokensPerStep);
  if (window == 0) throw Error(Code::bad_input, "the model's context is too short to " + std::string(purpose));
  return window;
}

class DecoderComparison final : public Comparison {
 public:
  DecoderComparison(const ModelSource& full_precision, std::span<const std::string_view> texts, int64_t max_tokens,
                    ThreadPool& threads, Ops& reference)
      : threads_(threads),
        reference_(open_decoder(full_precision, reference)),
        ids_(joined_ids(reference_->tokenizer(), texts, max_tokens)) {}

  Verification measure(const ModelSource& model, VerifyLevel level,
                       const std::function<void(double)>& progress) override {
    const std::unique_ptr<Ops> ops = make_cpu_ops(threads_, Budget::unlimited());
    const auto decoder = open_decoder(model, *ops);
    const auto total = static_cast<int64_t>(ids_.size());
    const int64_t window = window_of(*decoder, kWindowTokens, "verify it");
    KvCache cache = decoder->make_cache(window, Budget::unlimited());
    KvCache reference_cache = reference_->make_cache(window, Budget::unlimited());
    const auto vocab = static_cast<size_t>(decoder->vocab_size());
    std::vector<float> logits(vocab * kTokensPerStep);
    TokenFigures figures;
    for (int64_t begin = 0; begin < total; begin += kTokensPerStep) {
      if (begin % window == 0) {
        cache.truncate(0);
        reference_cache.truncate(0);
      }
      const auto count = static_cast<size_t>(std::min(kTokensPerStep, total - begin));
      const auto step = std::span<const TokenId>(ids_).subspan(static_cast<size_t>(begin), count);
      decoder->forward_all(step, cache, std::span(logits).first(count * vocab));
      const std::span<const float> expected = expected_logits(begin, step, reference_cache);
      for (size_t t = 0; t < count; ++t)
        figures.add(expected.subspan(t * vocab, vocab), std::span(logits).subspan(t * vocab, vocab));
      if (progress) progress(double(begin + int64_t(count)) / double(total));
    }
    return {ModelKind::decoder, "tokens", figures.count(), figures.figures(level), figures.mean_kl()};
  }

 private:
  std::span<const float> expected_logits(int64_t begin, std::span<const TokenId> step, KvCache& cache) {
    const int64_t vocab = reference_->vocab_size();
    const bool cached = int64_t(ids_.size()) * vocab <= kMaxCachedFloats;
    expected_.resize(static_cast<size_t>((cached ? int64_t(ids_.size()) : kTokensPerStep) * vocab));
    const std::span<float> logits = std::span(expected_).subspan(static_cast<size_t>(cached ? begin * vocab : 0),
                                                                 step.size() * static_cast<size_t>(vocab));
    if (cached && begin < num_known_) return logits;
    reference_->forward_all(step, cache, logits);
    num_known_ = begin + int64_t(step.size());
    return logits;
  }

  ThreadPool& threads_;
  std::unique_ptr<Decoder> reference_;
  std::vector<TokenId> ids_;
  std::vector<float> expected_;  // logits of every token if cached, else of the current step
  int64_t num_known_ = 0;        // the first tokens, whose logits are cached
};

std::unique_ptr<Comparison> compare_with(const ModelSource& full_precision, std::span<const std::string_view> texts,
                                         int64_t max_tokens, ThreadPool& threads, Ops& reference) {
  return std::make_unique<DecoderComparison>(full_precision, texts, max_tokens, threads, reference);
}

void run(const ModelSource& source, Ops& ops, std::span<const std::string_view> texts, int64_t max_tokens,
         const std::function<void(double)>& progress) {
  const auto decoder = open_decoder(source, ops);
  std::vector<TokenId> ids = joined_ids(decoder->tokenizer(), texts, max_tokens);
  const int64_t window = window_of(*decoder, max_tokens, "calibrate on");
  KvCache cache = decoder->make_cache(window, Budget::unlimited());
  std::vector<float> logits(static_cast<size_t>(decoder->vocab_size() * kTokensPerStep));
  for (size_t begin = 0; begin < ids.size(); begin += kTokensPerStep) {
    if (int64_t(begin) % window == 0) cache.truncate(0);
    const size_t count = std::min<size_t>(kTokensPerStep, ids.size() - begin);
    decoder->forward_all(std::span<const TokenId>(ids).subspan(begin, count), cache,
                         std::span(logits).first(count * static_cast<size_t>(decoder->vocab_size())));
    progress(double(begin + count) / double(ids.size()));
  }
}

}  // namespace

extern const QuantizedKind kQuantizedDecoder{ModelKind::decoder, compare_with, run, true};

}  // namespace frugal
