#include "model/trunks/llama_trunk.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "base/error.h"
#include "model/nn/config_reader.h"
#include "model/nn/hyper_field.h"

namespace frugal {
namespace {

using C = LlamaConfig;
constexpr HyperField<C> kFields[] = {
    {"layers", {"num_hidden_layers", "block_count"}, &C::layers, {1, 1024}},
    {"hidden", {"hidden_size", "embedding_length"}, &C::hidden, {1, 1 << 20}},
    {"heads", {"num_attention_heads", "attention.head_count"}, &C::heads, {1, 1024}},
    {"kv_heads",
     {"num_key_value_heads", "attention.head_count_kv"},
     &C::kv_heads,
     {1, 1024},
     +[](const C& c) { return c.heads; }},
    {"head_dim",
     {"head_dim", "attention.key_length"},
     &C::head_dim,
     {2, 1024},
     +[](const C& c) { return c.hidden / c.heads; }},
    {"intermediate", {"intermediate_size", "feed_forward_length"}, &C::intermediate, {1, 1 << 22}},
    {"context", {"max_position_embeddings", "context_length"}, &C::context, {1, 1 << 24}},
    {"vocab", {}, &C::vocab, {1, 1 << 24}},
    {"epsilon", {"rms_norm_eps", "attention.layer_norm_rms_epsilon"}, &C::epsilon, {0, 1}, 1e-6},
    {"activation", {"hidden_act", "hidden_act"}, &C::activation, {}, "silu"},
};
constexpr HyperTable<C> kHyper("llama", kFields);

LlamaConfig read_config(const ModelConfig& pack) {
  LlamaConfig config = kHyper.read(pack);
  if (config.heads % config.kv_heads != 0) pack.fail("llama.heads is not a multiple of llama.kv_heads");
  return config;
}

// permuted: q and k are ordered for interleaved pairs. Packs hold Hugging Face's order, in which the two elements of a
// pair are half a head apart.
void list_tensors(TensorTable& table, const LlamaConfig& c, TensorRole words, bool permuted, bool head_norms) {
  constexpr auto kBias = TensorTable::Bias::optional;
  table.embedding({"embeddings.weight", "embed_tokens", "token_embd"}, c.vocab, c.hidden, words);
  table.optional_vector({"rope.divisors", "", "rope_freqs"}, c.head_dim / 2);
  for (int64_t i = 0; i < c.layers; ++i) {
    table.enter({fmt::format("layers.{}.", i), fmt::format("layers.{}.", i), fmt::format("blk.{}.", i)});
    table.norm({"norm1", "input_layernorm", "attn_norm"}, c.hidden);
    table.linear({"q", "self_attn.q_proj", "attn_q"}, c.q_features(), c.hidden, kBias, permuted ? c.heads : 0);
    table.linear({"k", "self_attn.k_proj", "attn_k"}, c.kv_features(), c.hidden, kBias, permuted ? c.kv_heads : 0);
    table.linear({"v", "self_attn.v_proj", "attn_v"}, c.kv_features(), c.hidden, kBias);
    if (head_norms) {
      table.norm({"q_norm", "self_attn.q_norm", "attn_q_norm"}, c.head_dim);
      table.norm({"k_norm", "self_attn.k_norm", "attn_k_norm"}, c.head_dim);
    }
    table.linear({"out", "self_attn.o_proj", "attn_output"}, c.hidden, c.q_features(), kBias);
    table.norm({"norm2", "post_attention_layernorm", "ffn_norm"}, c.hidden);
    table.linear({"gate", "mlp.gate_proj", "ffn_gate"}, c.intermediate, c.hidden, kBias);
    table.linear({"up", "mlp.up_proj", "ffn_up"}, c.intermediate, c.hidden, kBias);
    table.linear({"down", "mlp.down_proj", "ffn_down"}, c.hidden, c.intermediate, kBias);
  }
  table.enter();
  table.norm({"norm", "norm", "output_norm"}, c.hidden);
}

}  // namespace

LlamaLayer::LlamaLayer(const WeightLoader& load, const LlamaConfig& c, int64_t index)
    : index_(index), config_(c), activation_(parse_activation(c.activation)) {
  const std::string at = fmt::format("layers.{}.", index);
  constexpr ActivationScales kScales = ActivationScales::grouped;
  norm1_ = load.norm(at + "norm1", NormKind::rms, c.hidden, c.epsilon);
  qkv_ = LinearGroup({load.linear(at + "q", c.q_features(), c.hidden, kScales),
                      load.linear(at + "k", c.kv_features(), c.hidden, kScales),
                      load.linear(at + "v", c.kv_features(), c.hidden, kScales)});
  if (load.has(at + "q_norm")) {
    q_norm_ = load.norm(at + "q_norm", NormKind::rms, c.head_dim, c.epsilon);
    k_norm_ = load.norm(at + "k_norm", NormKind::rms, c.head_dim, c.epsilon);
  }
  out_ = load.linear(at + "out", c.hidden, c.q_features(), kScales);
  norm2_ = load.norm(at + "norm2", NormKind::rms, c.hidden, c.epsilon);
  gate_up_ = LinearGroup({load.linear(at + "gate", c.intermediate, c.hidden, kScales),
                          load.linear(at + "up", c.intermediate, c.hidden, kScales)});
  down_ = load.linear(at + "down", c.hidden, c.intermediate, kScales);
  attention_ = {c.heads, c.kv_heads, c.head_dim, 1.0f / std::sqrt(static_cast<float>(c.head_dim)), true};
}

void LlamaLayer::forward(Ops& ops, const RopeSpec& rope, std::span<const int32_t> positions, PassKv& kv, View x) const {
  attend(ops, rope, positions, kv, x);
  feed_forward(ops, x);
}

// Inner scopes end after the last use of their tensors, so the arena's peak is close to the peak of live tensors.
void LlamaLayer::attend(Ops& ops, const RopeSpec& rope, std::span<const int32_t> positions, PassKv& kv, View x) const {
  const Ops::Scope scope(ops);
  const View q = ops.allocate(Shape{x.rows(), config_.q_features()});
  const KvCache::Fresh fresh = kv.fresh_rows(index_, x.rows());
  {
    const Ops::Scope normed(ops);
    const View h = ops.allocate(x.shape);
    ops.norm(norm1_, x, h);
    qkv_.forward(ops, h, std::array{q, fresh.keys, fresh.values});
  }
  normalise_heads(ops, q_norm_, q);
  normalise_heads(ops, k_norm_, fresh.keys);
  ops.rope(rope, positions, q, config_.heads, config_.head_dim);
  ops.rope(rope, positions, fresh.keys, config_.kv_heads, config_.head_dim);
  const View context = ops.allocate(q.shape);
  kv.attend(index_, attention_, fresh, q, context);
  out_.forward(ops, context, x, x);
}

void LlamaLayer::feed_forward(Ops& ops, View x) const {
  const Ops::Scope scope(ops);
  const View gate = ops.allocate(Shape{x.rows(), config_.intermediate});
  {
    const Ops::Scope gating(ops);
    const View up = ops.allocate(gate.shape), h = ops.allocate(x.shape);
    ops.norm(norm2_, x, h);
    gate_up_.forward(ops, h, std::array{gate, up});
    ops.activate_gated(activation_, gate, up, gate);
  }
  down_.forward(ops, gate, x, x);
}

LlamaTrunk::LlamaTrunk(const ModelSource& source, Ops& ops)
    : ops_(ops), config_(read_config(source.config())), rope_(read_rope(source, "llama", config_.head_dim)) {
  const WeightLoader load(source, ops);
  norm_ = load.norm("norm", NormKind::rms, config_.hidden, config_.epsilon);
  for (int64_t i = 0; i < config_.layers; ++i) layers_.emplace_back(load, config_, i);
}

void LlamaTrunk::run(std::span<const int32_t> positions, int64_t length, PassKv& kv, View x) {
  run(rope_.spec(length), positions, kv, x, {});
}

void LlamaTrunk::run(const RopeSpec& rope, std::span<const int32_t> positions, PassKv& kv, View x,
                     std::span<const View> deep) {
  FRUGAL_CHECK(deep.size() <= layers_.size());
  for (size_t i = 0; i < layers_.size(); ++i) {
    layers_[i].forward(ops_, rope, positions, kv, x);
    if (i < deep.size()) ops_.add(x, deep[i], x);
  }
}

LlamaConfig plan_llama_trunk(const Checkpoint& checkpoint, const LlamaVariant& variant, TensorRole words,
                             TensorTable& table, std::map<std::string, std::string>& keys) {
  const ConfigReader reader(checkpoint, variant.config_prefix);
  LlamaConfig config = kHyper.read(reader);
  if (config.heads % config.kv_heads != 0)
    throw Error(Code::bad_input,
                fmt::format("{} heads are not a multiple of {} key-value heads", config.heads, config.kv_heads));
  if (config.head_dim % 2 != 0)
    throw Error(Code::bad_input, fmt::format("head dimension {} is odd; rotary positions need pairs", config.head_dim));
  parse_activation(config.activation);
  config.vocab = table.rows_in(checkpoint, {"", "embed_tokens", "token_embd"});
  kHyper.write(config, keys);
  plan_rope(reader, "llama", keys);
  list_tensors(table, config, words, reader.gguf() && variant.gguf_permutes, variant.head_norms);
  return config;
}

}  // namespace frugal
