#include "model/heads/encoder_ranker.h"

#include <fmt/format.h>

#include <numeric>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/heads/ranker.h"
#include "model/nn/blocks.h"

namespace frugal {
namespace {

constexpr double kEpsilon = 1e-5;  // of the norm in a head, which has no key in configurations: PyTorch's default

class EncoderRanker final : public Ranker {
 public:
  EncoderRanker(std::string_view family, std::unique_ptr<TextEncoder> text_encoder, const ModelSource& source, Ops& ops)
      : Ranker(family, std::move(text_encoder), source, ops) {
    const ModelConfig& config = source.config();
    require_room(config,
                 int64_t(tokenizer().prefix().size() + tokenizer().separator().size() + tokenizer().suffix().size()));
    const std::string_view pooling = config.require_text("rank.pooling");
    if (pooling != "cls" && pooling != "mean") config.fail(fmt::format("unknown rank.pooling '{}'", pooling));
    pooling_ = pooling == "cls" ? Pooling::cls : Pooling::mean;
    const WeightLoader load(source, ops);
    const int64_t hidden = encoder().hidden();
    dense_ = load.linear("rank.dense", hidden, hidden, ActivationScales::per_token,
                         parse_activation(config.require_text("rank.activation")));
    if (load.has("rank.norm")) norm_ = load.norm("rank.norm", NormKind::layer, hidden, kEpsilon);
    label_ = source.vector("rank.label.weight", hidden);
    bias_ = source.vector("rank.label.bias", 1)[0];
  }

  ReaderPair pair(std::string_view question, std::string_view passage) const override {
    return make_reader_pair(tokenizer(), limits(), question, passage);
  }

 private:
  std::vector<float> rank(const TokenBatch& batch) override {
    const Ops::Scope scope(ops());
    const View pooled = encode_pooled(ops(), encoder(), pooling_, batch);
    const View h = ops().allocate(pooled.shape);
    dense_.forward(ops(), pooled, h);
    if (!norm_.gamma.empty()) ops().norm(norm_, h, h);
    std::vector<float> states(static_cast<size_t>(h.shape.elements()));
    ops().download(h, states);
    std::vector<float> logits;
    for (auto state = states.begin(); state != states.end(); state += h.cols())
      logits.push_back(std::inner_product(label_.begin(), label_.end(), state, bias_));
    return logits;
  }

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
  plan_pair_limit(tokens, keys);
  parse_activation(head.activation);
  table.linear({"rank.dense", std::string(head.dense), ""}, hidden, hidden, head.dense_bias);
  if (!head.norm.empty()) table.norm({"rank.norm", std::string(head.norm), ""}, hidden);
  table.exact({"rank.label", label, ""}, 1, hidden);
  keys["rank.activation"] = head.activation;
  keys["rank.pooling"] = head.pooling == Pooling::cls ? "cls" : "mean";
}

std::unique_ptr<Reader> make_encoder_ranker(std::string_view family, std::unique_ptr<TextEncoder> encoder,
                                            const ModelSource& source, Ops& ops) {
  return std::make_unique<EncoderRanker>(family, std::move(encoder), source, ops);
}

}  // namespace frugal
