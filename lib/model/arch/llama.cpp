#include "model/arch/llama.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "memory/budget.h"
#include "model/nn/blocks.h"
#include "model/nn/config_reader.h"
#include "model/nn/kv_cache.h"
#include "model/nn/model_source.h"
#include "model/nn/rope.h"

namespace frugal {
namespace {

// Tokens of one forward pass of a long prompt: bounds the working memory (512 · 2 · 1,536 floats for SmolLM2's MLP are
// 6 MiB).
constexpr int64_t kTokensPerForward = 512;

// chat.family of a pack whose checkpoint brought a template that was not recognised.
constexpr std::string_view kUnknownChat = "unknown";

struct LlamaConfig {
  int64_t layers, hidden, heads, kv_heads, head_dim, intermediate, context, vocab;
  float epsilon;
  Activation activation;
  bool tied;

  int64_t q_features() const { return heads * head_dim; }
  int64_t kv_features() const { return kv_heads * head_dim; }
};

LlamaConfig read_config(const ModelConfig& config) {
  LlamaConfig c;
  c.layers = config.require_int("llama.layers", 1, 1024);
  c.hidden = config.require_int("llama.hidden", 1, 1 << 20);
  c.heads = config.require_int("llama.heads", 1, 1024);
  c.kv_heads = config.require_int("llama.kv_heads", 1, c.heads);
  c.head_dim = config.require_int("llama.head_dim", 2, 1024);
  c.intermediate = config.require_int("llama.intermediate", 1, 1 << 22);
  c.context = config.require_int("llama.context", 1, 1 << 24);
  c.vocab = config.require_int("llama.vocab", 1, 1 << 24);
  c.epsilon = static_cast<float>(config.require_float("llama.epsilon"));
  c.activation = parse_activation(config.require_text("llama.activation"));
  c.tied = config.require_text("llama.tied") == "true";
  if (c.heads % c.kv_heads != 0) config.fail("llama.heads is not a multiple of llama.kv_heads");
  return c;
}

RopeTable read_rope(const ModelSource& source, const LlamaConfig& c) {
  const ModelConfig& config = source.config();
  RopeScaling scaling;
  scaling.kind = config.require_text("llama.rope.scaling");
  scaling.factor = config.find_float("llama.rope.factor").value_or(1);
  scaling.low_freq_factor = config.find_float("llama.rope.low_freq_factor").value_or(1);
  scaling.high_freq_factor = config.find_float("llama.rope.high_freq_factor").value_or(4);
  scaling.original_positions = config.find_float("llama.rope.original_positions").value_or(8192);
  std::vector<float> divisors;
  if (source.has("rope.divisors")) {
    const std::span<const float> stored = source.vector("rope.divisors", c.head_dim / 2);
    divisors.assign(stored.begin(), stored.end());
  }
  return RopeTable(c.head_dim, config.require_float("llama.rope.theta"), scaling, std::move(divisors));
}

// What every layer of one forward pass shares.
struct Step {
  KvCache& cache;
  std::span<const int32_t> positions;
  RopeSpec rope;
};

// Pre-norm decoder block. x: [tokens, hidden], updated in place.
class LlamaLayer {
 public:
  LlamaLayer(const WeightLoader& load, const LlamaConfig& c, int64_t index) : index_(index), config_(c) {
    const std::string at = fmt::format("layers.{}.", index);
    constexpr ActivationScales kScales = ActivationScales::grouped;
    norm1_ = load.norm(at + "norm1", NormKind::rms, c.hidden, c.epsilon);
    qkv_ = LinearGroup({load.linear(at + "q", c.q_features(), c.hidden, kScales),
                        load.linear(at + "k", c.kv_features(), c.hidden, kScales),
                        load.linear(at + "v", c.kv_features(), c.hidden, kScales)});
    out_ = load.linear(at + "out", c.hidden, c.q_features(), kScales);
    norm2_ = load.norm(at + "norm2", NormKind::rms, c.hidden, c.epsilon);
    gate_up_ = LinearGroup({load.linear(at + "gate", c.intermediate, c.hidden, kScales),
                            load.linear(at + "up", c.intermediate, c.hidden, kScales)});
    down_ = load.linear(at + "down", c.hidden, c.intermediate, kScales);
    attention_ = {c.heads, c.kv_heads, c.head_dim, 1.0f / std::sqrt(static_cast<float>(c.head_dim)), true};
  }

