#include "model/heads/encoder_embedder.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "model/heads/dense_layers.h"
#include "model/heads/source_tokenizer.h"
#include "model/heads/token_heads.h"
#include "model/heads/token_ids.h"
#include "model/nn/pooling_config.h"

namespace frugal {
namespace {

// The first values of each vector that are kept; packs without the key keep all.
constexpr std::string_view kDimensionsKey = "embed.dimensions";

int64_t read_dimension(const ModelConfig& config, int64_t outputs) {
  return config.text(kDimensionsKey) ? config.require_int(kDimensionsKey, 1, outputs) : outputs;
}

class EncoderEmbedder final : public Embedder {
 public:
  EncoderEmbedder(std::string_view family, std::unique_ptr<TextEncoder> encoder, const ModelSource& source, Ops& ops)
      : ops_(ops),
        encoder_(std::move(encoder)),
        tokenizer_(open_tokenizer(source)),
        pooling_(read_pooling(source.config(), encoder_->max_tokens())),
        dense_(source, ops, encoder_->hidden()),
        dimension_(read_dimension(source.config(), dense_.outputs())),
        heads_(TokenHeads::open(source, ops, encoder_->hidden(), *tokenizer_)),
        fingerprint_(fingerprint_of(family, pooling_, source.identity())) {}

  int64_t dimension() const override { return dimension_; }
  int64_t max_tokens() const override { return pooling_.max_tokens; }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  std::string fingerprint() const override { return fingerprint_; }

  std::string_view prompt(TextRole role) const override {
    return role == TextRole::query ? pooling_.query_prompt : pooling_.passage_prompt;
  }

  void embed(std::span<const std::string_view> texts, TextRole role, std::span<float> out) override {
    FRUGAL_CHECK(int64_t(out.size()) == int64_t(texts.size()) * dimension());
    in_batches(texts, role, [&](const TokenBatch& batch, size_t) {
      const auto values = batch.spans.size() * static_cast<size_t>(dimension());
      const Ops::Scope scope(ops_);
      ops_.download(finish(encode_pooled(ops_, *encoder_, pooling_.pooling, batch)), out.first(values));
      out = out.subspan(values);
    });
  }

  bool has_sparse() const override { return heads_ != nullptr; }
  int64_t token_dimension() const override { return heads_ ? heads_->dimension() : 0; }

  std::vector<TextEmbedding> embed_all(std::span<const std::string_view> texts, TextRole role,
                                       TokenOutputs wanted) override {
    if (!heads_) return Embedder::embed_all(texts, role, wanted);
    std::vector<TextEmbedding> all(texts.size());
    in_batches(texts, role, [&](const TokenBatch& batch, size_t first) {
      embed_batch(batch, wanted, std::span(all).subspan(first, batch.spans.size()));
    });
    return all;
  }

  std::vector<float> hidden_states(std::span<const TokenId> ids) override {
    encoder_->check_ids(ids);
    TokenBatch batch;
    batch.append(ids, ids.size());
    const Ops::Scope scope(ops_);
    const View x = encoder_->encode(batch);
    std::vector<float> states(static_cast<size_t>(x.shape.elements()));
    ops_.download(x, states);
    return states;
  }

 private:
  static std::string fingerprint_of(std::string_view family, const PoolingConfig& pooling, std::string_view identity) {
    const bool prompts = !pooling.query_prompt.empty() || !pooling.passage_prompt.empty();
    return fmt::format("{}/{}/{}/{}{}", family, pooling.name, pooling.max_tokens,
                       prompts ? fmt::format("{}|{}/", pooling.query_prompt, pooling.passage_prompt) : "", identity);
  }

  // [CLS] prompt text [SEP], the text truncated to fit.
  std::vector<TokenId> token_ids(std::string_view text, std::string_view prompt) const {
    std::vector<TokenId> ids = prompt.empty()
                                   ? templated_ids(*tokenizer_, text, pooling_.max_tokens)
                                   : templated_ids(*tokenizer_, fmt::format("{}{}", prompt, text), pooling_.max_tokens);
    if (ids.empty()) throw Error(Code::bad_input, "a model without special tokens cannot embed an empty text");
    encoder_->check_ids(ids);
    return ids;
  }

  // Calls use(batch, its first text) for the batches of the texts: as many as kTokensPerForward holds, or one that is
  // longer.
  template <class Use>
  void in_batches(std::span<const std::string_view> texts, TextRole role, const Use& use) {
    TokenBatch batch;
    size_t first = 0;
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::vector<TokenId> ids = token_ids(texts[i], prompt(role));
      if (i > first && int64_t(batch.ids.size() + ids.size()) > kTokensPerForward) {
        use(batch, first);
        first = i;
        batch = {};
      }
      batch.append(ids, ids.size());
    }
    if (first < texts.size()) use(batch, first);
  }

  // These outputs from one pass.
  void embed_batch(const TokenBatch& batch, TokenOutputs wanted, std::span<TextEmbedding> out) {
    const Ops::Scope scope(ops_);
    const View x = encoder_->encode(batch);
    heads_->run(x, batch, wanted, out);
    const View pooled = ops_.allocate(Shape{int64_t(batch.spans.size()), encoder_->hidden()});
    ops_.pool(pooling_.pooling, batch.spans, x, pooled);
    const View vectors = finish(pooled);
    for (size_t i = 0; i < out.size(); ++i) {
      out[i].dense.resize(static_cast<size_t>(dimension()));
      ops_.download(vectors.slice_rows(int64_t(i), 1), out[i].dense);
    }
  }

  // The vectors of pooled states, in the caller's scope.
  View finish(View pooled) {
    View x = dense_.forward(ops_, pooled);
    if (dimension_ < x.cols()) {
      const View first = ops_.allocate(Shape{x.rows(), dimension_});
      ops_.copy(x.columns(0, dimension_), first);
      x = first;
    }
    if (pooling_.normalize) ops_.normalize_rows(x);
    return x;
  }

  Ops& ops_;
  std::unique_ptr<TextEncoder> encoder_;
  std::unique_ptr<Tokenizer> tokenizer_;
  PoolingConfig pooling_;
  DenseLayers dense_;
  int64_t dimension_;
  std::unique_ptr<TokenHeads> heads_;  // null if the model has none
  std::string fingerprint_;
};

}  // namespace

void plan_encoder_embedder(const Checkpoint& checkpoint, int64_t hidden, int64_t positions, ModelPlan& plan,
                           std::string_view otherwise) {
  plan_pooling(checkpoint, ConfigReader(checkpoint), positions, plan.config, otherwise);
  plan.dimension = plan_dense_layers(checkpoint, hidden, plan);
}

void plan_truncation(ModelPlan& plan, int64_t dimensions) {
  if (plan.kind != ModelKind::embedder)
    throw Error(Code::usage,
                fmt::format("--dimensions is for embedders, and this model is a {}", to_string(plan.kind)));
  if (dimensions < 1 || dimensions > plan.dimension)
    throw Error(Code::usage,
                fmt::format("--dimensions is {}, and the model's vectors have 1 to {}", dimensions, plan.dimension));
  plan.config[std::string(kDimensionsKey)] = std::to_string(dimensions);
}

std::optional<int64_t> read_truncation(const ModelConfig& config) {
  return config.find_int(kDimensionsKey);
}

std::unique_ptr<Embedder> make_encoder_embedder(std::string_view family, std::unique_ptr<TextEncoder> encoder,
                                                const ModelSource& source, Ops& ops) {
  return std::make_unique<EncoderEmbedder>(family, std::move(encoder), source, ops);
}

}  // namespace frugal
