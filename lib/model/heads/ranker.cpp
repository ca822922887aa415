#include "model/heads/ranker.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "model/heads/source_tokenizer.h"

namespace frugal {
namespace {

// Rankers that take more were trained on passages of about this length, and time grows with the square.
constexpr int64_t kLongestPair = 1024;
constexpr int64_t kShortestPair = 16;

}  // namespace

Ranker::Ranker(std::string_view family, std::unique_ptr<TextEncoder> encoder, const ModelSource& source, Ops& ops)
    : ops_(ops),
      encoder_(std::move(encoder)),
      tokenizer_(open_tokenizer(source)),
      identity_(fmt::format("{}/{}", family, source.identity())) {
  limits_.pair = source.config().require_int("rank.max_tokens", kShortestPair, encoder_->max_tokens());
  limits_.question = limits_.pair / 2;
}

void Ranker::require_room(const ModelConfig& config, int64_t fixed) const {
  if (limits_.question + fixed >= limits_.pair) config.fail("rank.max_tokens leaves no room for a passage");
}

std::vector<HalfRead> Ranker::read_half(std::span<const ReaderPair> pairs) {
  std::vector<HalfRead> halves;
  halves.reserve(pairs.size());
  in_pair_batches(
      pairs.size(), [&](size_t i) { return pairs[i].ids.size(); },
      [&](size_t first, size_t last) {
        TokenBatch batch;
        for (size_t i = first; i < last; ++i) {
          encoder_->check_ids(pairs[i].ids);
          batch.append(pairs[i].ids, encoder_->has_types() ? pairs[i].passage : pairs[i].ids.size());
        }
        for (const float relevance : rank(batch)) halves.push_back({relevance, 0, 0, {}});
      });
  return halves;
}

std::vector<Reading> Ranker::read_rest(std::span<const HalfRead* const> halves) {
  std::vector<Reading> readings(halves.size());
  for (size_t i = 0; i < halves.size(); ++i) readings[i].relevance = halves[i]->relevance;
  return readings;
}

float Ranker::confidence(const ConfidenceFeatures& features) const {
  return 1 / (1 + std::exp(-features.answerable));
}

void plan_pair_limit(int64_t tokens, std::map<std::string, std::string>& keys) {
  if (tokens < kShortestPair)
    throw Error(Code::bad_input,
                fmt::format("a pair has at most {} tokens, too few for a question and a passage", tokens));
  keys["rank.max_tokens"] = std::to_string(std::min(tokens, kLongestPair));
}

}  // namespace frugal
