// OPT (Zhang et al. 2022): a pre-norm decoder with learned positions, biases, and a head that is tied to the
// embeddings. BLIP-2 has it as its language side. The 350 M model, which alone is post-norm and has narrower
// embeddings, is refused.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/arch/opt.h"
#include "model/nn/architecture.h"
#include "model/nn/chat_config.h"
#include "model/nn/config_reader.h"
#include "model/nn/hyper_field.h"
#include "model/nn/kv_cache.h"
#include "model/nn/tensor_table.h"

namespace frugal {
namespace {

constexpr double kEpsilon = 1e-5;  // of every norm; no configuration has another
// Rows of the positions before that of the first token: the paper's code counted from its padding token.
constexpr int64_t kFirstPosition = 2;

struct OptConfig {
  int64_t layers, hidden, heads, intermediate, context, vocab;
  std::string activation;

  int64_t head_dim() const { return hidden / heads; }
};

using C = OptConfig;
constexpr HyperField<C> kFields[] = {
    {"layers", {"num_hidden_layers", ""}, &C::layers, {1, 1024}, 12.0},
    {"hidden", {"hidden_size", ""}, &C::hidden, {1, 1 << 20}, 768.0},
    {"heads", {"num_attention_heads", ""}, &C::heads, {1, 1024}, 12.0},
    {"intermediate", {"ffn_dim", ""}, &C::intermediate, {1, 1 << 22}, 3072.0},
    {"context", {"max_position_embeddings", ""}, &C::context, {1, 1 << 20}, 2048.0},
    {"vocab", {}, &C::vocab, {1, 1 << 24}},
    {"activation", {"activation_function", ""}, &C::activation, {}, "relu"},
};
constexpr HyperTable<C> kHyper("opt", kFields);

// x: [tokens, hidden], updated in place.
class OptLayer {
 public:
  OptLayer(const WeightLoader& load, const OptConfig& c, int64_t index)
      : index_(index),
        attention_{c.heads, c.heads, c.head_dim(), 1.0f / std::sqrt(static_cast<float>(c.head_dim())), true} {
    constexpr ActivationScales kScales = ActivationScales::grouped;
    const std::string at = fmt::format("layer.{}.", index);
    const auto square = [&](const char* name) { return load.linear(at + name, c.hidden, c.hidden, kScales); };
    norm1_ = load.norm(at + "norm1", NormKind::layer, c.hidden, kEpsilon);
    qkv_ = LinearGroup({square("q"), square("k"), square("v")});
    out_ = square("out");
    mlp_ = {load.norm(at + "norm2", NormKind::layer, c.hidden, kEpsilon),
            load.linear(at + "up", c.intermediate, c.hidden, kScales, parse_activation(c.activation)),
            load.linear(at + "down", c.hidden, c.intermediate, kScales)};
  }

  void forward(Ops& ops, KvCache& cache, View x) const {
    attend(ops, cache, x);
    mlp_.forward(ops, x);
  }

 private:
  void attend(Ops& ops, KvCache& cache, View x) const {
    const Ops::Scope scope(ops);
    const View q = ops.allocate(x.shape);
    const KvCache::Fresh fresh = cache.fresh_rows(index_, x.rows());
    {
      const Ops::Scope normed(ops);
      const View h = ops.allocate(x.shape);
      ops.norm(norm1_, x, h);
      qkv_.forward(ops, h, std::array{q, fresh.keys, fresh.values});
    }
    cache.store(index_, fresh);
    const View context = ops.allocate(x.shape);
    cache.attend(index_, attention_, std::array{AttentionSpan{0, x.rows(), 0, cache.length() + x.rows()}}, q, context);
    out_.forward(ops, context, x, x);
  }

  int64_t index_;
  AttentionSpec attention_;
  NormSpec norm1_;
  LinearGroup qkv_;
  Linear out_;
  NormedMlp mlp_;
};

class OptDecoder final : public CausalDecoder {
 public:
  OptDecoder(const ModelSource& source, Ops& ops, const OptConfig& c)
      : CausalDecoder(source, ops, {c.vocab, c.hidden, c.context, c.layers, c.heads, c.head_dim()}) {
    const WeightLoader load(source, ops);
    head_ = load.linear("embeddings", c.vocab, c.hidden, ActivationScales::grouped);
    positions_ = source.embedding("positions.weight", c.context + kFirstPosition, c.hidden, ops);
    for (int64_t i = 0; i < c.layers; ++i) layers_.emplace_back(load, c, i);
    norm_ = load.norm("norm", NormKind::layer, c.hidden, kEpsilon);
  }

 protected:
  void embed_tokens(std::span<const TokenId> ids, View x) const override { ops_.embed(head_.weight(), ids, x); }

