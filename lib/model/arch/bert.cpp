// BERT as a sentence embedder (Reimers & Gurevych 2019).
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "model/arch/bert_encoder.h"
#include "model/arch/source_tokenizer.h"
#include "model/nn/architecture.h"
#include "model/nn/config_reader.h"
#include "model/nn/embedder.h"
#include "model/nn/model_source.h"
#include "model/nn/pooling_config.h"

namespace frugal {
namespace {

// Tokens of one forward pass: enough rows to keep the kernels busy, few enough that the widest activation stays near
// the caches (1,024 · 1,536 floats are 6 MiB).
constexpr int64_t kTokensPerForward = 1024;

class BertEmbedder final : public Embedder {
 public:
  BertEmbedder(const ModelSource& source, Ops& ops)
      : ops_(ops),
        encoder_(source, ops),
        tokenizer_(open_tokenizer(source)),
        pooling_(read_pooling(source.config(), encoder_.config().positions)),
        fingerprint_(fingerprint_of(pooling_, source.identity())) {}

  int64_t dimension() const override { return encoder_.config().hidden; }
  int64_t max_tokens() const override { return pooling_.max_tokens; }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  std::string fingerprint() const override { return fingerprint_; }

  std::string_view prompt(TextRole role) const override {
    return role == TextRole::query ? pooling_.query_prompt : pooling_.passage_prompt;
  }

  void embed(std::span<const std::string_view> texts, TextRole role, std::span<float> out) override {
    FRUGAL_CHECK(int64_t(out.size()) == int64_t(texts.size()) * dimension());
    BertBatch batch;
    size_t first = 0;
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::vector<TokenId> ids = token_ids(texts[i], prompt(role));
      batch.append(ids, ids.size());
      const bool last = i + 1 == texts.size();
      if (!last && int64_t(batch.ids.size()) + pooling_.max_tokens <= kTokensPerForward) continue;
      embed_batch(batch, out.subspan(first * static_cast<size_t>(dimension()),
                                     batch.spans.size() * static_cast<size_t>(dimension())));
      first = i + 1;
      batch = {};
    }
  }

  std::vector<float> hidden_states(std::span<const TokenId> ids) override {
    encoder_.check_ids(ids);
    BertBatch batch;
    batch.append(ids, ids.size());
    const Ops::Scope scope(ops_);
    const View x = forward(batch);
    std::vector<float> states(static_cast<size_t>(x.shape.elements()));
    ops_.download(x, states);
    return states;
  }

 private:
  static std::string fingerprint_of(const PoolingConfig& pooling, std::string_view identity) {
    const bool prompts = !pooling.query_prompt.empty() || !pooling.passage_prompt.empty();
    return fmt::format("bert/{}/{}/{}{}", pooling.name, pooling.max_tokens,
                       prompts ? fmt::format("{}|{}/", pooling.query_prompt, pooling.passage_prompt) : "", identity);
  }

  // [CLS] prompt text [SEP], the text truncated to fit.
  std::vector<TokenId> token_ids(std::string_view text, std::string_view prompt) const {
    const std::span<const TokenId> prefix = tokenizer_->prefix(), suffix = tokenizer_->suffix();
    std::vector<TokenId> ids(prefix.begin(), prefix.end());
    const std::vector<TokenId> body =
        prompt.empty() ? tokenizer_->encode(text, false) : tokenizer_->encode(fmt::format("{}{}", prompt, text), false);
    const int64_t room = std::max<int64_t>(0, pooling_.max_tokens - int64_t(prefix.size() + suffix.size()));
    ids.insert(ids.end(), body.begin(), body.begin() + std::min<int64_t>(room, int64_t(body.size())));
    ids.insert(ids.end(), suffix.begin(), suffix.end());
    if (ids.empty()) throw Error(Code::bad_input, "a model without special tokens cannot embed an empty text");
    encoder_.check_ids(ids);
    return ids;
  }

  // Hidden states of the whole batch, [tokens, hidden], in the caller's scope.
  View forward(const BertBatch& batch) {
    const View x = encoder_.embed(batch);
    encoder_.run(batch.spans, x, 0, encoder_.config().layers);
    return x;
  }

  void embed_batch(const BertBatch& batch, std::span<float> out) {
    const Ops::Scope scope(ops_);
    const View x = forward(batch);
    const View pooled = ops_.allocate(Shape{int64_t(batch.spans.size()), dimension()});
    ops_.pool(pooling_.pooling, batch.spans, x, pooled);
    if (pooling_.normalize) ops_.normalize_rows(pooled);
    ops_.download(pooled, out);
  }

  Ops& ops_;
  BertEncoder encoder_;
  std::unique_ptr<Tokenizer> tokenizer_;
  PoolingConfig pooling_;
  std::string fingerprint_;
};

ModelPlan plan(const Checkpoint& checkpoint) {
  ModelPlan plan;
  TensorTable table = bert_names();
  const BertConfig config = plan_bert_encoder(checkpoint, table, plan.config);
  plan_pooling(checkpoint, ConfigReader(checkpoint), config.positions, plan.config);
  plan.tensors = std::move(table).take();
  return plan;
}

std::unique_ptr<Model> open(const ModelSource& source, Ops& ops) {
  return std::make_unique<BertEmbedder>(source, ops);
}

constexpr std::string_view kAliases[] = {"bert"};

}  // namespace

extern const Architecture kBertArchitecture{"bert", kAliases, ModelKind::embedder, plan, open};

}  // namespace frugal
