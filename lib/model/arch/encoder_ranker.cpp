#include "model/arch/encoder_ranker.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/arch/reader_pairs.h"
#include "model/arch/source_tokenizer.h"
#include "model/nn/blocks.h"

namespace frugal {
namespace {

// Rankers that take more were trained on passages of about this length, and time grows with the square.
constexpr int64_t kLongestPair = 1024;
constexpr int64_t kShortestPair = 16;
constexpr double kEpsilon = 1e-5;  // of the norm in a head, which has no key in configurations: PyTorch's default

class EncoderRanker final : public Reader {
 public:
  EncoderRanker(std::string_view family, std::unique_ptr<TextEncoder> encoder, const ModelSource& source, Ops& ops)
      : ops_(ops),
        encoder_(std::move(encoder)),
        tokenizer_(open_tokenizer(source)),
        identity_(fmt::format("{}/{}", family, source.identity())) {
    const ModelConfig& config = source.config();
    limits_.pair = config.require_int("rank.max_tokens", kShortestPair, encoder_->max_tokens());
    limits_.question = limits_.pair / 2;
    const auto fixed =
        int64_t(tokenizer_->prefix().size() + tokenizer_->separator().size() + tokenizer_->suffix().size());
    if (limits_.question + fixed >= limits_.pair) config.fail("rank.max_tokens leaves no room for a passage");
    const std::string_view pooling = config.require_text("rank.pooling");
    if (pooling != "cls" && pooling != "mean") config.fail(fmt::format("unknown rank.pooling '{}'", pooling));
    pooling_ = pooling == "cls" ? Pooling::cls : Pooling::mean;
    const WeightLoader load(source, ops);
    const int64_t hidden = encoder_->hidden();
    dense_ = load.linear("rank.dense", hidden, hidden, ActivationScales::per_token,
                         parse_activation(config.require_text("rank.activation")));
    if (load.has("rank.norm")) norm_ = load.norm("rank.norm", NormKind::layer, hidden, kEpsilon);
    label_ = source.vector("rank.label.weight", hidden);
    bias_ = source.vector("rank.label.bias", 1)[0];
  }

  std::string identity() const override { return identity_; }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  int64_t max_tokens() const override { return limits_.pair; }
  bool finds_answers() const override { return false; }

  ReaderPair pair(std::string_view question, std::string_view passage) const override {
    return make_reader_pair(*tokenizer_, limits_, question, passage);
  }

  // There is one exit: all layers are the first half.
  std::vector<HalfRead> read_half(std::span<const ReaderPair> pairs) override {
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

  std::vector<Reading> read_rest(std::span<const HalfRead* const> halves) override {
    std::vector<Reading> readings(halves.size());
    for (size_t i = 0; i < halves.size(); ++i) readings[i].relevance = halves[i]->relevance;
    return readings;
  }

  float confidence(const ConfidenceFeatures& features) const override {
    return 1 / (1 + std::exp(-features.answerable));
  }

 private:
  std::vector<float> rank(const TokenBatch& batch) {
    const Ops::Scope scope(ops_);
    const View pooled = encode_pooled(ops_, *encoder_, pooling_, batch);
    const View h = ops_.allocate(pooled.shape);
    dense_.forward(ops_, pooled, h);
    if (!norm_.gamma.empty()) ops_.norm(norm_, h, h);
    std::vector<float> states(static_cast<size_t>(h.shape.elements()));
    ops_.download(h, states);
    std::vector<float> logits;
    for (auto state = states.begin(); state != states.end(); state += h.cols())
      logits.push_back(std::inner_product(label_.begin(), label_.end(), state, bias_));
    return logits;
  }

  Ops& ops_;
  std::unique_ptr<TextEncoder> encoder_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::string identity_;
  PairLimits limits_;
  Pooling pooling_ = Pooling::cls;
  Linear dense_;
  NormSpec norm_;  // where the head has one
  std::span<const float> label_;
  float bias_ = 0;
};

}  // namespace

void plan_rank_head(const Checkpoint& checkpoint, const RankHeadPlan& head, int64_t hidden, int64_t tokens,
                    TensorTable& table, std::map<std::string, std::string>& keys) {
  const std::string label(head.label);
  if (const int64_t labels = table.rows_in(checkpoint, {"", label, ""}); labels != 1)
    throw Error(Code::bad_input, fmt::format("'{}.weight' has {} labels; a ranker has one", label, labels))
        .hint("give a cross-encoder with one label, such as ms-marco-MiniLM or bge-reranker");
  if (tokens < kShortestPair)
    throw Error(Code::bad_input,
                fmt::format("a pair has at most {} tokens, too few for a question and a passage", tokens));
  parse_activation(head.activation);
  table.linear({"rank.dense", std::string(head.dense), ""}, hidden, hidden, head.dense_bias);
  if (!head.norm.empty()) table.norm({"rank.norm", std::string(head.norm), ""}, hidden);
  table.exact({"rank.label", label, ""}, 1, hidden);
  keys["rank.activation"] = head.activation;
  keys["rank.pooling"] = head.pooling == Pooling::cls ? "cls" : "mean";
  keys["rank.max_tokens"] = std::to_string(std::min(tokens, kLongestPair));
}

std::unique_ptr<Reader> make_encoder_ranker(std::string_view family, std::unique_ptr<TextEncoder> encoder,
                                            const ModelSource& source, Ops& ops) {
  return std::make_unique<EncoderRanker>(family, std::move(encoder), source, ops);
}

}  // namespace frugal