  void forward(Ops& ops, const Step& step, View x) const {
    attend(ops, step, x);
    feed_forward(ops, x);
  }

 private:
  // Scopes end where a tensor is no longer read: what is alive at once is the arena's peak.
  void attend(Ops& ops, const Step& step, View x) const {
    const Ops::Scope scope(ops);
    const int64_t tokens = x.rows(), seen = step.cache.length();
    const View q = ops.allocate(Shape{tokens, config_.q_features()});
    const KvCache::Fresh fresh = step.cache.fresh_rows(index_, tokens);
    {
      const Ops::Scope normed(ops);
      const View h = ops.allocate(x.shape);
      ops.norm(norm1_, x, h);
      qkv_.forward(ops, h, std::array{q, fresh.keys, fresh.values});
    }
    ops.rope(step.rope, step.positions, q, config_.heads, config_.head_dim);
    ops.rope(step.rope, step.positions, fresh.keys, config_.kv_heads, config_.head_dim);
    step.cache.store(index_, fresh);
    const View context = ops.allocate(q.shape);
    step.cache.attend(index_, attention_, std::array{AttentionSpan{0, tokens, 0, seen + tokens}}, q, context);
    out_.forward(ops, context, x, x);
  }

  void feed_forward(Ops& ops, View x) const {
    const Ops::Scope scope(ops);
    const View gate = ops.allocate(Shape{x.rows(), config_.intermediate});
    {
      const Ops::Scope gating(ops);
      const View up = ops.allocate(gate.shape), h = ops.allocate(x.shape);
      ops.norm(norm2_, x, h);
      gate_up_.forward(ops, h, std::array{gate, up});
      ops.activate_gated(config_.activation, gate, up, gate);
    }
    down_.forward(ops, gate, x, x);
  }

  int64_t index_;
  LlamaConfig config_;
  NormSpec norm1_, norm2_;
  LinearGroup qkv_, gate_up_;
  Linear out_, down_;
  AttentionSpec attention_;
};

class LlamaDecoder final : public Decoder {
 public:
  LlamaDecoder(const ModelSource& source, Ops& ops)
      : ops_(ops),
        config_(read_config(source.config())),
        tokenizer_(Tokenizer::open(source.tokenizer())),
        rope_(read_rope(source, config_)),
        chat_family_(source.config().require_text("chat.family")),
        default_system_(source.config().text("chat.default_system").value_or("")),
        identity_(source.identity()) {
    const WeightLoader load(source, ops);
    head_ = load.linear(config_.tied ? "embeddings" : "head", config_.vocab, config_.hidden, ActivationScales::grouped);
    if (!config_.tied) words_ = source.embedding("embeddings.weight", config_.vocab, config_.hidden, ops);
    norm_ = load.norm("norm", NormKind::rms, config_.hidden, config_.epsilon);
    for (int64_t i = 0; i < config_.layers; ++i) layers_.emplace_back(load, config_, i);
  }

  int64_t vocab_size() const override { return config_.vocab; }
  int64_t context_tokens() const override { return config_.context; }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  ChatFamily chat_family() const override {
    if (chat_family_ == kUnknownChat)
      throw Error(Code::mismatch, "the model's chat template is of no family this build knows")
          .hint(fmt::format("set generate.chat_family to {}", known_chat_families()));
    return parse_named<ChatFamily>("chat family", chat_family_);
  }
  std::string_view default_system() const override { return default_system_; }
  std::string identity() const override { return identity_; }

