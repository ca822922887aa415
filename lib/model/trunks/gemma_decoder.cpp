// Gemma 2 (Gemma Team 2024) and Gemma 3 (Gemma Team 2025). Embeddings are multiplied by the square root of their size,
// exactly, as transformers does in fp32; in bf16 it rounds the factor.
//
// Checkpoints of Hugging Face have the weights of norms less 1, GGUF's have them whole, and so have packs.
#include "model/trunks/gemma_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "model/nn/chat_config.h"
#include "model/nn/config_reader.h"
#include "model/nn/hyper_field.h"
#include "model/nn/tensor_table.h"

namespace frugal {
namespace {

constexpr std::string_view kPrefix = "gemma", kWindowPrefix = "gemma.window";  // of keys in a pack
constexpr HyperField<GemmaConfig>::Range kCap{0, 1e6};
constexpr int64_t kMaxContext = 1 << 24;

// The defaults are those of transformers, on which published configurations of Gemma 3 rely.
using C = GemmaConfig;
constexpr HyperField<C> kFields[] = {
    {"layers", {"num_hidden_layers", "block_count"}, &C::layers, {1, 1024}, 26.0},
    {"hidden", {"hidden_size", "embedding_length"}, &C::hidden, {1, 1 << 20}, 2304.0},
    {"heads", {"num_attention_heads", "attention.head_count"}, &C::heads, {1, 1024}, 8.0},
    {"kv_heads", {"num_key_value_heads", "attention.head_count_kv"}, &C::kv_heads, {1, 1024}, 4.0},
    {"head_dim", {"head_dim", "attention.key_length"}, &C::head_dim, {2, 1024}, 256.0},
    {"intermediate", {"intermediate_size", "feed_forward_length"}, &C::intermediate, {1, 1 << 22}, 9216.0},
    {"context", {}, &C::context, {1, double(kMaxContext)}},
    {"vocab", {}, &C::vocab, {1, 1 << 24}},
    {"window", {"sliding_window", "attention.sliding_window"}, &C::window, {2, double(kMaxContext)}, 4096.0},
    {"epsilon", {"rms_norm_eps", "attention.layer_norm_rms_epsilon"}, &C::epsilon, {0, 1}, 1e-6},
    {"score_divisor", {}, &C::score_divisor, {1e-6, 1e9}},
    {"attention_cap", {}, &C::attention_cap, kCap},
    {"logit_cap", {}, &C::logit_cap, kCap},
    {"activation", {"hidden_activation", ""}, &C::activation, {}, "gelu_pytorch_tanh"},
    {"windowed", {}, &C::windowed},
};
constexpr HyperTable<C> kHyper(kPrefix, kFields);

GemmaConfig read_config(const ModelConfig& pack) {
  GemmaConfig config = kHyper.read(pack);
  if (config.heads % config.kv_heads != 0) pack.fail("gemma.heads is not a multiple of gemma.kv_heads");
  if (int64_t(config.windowed.size()) != config.layers || config.windowed.find_first_not_of("01") != std::string::npos)
    pack.fail("gemma.windowed is not a 0 or 1 for each layer");
  return config;
}

// x: [tokens, hidden]. Adds what a part of a layer gives, once it is normalised in place.
void add_normed(Ops& ops, const NormSpec& norm, View part, View x) {
  ops.norm(norm, part, part);
  ops.add(x, part, x);
}

}  // namespace

GemmaLayer::GemmaLayer(const WeightLoader& load, const GemmaConfig& c, int64_t index)
    : index_(index), intermediate_(c.intermediate), activation_(parse_activation(c.activation)) {
  const std::string at = fmt::format("layers.{}.", index);
  constexpr ActivationScales kScales = ActivationScales::grouped;
  const auto norm = [&](const char* name, int64_t features) {
    return load.norm(at + name, NormKind::rms, features, c.epsilon);
  };
  attention_ = {c.heads, c.kv_heads, c.head_dim, static_cast<float>(1 / std::sqrt(c.score_divisor)), true};
  attention_.soft_cap = static_cast<float>(c.attention_cap);
  // Checkpoints count a token itself among those of its window.
  if (c.windowed[static_cast<size_t>(index)] == '1') attention_.window = c.window - 1;
  norm1_ = norm("norm1", c.hidden);
  qkv_ = LinearGroup({load.linear(at + "q", c.q_features(), c.hidden, kScales),
                      load.linear(at + "k", c.kv_features(), c.hidden, kScales),
                      load.linear(at + "v", c.kv_features(), c.hidden, kScales)});
  if (load.has(at + "q_norm")) {
    q_norm_ = norm("q_norm", c.head_dim);
    k_norm_ = norm("k_norm", c.head_dim);
  }
  out_ = load.linear(at + "out", c.hidden, c.q_features(), kScales);
  added1_ = norm("added1", c.hidden);
  norm2_ = norm("norm2", c.hidden);
  gate_up_ = LinearGroup({load.linear(at + "gate", c.intermediate, c.hidden, kScales),
                          load.linear(at + "up", c.intermediate, c.hidden, kScales)});
  down_ = load.linear(at + "down", c.hidden, c.intermediate, kScales);
  added2_ = norm("added2", c.hidden);
}

void GemmaLayer::forward(Ops& ops, const RopeSpec& rope, std::span<const int32_t> positions, KvCache& cache,
                         View x) const {
  attend(ops, rope, positions, cache, x);
  feed_forward(ops, x);
}

void GemmaLayer::attend(Ops& ops, const RopeSpec& rope, std::span<const int32_t> positions, KvCache& cache,
                        View x) const {
  const Ops::Scope scope(ops);
  const View h = ops.allocate(x.shape);  // the input of this part, then its output
  const View q = ops.allocate(Shape{x.rows(), attention_.num_heads * attention_.head_dim});
  const KvCache::Fresh fresh = cache.fresh_rows(index_, x.rows());
  ops.norm(norm1_, x, h);
  qkv_.forward(ops, h, std::array{q, fresh.keys, fresh.values});
  normalise_heads(ops, q_norm_, q);
  normalise_heads(ops, k_norm_, fresh.keys);
  ops.rope(rope, positions, q, attention_.num_heads, attention_.head_dim);
  ops.rope(rope, positions, fresh.keys, attention_.num_kv_heads, attention_.head_dim);
  cache.store(index_, fresh);
  const View context = ops.allocate(q.shape);
  cache.attend(index_, attention_, std::array{AttentionSpan{0, x.rows(), 0, cache.length() + x.rows()}}, q, context);
  out_.forward(ops, context, h);
  add_normed(ops, added1_, h, x);
}

void GemmaLayer::feed_forward(Ops& ops, View x) const {
  const Ops::Scope scope(ops);
  const View h = ops.allocate(x.shape);
  const View gate = ops.allocate(Shape{x.rows(), intermediate_});
  {
    const Ops::Scope gating(ops);
    const View up = ops.allocate(gate.shape);
    ops.norm(norm2_, x, h);
    gate_up_.forward(ops, h, std::array{gate, up});
    ops.activate_gated(activation_, gate, up, gate);
  }
  down_.forward(ops, gate, h);
  add_normed(ops, added2_, h, x);
}

GemmaDecoder::GemmaDecoder(const ModelSource& source, Ops& ops, const GemmaConfig& c)
    : CausalDecoder(source, ops, {c.vocab, c.hidden, c.context, c.layers, c.kv_heads, c.head_dim}),
      embedding_scale_(std::sqrt(static_cast<float>(c.hidden))),
      logit_cap_(static_cast<float>(c.logit_cap)),
      full_rope_(read_rope(source, kPrefix, c.head_dim)),
      window_rope_(read_rope(source, kWindowPrefix, c.head_dim)) {
  const WeightLoader load(source, ops);
  head_ = load.linear("embeddings", c.vocab, c.hidden, ActivationScales::grouped);
  layers_.reserve(static_cast<size_t>(c.layers));
  for (int64_t i = 0; i < c.layers; ++i) layers_.emplace_back(load, c, i);
  norm_ = load.norm("norm", NormKind::rms, c.hidden, c.epsilon);
}

void GemmaDecoder::embed_tokens(std::span<const TokenId> ids, View x) const {
  ops_.embed(head_.weight(), ids, x);
  ops_.scale(x, embedding_scale_);
}

void GemmaDecoder::run_layers(KvCache& cache, View x) {
  std::vector<int32_t> positions(static_cast<size_t>(x.rows()));
  std::iota(positions.begin(), positions.end(), static_cast<int32_t>(cache.length()));
  const int64_t length = cache.length() + x.rows();
  const RopeSpec full = full_rope_.spec(length), window = window_rope_.spec(length);
  for (const GemmaLayer& layer : layers_) layer.forward(ops_, layer.sees_window() ? window : full, positions, cache, x);
}

void GemmaDecoder::adjust_logits(View logits) const {
  if (logit_cap_ == 0) return;
  ops_.scale(logits, 1 / logit_cap_);
  ops_.activate(Activation::tanh, logits, logits);
  ops_.scale(logits, logit_cap_);
}

// --- plan of a checkpoint ------------------------------------------------------------------------------------------

namespace {

bool is_windowed(const ConfigReader& reader, int64_t layer, int64_t full_every) {
  const auto type = reader.text({fmt::format("layer_types.{}", layer), ""});
  if (!type) return (layer + 1) % full_every != 0;
  if (*type != "sliding_attention" && *type != "full_attention")
    throw Error(Code::bad_input, fmt::format("'layer_types' has '{}', which is not supported", *type))
        .hint("known: sliding_attention, full_attention");
  return *type == "sliding_attention";
}

void refuse_variants(const ConfigReader& reader) {
  if (reader.integer({"use_bidirectional_attention", ""}, 0, 1, 0) == 1)
    throw Error(Code::bad_input, "Gemma with bidirectional attention (EmbeddingGemma) is not supported")
        .hint("use a checkpoint that generates text");
  if (reader.integer({"tie_word_embeddings", ""}, 0, 1, 1) == 0)
    throw Error(Code::bad_input, "Gemma with an output layer of its own is not supported")
        .hint("use a checkpoint whose 'tie_word_embeddings' is true, as those of Google are");
}

// What the table of fields cannot say, as it depends on the version or on other fields.
void read_variant(const ConfigReader& reader, const GemmaVariant& variant, GemmaConfig& config) {
  config.context = reader.integer({"max_position_embeddings", "context_length"}, 1, kMaxContext, variant.context);
  const bool by_hidden = reader.gguf() && config.layers == variant.layers_scaled_by_hidden;
  const int64_t divisor = by_hidden ? config.hidden / config.heads : config.head_dim;
  config.score_divisor =
      reader.number({"query_pre_attn_scalar", ""}, 1e-6, 1e9, reader.gguf() ? double(divisor) : 256.0);
  // Without a default, since a configuration says null to switch them off.
  const auto fallback = variant.soft_caps ? std::nullopt : std::optional(0.0);
  if (variant.soft_caps)
    config.attention_cap = reader.number({"attn_logit_softcapping", "attn_logit_softcapping"}, 1e-6, kCap.max);
  config.logit_cap =
      reader.number({"final_logit_softcapping", "final_logit_softcapping"}, kCap.min, kCap.max, fallback);
  const int64_t full_every =
      reader.integer({"sliding_window_pattern", "attention.sliding_window_pattern"}, 1, 1024, variant.full_every);
  for (int64_t i = 0; i < config.layers; ++i) config.windowed += is_windowed(reader, i, full_every) ? '1' : '0';
}

void list_tensors(TensorTable& table, const GemmaConfig& c, bool head_norms, float offset) {
  constexpr auto kBias = TensorTable::Bias::optional;
  const auto norm = [&](const TensorNames& names, int64_t features) { table.offset_norm(names, features, offset); };
  table.embedding({"embeddings.weight", "embed_tokens", "token_embd"}, c.vocab, c.hidden, TensorRole::tied);
  for (int64_t i = 0; i < c.layers; ++i) {
    table.enter({fmt::format("layers.{}.", i), fmt::format("layers.{}.", i), fmt::format("blk.{}.", i)});
    norm({"norm1", "input_layernorm", "attn_norm"}, c.hidden);
    table.linear({"q", "self_attn.q_proj", "attn_q"}, c.q_features(), c.hidden, kBias);
    table.linear({"k", "self_attn.k_proj", "attn_k"}, c.kv_features(), c.hidden, kBias);
    table.linear({"v", "self_attn.v_proj", "attn_v"}, c.kv_features(), c.hidden, kBias);
    if (head_norms) {
      norm({"q_norm", "self_attn.q_norm", "attn_q_norm"}, c.head_dim);
      norm({"k_norm", "self_attn.k_norm", "attn_k_norm"}, c.head_dim);
    }
    table.linear({"out", "self_attn.o_proj", "attn_output"}, c.hidden, c.q_features(), kBias);
    norm({"added1", "post_attention_layernorm", "post_attention_norm"}, c.hidden);
    norm({"norm2", "pre_feedforward_layernorm", "ffn_norm"}, c.hidden);
    table.linear({"gate", "mlp.gate_proj", "ffn_gate"}, c.intermediate, c.hidden, kBias);
    table.linear({"up", "mlp.up_proj", "ffn_up"}, c.intermediate, c.hidden, kBias);
    table.linear({"down", "mlp.down_proj", "ffn_down"}, c.hidden, c.intermediate, kBias);
    norm({"added2", "post_feedforward_layernorm", "post_ffw_norm"}, c.hidden);
  }
  table.enter();
  norm({"norm", "norm", "output_norm"}, c.hidden);
}

}  // namespace

ModelPlan plan_gemma_decoder(const Checkpoint& checkpoint, const GemmaVariant& variant) {
  const ConfigReader reader(checkpoint, variant.config_prefix);
  refuse_variants(reader);
  GemmaConfig config = kHyper.read(reader);
  if (config.heads % config.kv_heads != 0)
    throw Error(Code::bad_input,
                fmt::format("{} heads are not a multiple of {} key-value heads", config.heads, config.kv_heads));
  if (config.head_dim % 2 != 0)
    throw Error(Code::bad_input, fmt::format("head dimension {} is odd; rotary positions need pairs", config.head_dim));
  parse_activation(config.activation);
  read_variant(reader, variant, config);
  TensorTable table(variant.tensor_prefixes);
  config.vocab = table.rows_in(checkpoint, {"", "embed_tokens", "token_embd"});
  ModelPlan plan;
  kHyper.write(config, plan.config);
  plan_rope(reader, kPrefix, plan.config, variant.full_rope);
  plan_rope(reader, kWindowPrefix, plan.config, variant.window_rope);
  plan_chat(checkpoint, plan.config);
  list_tensors(table, config, variant.head_norms, reader.gguf() ? 0.0f : 1.0f);
  plan.tensors = std::move(table).take();
  return plan;
}

std::unique_ptr<Model> open_gemma_decoder(const ModelSource& source, Ops& ops) {
  return std::make_unique<GemmaDecoder>(source, ops, read_config(source.config()));
}

}  // namespace frugal
