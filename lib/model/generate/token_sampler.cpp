// The steps of a choice: apply the repeat penalty to the logits; at temperature 0 take the highest. Otherwise sort the
// top_k candidates and give each the weight exp((logit − highest) / temperature), which is 1 for the first; drop those
// whose weight is below min_p; keep the shortest prefix that holds top_p of the weight that is left; draw from it.
// Candidates with equal logits are ordered by id, so that the choice is the same with every standard library.
#include "model/generate/token_sampler.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/nn/logits.h"

namespace frugal {
namespace {

constexpr size_t kPenaltyWindow = 64;  // the latest tokens that the repeat penalty applies to

// Keskar et al. 2019 (CTRL): a seen token's logit is divided when positive, multiplied when negative.
void penalise(std::span<float> logits, std::span<const TokenId> recent, float penalty) {
  const size_t window = std::min(recent.size(), kPenaltyWindow);
  std::vector<TokenId> seen(recent.end() - static_cast<std::ptrdiff_t>(window), recent.end());
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  for (const TokenId id : seen) {
    float& logit = logits[static_cast<size_t>(id)];
    logit = logit > 0 ? logit / penalty : logit * penalty;
  }
}

// The order of candidates: by logit, then by id.
bool better(const std::pair<float, TokenId>& a, const std::pair<float, TokenId>& b) {
  return a.first != b.first ? a.first > b.first : a.second < b.second;
}

void check_range(bool inside, const char* name, double value) {
  if (!inside) throw Error(Code::usage, fmt::format("{} = {} is out of range", name, value));
}

}  // namespace

Sampler::Sampler(const GenerateOptions& options) : options_(options), state_(options.seed) {
  check_range(options.temperature >= 0 && options.temperature <= 100, "temperature", options.temperature);
  check_range(options.top_p > 0 && options.top_p <= 1, "top_p", options.top_p);
  check_range(options.min_p >= 0 && options.min_p <= 1, "min_p", options.min_p);
  check_range(options.top_k >= 0, "top_k", static_cast<double>(options.top_k));
  check_range(options.repeat_penalty > 0, "repeat_penalty", options.repeat_penalty);
}

TokenId Sampler::sample(std::span<float> logits, std::span<const TokenId> recent) {
  FRUGAL_CHECK(!logits.empty());
  if (options_.repeat_penalty != 1) penalise(logits, recent, options_.repeat_penalty);
  if (options_.temperature == 0) return static_cast<TokenId>(argmax(logits));

  keep_top(logits);
  const float best = candidates_.front().first;
  std::vector<double> cumulative;
  double total = 0;
  for (const Candidate& candidate : candidates_) {
    const double weight =
        std::exp(static_cast<double>(candidate.first - best) / static_cast<double>(options_.temperature));
    if (weight < static_cast<double>(options_.min_p)) break;
    cumulative.push_back(total += weight);
  }
  const auto nucleus =
      std::lower_bound(cumulative.begin(), cumulative.end(), total * static_cast<double>(options_.top_p));
  const size_t kept = std::min(cumulative.size(), static_cast<size_t>(nucleus - cumulative.begin()) + 1);
  const double draw = next_uniform() * cumulative[kept - 1];
  const auto chosen =
      std::upper_bound(cumulative.begin(), cumulative.begin() + static_cast<std::ptrdiff_t>(kept - 1), draw);
  return candidates_[static_cast<size_t>(chosen - cumulative.begin())].second;
}

void Sampler::keep_top(std::span<const float> logits) {
  candidates_.clear();
  for (size_t id = 0; id < logits.size(); ++id) candidates_.emplace_back(logits[id], static_cast<TokenId>(id));
  const size_t keep =
      options_.top_k > 0 ? std::min<size_t>(static_cast<size_t>(options_.top_k), logits.size()) : logits.size();
  std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(keep), candidates_.end(),
                    better);
  candidates_.resize(keep);
}

// SplitMix64 (Steele et al. 2014): std::uniform_real_distribution differs between standard libraries.
double Sampler::next_uniform() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

}  // namespace frugal