  KvCache make_cache(int64_t capacity_tokens, Budget* budget, KvType type) const override {
    return KvCache(ops_, {config_.layers, config_.kv_heads, config_.head_dim, type},
                   std::min(capacity_tokens, config_.context), budget);
  }

  void forward(std::span<const TokenId> ids, KvCache& cache, std::span<float> logits) override {
    FRUGAL_CHECK(logits.empty() || int64_t(logits.size()) == config_.vocab);
    run(ids, cache, [&](View x, bool last) {
      if (last && !logits.empty()) write_logits(x.slice_rows(x.rows() - 1, 1), logits);
    });
  }

  void forward_all(std::span<const TokenId> ids, KvCache& cache, std::span<float> logits) override {
    FRUGAL_CHECK(int64_t(logits.size()) == config_.vocab * int64_t(ids.size()));
    run(ids, cache, [&](View x, bool) {
      const size_t count = static_cast<size_t>(x.rows() * config_.vocab);
      write_logits(x, logits.first(count));
      logits = logits.subspan(count);
    });
  }

 private:
  // Runs `ids` in pieces and gives each piece's hidden states, [tokens, hidden], to `use(states, is_last_piece)`.
  template <typename Use>
  void run(std::span<const TokenId> ids, KvCache& cache, Use&& use) {
    FRUGAL_CHECK(!ids.empty());
    for (const TokenId id : ids)
      if (id < 0 || id >= config_.vocab)
        throw Error(Code::corrupt_file,
                    fmt::format("token id {} is outside the model's vocabulary of {}", id, config_.vocab));
    cache.extend(int64_t(ids.size()));
    while (!ids.empty()) {
      const size_t tokens = std::min<size_t>(ids.size(), kTokensPerForward);
      const Ops::Scope scope(ops_);
      const View x = run_piece(ids.first(tokens), cache);
      ids = ids.subspan(tokens);
      use(x, ids.empty());
    }
  }

  View run_piece(std::span<const TokenId> ids, KvCache& cache) {
    std::vector<int32_t> positions(ids.size());
    std::iota(positions.begin(), positions.end(), static_cast<int32_t>(cache.length()));
    const Step step{cache, positions, rope_.spec(cache.length() + int64_t(ids.size()))};
    const View x = ops_.allocate(Shape{int64_t(ids.size()), config_.hidden});
    if (config_.tied)
      ops_.embed(head_.weight(), ids, x);
    else
      embed(ops_, words_, ids, x, false);
    for (const LlamaLayer& layer : layers_) layer.forward(ops_, step, x);
    cache.advance(int64_t(ids.size()));
    return x;
  }

  void write_logits(View x, std::span<float> logits) {
    const Ops::Scope scope(ops_);
    const View h = ops_.allocate(x.shape), out = ops_.allocate(Shape{x.rows(), config_.vocab});
    ops_.norm(norm_, x, h);
    head_.forward(ops_, h, out);
    ops_.download(out, logits);
  }

  Ops& ops_;
  LlamaConfig config_;
  std::unique_ptr<Tokenizer> tokenizer_;
  RopeTable rope_;
  std::string chat_family_, default_system_, identity_;
  Linear head_;
  EmbeddingTable words_;
  NormSpec norm_;
  std::vector<LlamaLayer> layers_;
};

// --- the checkpoint's side -----------------------------------------------------------------------------------------

struct TensorTable {
  std::vector<TensorSpec> tensors;