  void add_positions(int64_t first_position, View x) const override {
    std::vector<int32_t> positions(static_cast<size_t>(x.rows()));
    std::iota(positions.begin(), positions.end(), static_cast<int32_t>(first_position + kFirstPosition));
    embed(ops_, positions_, positions, x, true);
  }

  void run_layers(KvCache& cache, View x) override {
    for (const OptLayer& layer : layers_) layer.forward(ops_, cache, x);
  }

  void final_norm(View x, View out) const override { ops_.norm(norm_, x, out); }
  const Linear& head() const override { return head_; }

 private:
  Linear head_;  // its weight is also the table of words
  EmbeddingTable positions_;
  std::vector<OptLayer> layers_;
  NormSpec norm_;
};

// --- plan of a checkpoint ------------------------------------------------------------------------------------------

void refuse_variants(const ConfigReader& reader, const OptConfig& config) {
  const auto flag = [&](std::string_view key, int64_t fallback) { return reader.integer({key, ""}, 0, 1, fallback); };
  const bool is_narrow = reader.integer({"word_embed_proj_dim", ""}, 1, 1 << 20, config.hidden) != config.hidden;
  if (is_narrow || flag("do_layer_norm_before", 1) == 0 || flag("_remove_final_layer_norm", 0) == 1)
    throw Error(Code::bad_input, "OPT with norms behind its layers or narrower embeddings (opt-350m) is not supported")
        .hint("use another size of OPT");
  if (flag("enable_bias", 1) == 0 || flag("layer_norm_elementwise_affine", 1) == 0)
    throw Error(Code::bad_input, "OPT without biases or without weights of norms (Galactica) is not supported")
        .hint("use a checkpoint of OPT");
}

void list_tensors(TensorTable& table, const OptConfig& c) {
  constexpr auto kBias = TensorTable::Bias::required;
  table.embedding({"embeddings.weight", "embed_tokens", ""}, c.vocab, c.hidden, TensorRole::tied);
  table.embedding({"positions.weight", "embed_positions", ""}, c.context + kFirstPosition, c.hidden);
  for (int64_t i = 0; i < c.layers; ++i) {
    table.enter({fmt::format("layer.{}.", i), fmt::format("layers.{}.", i), ""});
    table.norm({"norm1", "self_attn_layer_norm", ""}, c.hidden, kBias);
    table.linear({"q", "self_attn.q_proj", ""}, c.hidden, c.hidden, kBias);
    table.linear({"k", "self_attn.k_proj", ""}, c.hidden, c.hidden, kBias);
    table.linear({"v", "self_attn.v_proj", ""}, c.hidden, c.hidden, kBias);
    table.linear({"out", "self_attn.out_proj", ""}, c.hidden, c.hidden, kBias);
    table.norm({"norm2", "final_layer_norm", ""}, c.hidden, kBias);
    table.linear({"up", "fc1", ""}, c.intermediate, c.hidden, kBias);
    table.linear({"down", "fc2", ""}, c.hidden, c.intermediate, kBias);
  }
  table.enter();
  table.norm({"norm", "final_layer_norm", ""}, c.hidden, kBias);
}

ModelPlan plan(const Checkpoint& checkpoint) {
  const ConfigReader reader(checkpoint);
  if (reader.gguf())
    throw Error(Code::bad_input, "OPT is not read from GGUF").hint("give the Hugging Face folder of the model");
  TensorTable table({"model.decoder.", "decoder."});
  ModelPlan plan;
  plan_opt(checkpoint, reader, table, plan.config);
  plan_chat(checkpoint, plan.config);
  plan.tensors = std::move(table).take();
  return plan;
}

std::unique_ptr<Model> open(const ModelSource& source, Ops& ops) {
  return open_opt(source, ops);
}

constexpr std::string_view kAliases[] = {"opt"};

}  // namespace

int64_t plan_opt(const Checkpoint& checkpoint, const ConfigReader& reader, TensorTable& table,
                 std::map<std::string, std::string>& keys) {
  OptConfig config = kHyper.read(reader);
  refuse_variants(reader, config);
  if (config.hidden % config.heads != 0)
    throw Error(Code::bad_input,
                fmt::format("hidden size {} is not a multiple of {} heads", config.hidden, config.heads));
  parse_activation(config.activation);
  config.vocab = table.rows_in(checkpoint, {"", "embed_tokens", ""});
  kHyper.write(config, keys);
  list_tensors(table, config);
  return config.hidden;
}

std::unique_ptr<CausalDecoder> open_opt(const ModelSource& source, Ops& ops) {
  const OptConfig config = kHyper.read(source.config());
  if (config.hidden % config.heads != 0) source.config().fail("opt.hidden is not a multiple of its heads");
  return std::make_unique<OptDecoder>(source, ops, config);
}

extern const Architecture kOptArchitecture{"opt", kAliases, ModelKind::decoder, plan, open};

}  // namespace frugal
