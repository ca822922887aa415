// Compares an encoder-decoder with full precision by what it writes. The full-precision model reads each text and
// writes from it greedily, at most kTextTokens. The pack reads the same text, and its decoder is given those tokens,
// whatever it would have written itself: the figures are the mean KL(full ‖ pack) of the next-token distributions in
// nats, how often both have the same most probable token, and the share of texts in which they always have, which are
// the texts that both write identically.
//
// If the logits of the full-precision model fit kMaxCachedFloats, they are cached for later comparisons.
#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "model/nn/logits.h"
#include "model/nn/seq2seq.h"
#include "model/verify/token_figures.h"
#include "model/verify/verify.h"

namespace frugal {
namespace {

constexpr int64_t kTextTokens = 32;
// Flan-T5: 32 texts of 32 tokens and 32,128 logits would be 132 MB; a quarter is kept.
constexpr int64_t kMaxCachedFloats = 256 * 32128;

// The share of texts that must be identical. One differing token makes a text differ: if nine of ten tokens agree, .9³²
// = 3 % of the texts of 32 tokens do.
double identical_floor(VerifyLevel level) {
  switch (level) {
    case VerifyLevel::fp16:
      return 0.5;
    case VerifyLevel::int8:
    case VerifyLevel::selected:
      return 0.05;
    case VerifyLevel::int4:
      break;
  }
  return 0;
}

// One text: its source, what the full-precision model writes, and the logits after each of its tokens.
struct Written {
  std::vector<TokenId> source, tokens;
  std::vector<float> logits;  // [tokens, vocab]; empty if they are not cached
};

// The logits after each token of a text: [tokens, vocab].
std::vector<float> read_written(Seq2Seq& model, const Written& text) {
  std::vector<float> logits(text.tokens.size() * static_cast<size_t>(model.vocab_size()));
  BeamCache cache = model.encode(text.source, 1, int64_t(text.tokens.size()), Budget::unlimited());
  model.decode(text.tokens, cache, logits);
  return logits;
}

// Greedily; the last token is that whose logits were computed last.
Written write_greedily(Seq2Seq& model, std::string_view text) {
  Written written;
  written.source = model.source_ids(text);
  const int64_t length = std::min(kTextTokens, model.max_target_tokens());
  BeamCache cache = model.encode(written.source, 1, length, Budget::unlimited());
  std::vector<float> logits(static_cast<size_t>(model.vocab_size()));
  const std::vector<TokenId>& ends = model.settings().ends;
  for (TokenId next = model.settings().decoder_start; int64_t(written.tokens.size()) < length;) {
    written.tokens.push_back(next);
    model.decode(std::span(&next, 1), cache, logits);
    written.logits.insert(written.logits.end(), logits.begin(), logits.end());
    next = static_cast<TokenId>(argmax(logits));
    if (std::find(ends.begin(), ends.end(), next) != ends.end()) break;
  }
  return written;
}

class Seq2SeqComparison final : public Comparison {
 public:
  Seq2SeqComparison(const ModelSource& full_precision, std::span<const std::string_view> texts, int64_t max_tokens,
                    ThreadPool& threads, Ops& reference)
      : threads_(threads), reference_(open_as<Seq2Seq>(full_precision, reference)) {
    int64_t cached = 0;
    for (const std::string_view text : texts) {
      if (tokens_ >= max_tokens) break;
      if (reference_->tokenizer().encode(text, false).empty()) continue;
      texts_.push_back(write_greedily(*reference_, text));
      tokens_ += int64_t(texts_.back().tokens.size());
      cached += int64_t(texts_.back().logits.size());
      if (cached > kMaxCachedFloats) texts_.back().logits = {};
    }
    if (texts_.empty()) throw Error(Code::bad_input, "there is no text to verify with");
  }

  Verification measure(const ModelSource& model, VerifyLevel level,
                       const std::function<void(double)>& progress) override {
    const std::unique_ptr<Ops> ops = make_cpu_ops(threads_, Budget::unlimited());
    const auto pack = open_as<Seq2Seq>(model, *ops);
    TokenFigures tokens;
    int64_t identical = 0, compared = 0;
    for (const Written& text : texts_) {
      const std::vector<float> again = text.logits.empty() ? read_written(*reference_, text) : std::vector<float>();
      const std::span<const float> expected = text.logits.empty() ? again : text.logits;
      const std::vector<float> logits = read_written(*pack, text);
      const auto vocab = static_cast<size_t>(pack->vocab_size());
      bool same = true;
      for (size_t t = 0; t < text.tokens.size(); ++t)
        same = tokens.add(expected.subspan(t * vocab, vocab), std::span(logits).subspan(t * vocab, vocab)) && same;
      identical += same ? 1 : 0;
      if (progress) progress(double(++compared) / double(texts_.size()));
    }
    std::vector<QualityFigure> figures = tokens.figures(level);
    figures.push_back({"identical texts", "identical_texts", "identical_texts_floor", QualityFigure::Bound::at_least,
                       double(identical) / double(texts_.size()), identical_floor(level), true});
    return {ModelKind::encoder_decoder, "tokens", tokens_, std::move(figures), tokens.mean_kl()};
  }

 private:
  ThreadPool& threads_;
  std::unique_ptr<Seq2Seq> reference_;
  std::vector<Written> texts_;
  int64_t tokens_ = 0;  // of all texts
};

std::unique_ptr<Comparison> compare_with(const ModelSource& full_precision, std::span<const std::string_view> texts,
                                         int64_t max_tokens, ThreadPool& threads, Ops& reference) {
  return std::make_unique<Seq2SeqComparison>(full_precision, texts, max_tokens, threads, reference);
}

void run(const ModelSource& source, Ops& ops, std::span<const std::string_view> texts, int64_t max_tokens,
         const std::function<void(double)>& progress) {
  const auto model = open_as<Seq2Seq>(source, ops);
  int64_t read = 0;
  for (const std::string_view text : texts) {
    if (read >= max_tokens) break;
    if (model->tokenizer().encode(text, false).empty()) continue;
    const Written written = write_greedily(*model, text);
    read += int64_t(written.source.size() + written.tokens.size());
    progress(std::min(1.0, double(read) / double(max_tokens)));
  }
}

}  // namespace

extern const QuantizedKind kQuantizedSeq2Seq{ModelKind::encoder_decoder, compare_with, run, true};

}  // namespace frugal