  void linear(const std::string& name, const std::string& huggingface, const std::string& gguf, int64_t outputs,
              int64_t inputs, int64_t unpermute_heads = 0) {
    tensors.push_back({name + ".weight",
                       {huggingface + ".weight", gguf + ".weight"},
                       TensorRole::linear,
                       Shape{outputs, inputs},
                       false,
                       unpermute_heads});
    tensors.push_back({name + ".bias",
                       {huggingface + ".bias", gguf + ".bias"},
                       TensorRole::vector,
                       Shape{outputs},
                       true,
                       unpermute_heads});
  }
  void norm(const std::string& name, const std::string& huggingface, const std::string& gguf, int64_t features) {
    tensors.push_back(
        {name + ".weight", {huggingface + ".weight", gguf + ".weight"}, TensorRole::vector, Shape{features}, false, 0});
  }
};

void plan_rope(const Checkpoint& checkpoint, const ConfigReader& config, ModelPlan& plan) {
  auto& out = plan.config;
  out["llama.rope.theta"] = fmt::format("{}", config.number({"rope_theta", "rope.freq_base"}, 1, 1e12, 10000));
  // transformers 5 nests what was rope_theta and rope_scaling under rope_parameters.
  if (const auto theta = checkpoint.number("rope_parameters.rope_theta"))
    out["llama.rope.theta"] = fmt::format("{}", *theta);
  std::string at = "rope_scaling.";
  if (checkpoint.text("rope_parameters.rope_type")) at = "rope_parameters.";
  std::string kind = "none";
  if (config.gguf())
    kind = config.text({"", "rope.scaling.type"}).value_or("none");
  else if (const auto named = checkpoint.text(at + "rope_type"); named || checkpoint.text(at + "type"))
    kind = named ? *named : *checkpoint.text(at + "type");
  if (kind == "default") kind = "none";
  if (kind != "none" && kind != "linear" && kind != "llama3")
    throw Error(Code::bad_input, fmt::format("rope scaling '{}' is not known", kind))
        .hint("known: none, linear, llama3");
  out["llama.rope.scaling"] = kind;
  if (kind == "none") return;
  const auto copy = [&](const char* huggingface, const char* gguf, const char* to) {
    const ConfigKey key{huggingface, gguf};
    out[to] = fmt::format("{}", config.number(key, 1e-6, 1e9));
  };
  const std::string factor = at + "factor", low = at + "low_freq_factor", high = at + "high_freq_factor",
                    original = at + "original_max_position_embeddings";
  copy(factor.c_str(), "rope.scaling.factor", "llama.rope.factor");
  if (kind != "llama3") return;
  copy(low.c_str(), "rope.scaling.low_freq_factor", "llama.rope.low_freq_factor");
  copy(high.c_str(), "rope.scaling.high_freq_factor", "llama.rope.high_freq_factor");
  copy(original.c_str(), "rope.scaling.original_context_length", "llama.rope.original_positions");
}

void plan_chat(const Checkpoint& checkpoint, ModelPlan& plan) {
  const std::string jinja = checkpoint.tokenizer().chat_template;
  try {
    plan.config["chat.family"] = to_string(recognise_chat_template(jinja));
    plan.config["chat.default_system"] = chat_default_system(jinja);
  } catch (const Error&) {
    // The weights are still worth packing: generate.chat_family names the family where they are used.
    plan.config["chat.family"] = kUnknownChat;
  }
}

}  // namespace

ModelPlan plan_llama(const Checkpoint& checkpoint) {
  const ConfigReader config(checkpoint);
  const int64_t layers = config.integer({"num_hidden_layers", "block_count"}, 1, 1024);
  const int64_t hidden = config.integer({"hidden_size", "embedding_length"}, 1, 1 << 20);
  const int64_t heads = config.integer({"num_attention_heads", "attention.head_count"}, 1, 1024);
  const int64_t kv_heads = config.integer({"num_key_value_heads", "attention.head_count_kv"}, 1, heads, heads);
  const int64_t head_dim = config.integer({"head_dim", "attention.key_length"}, 2, 1024, hidden / heads);
  const int64_t intermediate = config.integer({"intermediate_size", "feed_forward_length"}, 1, 1 << 22);
  const int64_t context = config.integer({"max_position_embeddings", "context_length"}, 1, 1 << 24);
  if (heads % kv_heads != 0)
    throw Error(Code::bad_input, fmt::format("{} heads are not a multiple of {} key-value heads", heads, kv_heads));
  if (head_dim % 2 != 0)
    throw Error(Code::bad_input, fmt::format("head dimension {} is odd; rotary positions need pairs", head_dim));

  const SourceTensor* words = checkpoint.find(config.gguf() ? "token_embd.weight" : "model.embed_tokens.weight");
  if (!words) throw Error(Code::bad_input, "the checkpoint lacks its token embeddings");
  const int64_t vocab = words->shape[0];
  const bool tied = config.gguf() ? !checkpoint.find("output.weight") : !checkpoint.find("lm_head.weight");
  // GGUF's converter permutes q and k for interleaved pairs; packs hold Hugging Face's order (pairs half a head apart).
  const int64_t unpermute = config.gguf() ? heads : 0, unpermute_kv = config.gguf() ? kv_heads : 0;

  ModelPlan plan;
  plan.architecture = "llama";
  plan.config = {{"model.architecture", "llama"},
                 {"llama.layers", std::to_string(layers)},
                 {"llama.hidden", std::to_string(hidden)},
                 {"llama.heads", std::to_string(heads)},
                 {"llama.kv_heads", std::to_string(kv_heads)},
                 {"llama.head_dim", std::to_string(head_dim)},
                 {"llama.intermediate", std::to_string(intermediate)},
                 {"llama.context", std::to_string(context)},
                 {"llama.vocab", std::to_string(vocab)},
                 {"llama.epsilon",
                  fmt::format("{}", config.number({"rms_norm_eps", "attention.layer_norm_rms_epsilon"}, 0, 1, 1e-6))},
                 {"llama.activation", config.text({"hidden_act", "hidden_act"}).value_or("silu")},
                 {"llama.tied", tied ? "true" : "false"}};
  parse_activation(plan.config["llama.activation"]);
  plan_rope(checkpoint, config, plan);
  plan_chat(checkpoint, plan);

  TensorTable table;
  table.tensors.push_back({"embeddings.weight",
                           {"model.embed_tokens.weight", "token_embd.weight"},
                           tied ? TensorRole::tied : TensorRole::embedding,
                           Shape{vocab, hidden},
                           false,
                           0});
  table.tensors.push_back({"rope.divisors", {"rope_freqs.weight"}, TensorRole::vector, Shape{head_dim / 2}, true, 0});
  for (int64_t i = 0; i < layers; ++i) {
    const std::string at = fmt::format("layers.{}.", i), hf = fmt::format("model.layers.{}.", i),
                      gguf = fmt::format("blk.{}.", i);
    table.norm(at + "norm1", hf + "input_layernorm", gguf + "attn_norm", hidden);
    table.linear(at + "q", hf + "self_attn.q_proj", gguf + "attn_q", heads * head_dim, hidden, unpermute);
    table.linear(at + "k", hf + "self_attn.k_proj", gguf + "attn_k", kv_heads * head_dim, hidden, unpermute_kv);
    table.linear(at + "v", hf + "self_attn.v_proj", gguf + "attn_v", kv_heads * head_dim, hidden);
    table.linear(at + "out", hf + "self_attn.o_proj", gguf + "attn_output", hidden, heads * head_dim);
    table.norm(at + "norm2", hf + "post_attention_layernorm", gguf + "ffn_norm", hidden);
    table.linear(at + "gate", hf + "mlp.gate_proj", gguf + "ffn_gate", intermediate, hidden);
    table.linear(at + "up", hf + "mlp.up_proj", gguf + "ffn_up", intermediate, hidden);
    table.linear(at + "down", hf + "mlp.down_proj", gguf + "ffn_down", hidden, intermediate);
  }
  table.norm("norm", "model.norm", "output_norm", hidden);
  if (!tied) table.linear("head", "lm_head", "output", vocab, hidden);
  plan.tensors = std::move(table.tensors);
  return plan;
}

std::unique_ptr<Decoder> open_llama(const ModelSource& source, Ops& ops) {
  return std::make_unique<LlamaDecoder>(source, ops);
}

}  // namespace frugal
