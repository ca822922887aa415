// Compares a reader with full precision: each text is asked of itself and of the texts after it. The figures are the
// share of passages that both readers put in the same order, and the overlap of their distributions over the places
// where the answer may begin and end; for a reader that only ranks, the error of its logits instead, in standard
// deviations of the logits of all passages.
#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "model/nn/reader.h"
#include "model/verify/verify.h"

namespace frugal {
namespace {

constexpr size_t kPassages = 6;  // of a question

struct Bounds {
  double order, overlap, logit_error;
};

// Well below the figures of good packs and well above those of broken ones (docs/tools/quantize-model.md has both).
Bounds bounds_of(VerifyLevel level) {
  switch (level) {
    case VerifyLevel::fp16:
      return {0.99, 0.99, 0.02};
    case VerifyLevel::int8:
      return {0.93, 0.93, 0.2};
    case VerifyLevel::int4:
      return {0.85, 0.80, 0.5};
    case VerifyLevel::selected:
      return {0.90, 0.90, 0.3};
  }
  return {};
}

std::vector<double> softmax(std::span<const float> logits) {
  const double most = *std::max_element(logits.begin(), logits.end());
  std::vector<double> shares;
  double sum = 0;
  for (const float logit : logits) sum += shares.emplace_back(std::exp(double(logit) - most));
  for (double& share : shares) share /= sum;
  return shares;
}

// The mass that two distributions have in common, 0 to 1.
double overlap(std::span<const float> a, std::span<const float> b) {
  if (a.empty()) return 1;
  const std::vector<double> p = softmax(a), q = softmax(b);
  double common = 0;
  for (size_t i = 0; i < p.size(); ++i) common += std::min(p[i], q[i]);
  return common;
}

// A question with its passages, read to the end.
std::vector<Reading> read(Reader& reader, std::span<const std::string_view> texts, size_t question) {
  std::vector<ReaderPair> pairs;
  for (size_t i = 0; i < std::min(kPassages, texts.size()); ++i)
    pairs.push_back(reader.pair(texts[question], texts[(question + i) % texts.size()]));
  const std::vector<HalfRead> halves = reader.read_half(pairs);
  std::vector<const HalfRead*> all;
  all.reserve(halves.size());
  for (const HalfRead& half : halves) all.push_back(&half);
  return reader.read_rest(all);
}

// Sums over the questions of a comparison.
struct ReadingFigures {
  int64_t readings = 0, agreed = 0, compared = 0;
  double common = 0, error = 0;    // sums of the overlaps, and of the logits' absolute differences
  double logits = 0, squares = 0;  // of full precision, for the standard deviation

  void add(std::span<const Reading> got, std::span<const Reading> want) {
    for (size_t i = 0; i < want.size(); ++i) {
      common += (overlap(got[i].begin, want[i].begin) + overlap(got[i].end, want[i].end)) / 2;
      const double logit = want[i].relevance;
      error += std::abs(double(got[i].relevance) - logit);
      logits += logit;
      squares += logit * logit;
      ++readings;
      for (size_t j = 0; j < i; ++j, ++compared)
        agreed += (got[i].relevance > got[j].relevance) == (want[i].relevance > want[j].relevance);
    }
  }
  double order() const { return compared ? double(agreed) / double(compared) : 1; }
  double mean_overlap() const { return common / double(readings); }
  double logit_error() const {
    const double count = double(readings), mean = logits / count;
    const double deviation = std::sqrt(std::max(squares / count - mean * mean, 0.0));
    return deviation > 0 ? error / count / deviation : 0;
  }
};

class ReaderComparison final : public Comparison {
 public:
  ReaderComparison(const ModelSource& full_precision, std::span<const std::string_view> texts, ThreadPool& threads,
                   Ops& reference)
      : texts_(texts.begin(), texts.end()), threads_(threads), reference_(open_reader(full_precision, reference)) {}

  Verification measure(const ModelSource& model, VerifyLevel level,
                       const std::function<void(double)>& progress) override {
    const std::unique_ptr<Ops> ops = make_cpu_ops(threads_, Budget::unlimited());
    const auto reader = open_reader(model, *ops);
    ReadingFigures figures;
    for (size_t question = 0; question < texts_.size(); ++question) {
      figures.add(read(*reader, texts_, question), expected(question));
      if (progress) progress(double(question + 1) / double(texts_.size()));
    }
    using enum QualityFigure::Bound;
    const Bounds bounds = bounds_of(level);
    Verification result{ModelKind::reader, "passages", figures.readings, {}, 0};
    result.figures.push_back(
        {"same order", "rank_agreement", "rank_agreement_floor", at_least, figures.order(), bounds.order, true});
    if (reader->finds_answers()) {
      result.loss = 1 - figures.mean_overlap();
      result.figures.push_back({"overlap of answers", "span_overlap", "span_overlap_floor", at_least,
                                figures.mean_overlap(), bounds.overlap});
    } else {
      result.loss = figures.logit_error();
      result.figures.push_back(
          {"logit error", "logit_error", "logit_error_ceiling", at_most, figures.logit_error(), bounds.logit_error});
    }
    return result;
  }

 private:
  const std::vector<Reading>& expected(size_t question) {
    if (question == expected_.size()) expected_.push_back(read(*reference_, texts_, question));
    return expected_.at(question);
  }

  std::vector<std::string_view> texts_;
  ThreadPool& threads_;
  std::unique_ptr<Reader> reference_;
  std::vector<std::vector<Reading>> expected_;  // of the first questions
};

std::unique_ptr<Comparison> compare_with(const ModelSource& full_precision, std::span<const std::string_view> texts,
                                         int64_t, ThreadPool& threads, Ops& reference) {
  return std::make_unique<ReaderComparison>(full_precision, texts, threads, reference);
}

void run(const ModelSource& source, Ops& ops, std::span<const std::string_view> texts, int64_t max_tokens,
         const std::function<void(double)>& progress) {
  const auto reader = open_reader(source, ops);
  int64_t tokens = 0;
  for (size_t i = 0; i < texts.size() && tokens < max_tokens; ++i) {
    const ReaderPair pair = reader->pair(texts[i], texts[(i + 1) % texts.size()]);
    const std::vector<HalfRead> half = reader->read_half(std::span(&pair, 1));
    const HalfRead* only = &half.front();
    reader->read_rest(std::span(&only, 1));
    tokens += int64_t(pair.ids.size());
    progress(std::min(1.0, double(tokens) / double(max_tokens)));
  }
}

}  // namespace

extern const QuantizedKind kQuantizedReader{ModelKind::reader, compare_with, run, false};

}  // namespace frugal
