// T5 (Raffel et al. 2020) and T5 v1.1, of which Flan-T5 is a tuned one: a pre-norm encoder-decoder without biases,
// whose attention knows positions by a bias for each head and distance, and does not scale its scores.
//
// The biases of a stack are a table of buckets, which its first layer has and all layers share. Short distances have a
// bucket each, longer ones share buckets that grow by a constant factor, and from max_distance on there is one. So a
// table of 2 · max_distance + 1 distances (AttentionSpec::relative_bias) says all of it, for texts of any length.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "model/arch/t5.h"
#include "model/nn/architecture.h"
#include "model/nn/config_reader.h"
#include "model/nn/hyper_field.h"
#include "model/nn/tensor_table.h"

namespace frugal {
namespace {

// Distances have no end, but numbers and memory do.
constexpr int64_t kMaxTokens = 1 << 14;

struct T5Config {
  int64_t hidden, head_dim, heads, intermediate, encoder_layers, decoder_layers, buckets, max_distance, context, vocab;
  double epsilon;
  std::string feed_forward;
  std::string activation;  // of the feed-forward layers; empty: the one of feed_forward

  int64_t inner() const { return heads * head_dim; }
};

using C = T5Config;
constexpr HyperField<C> kFields[] = {
    {"hidden", {"d_model", ""}, &C::hidden, {1, 1 << 20}},
    {"head_dim", {"d_kv", ""}, &C::head_dim, {1, 1024}},
    {"heads", {"num_heads", ""}, &C::heads, {1, 1024}},
    {"intermediate", {"d_ff", ""}, &C::intermediate, {1, 1 << 22}},
    {"encoder_layers", {"num_layers", ""}, &C::encoder_layers, {1, 1024}},
    {"decoder_layers",
     {"num_decoder_layers", ""},
     &C::decoder_layers,
     {1, 1024},
     +[](const C& c) { return c.encoder_layers; }},
    {"buckets", {"relative_attention_num_buckets", ""}, &C::buckets, {4, 1 << 12}, 32.0},
    {"max_distance", {"relative_attention_max_distance", ""}, &C::max_distance, {2, 1 << 12}, 128.0},
    {"context", {"n_positions", ""}, &C::context, {1, kMaxTokens}, 512.0},
    {"vocab", {}, &C::vocab, {1, 1 << 24}},
    {"epsilon", {"layer_norm_epsilon", ""}, &C::epsilon, {0, 1}, 1e-6},
    {"feed_forward", {"feed_forward_proj", ""}, &C::feed_forward, {}, "relu"},
};
constexpr HyperTable<C> kHyper("t5", kFields);
// Only where it is not the activation of feed_forward.
constexpr std::string_view kActivationKey = "t5.activation";

struct FeedForward {
  bool gated;
  Activation activation;
};

// The activation of "relu", "gated-gelu", …; the gelu of the latter is gelu_new. Throws Error(bad_input).
FeedForward parse_feed_forward(const T5Config& c) {
  constexpr std::string_view kGated = "gated-";
  const std::string_view name = c.feed_forward;
  const bool gated = name.starts_with(kGated);
  if (!c.activation.empty()) return {gated, parse_activation(c.activation)};
  const std::string_view activation = gated ? name.substr(kGated.size()) : name;
  return {gated, gated && activation == "gelu" ? Activation::gelu_tanh : parse_activation(activation)};
}

// The bucket of key − position. In fp32, in the order of transformers, so that no distance falls into a neighbour.
int64_t bucket_of(int64_t distance, bool bidirectional, int64_t buckets, int64_t max_distance) {
  int64_t first = 0;
  if (bidirectional) {
    buckets /= 2;
    if (distance > 0) first = buckets;
    distance = std::abs(distance);
  } else {
    distance = std::max<int64_t>(-distance, 0);
  }
  const int64_t exact = buckets / 2;
  if (distance < exact) return first + distance;
  const float share = std::log(static_cast<float>(distance) / static_cast<float>(exact)) /
                      static_cast<float>(std::log(double(max_distance) / double(exact)));
  const auto above = static_cast<int64_t>(share * static_cast<float>(buckets - exact));
  return first + std::min(exact + above, buckets - 1);
}

// A stack's table of buckets [buckets, heads] as AttentionSpec::relative_bias.
std::vector<float> biases_by_distance(const ModelSource& source, const std::string& tensor, const T5Config& c,
                                      bool bidirectional, Ops& ops) {
  const EmbeddingTable table = source.embedding(tensor, c.buckets, c.heads, ops);
  if (table.rows.dtype != DType::f32) source.config().fail(fmt::format("tensor '{}' is not f32", tensor));
  const int64_t distances = 2 * c.max_distance + 1;
  std::vector<float> biases(static_cast<size_t>(c.heads * distances));
  for (int64_t i = 0; i < distances; ++i) {
    const float* row = table.rows.row<float>(bucket_of(i - c.max_distance, bidirectional, c.buckets, c.max_distance));
    for (int64_t head = 0; head < c.heads; ++head) biases[static_cast<size_t>(head * distances + i)] = row[head];
  }
  return biases;
}

// Pre-norm block of either stack. x: [tokens, hidden], updated in place.
class T5Layer {
 public:
  T5Layer(const WeightLoader& load, const T5Config& c, const std::string& at, bool decoder)
      : config_(c), kind_(parse_feed_forward(c)) {
    const auto linear = [&](std::string_view name, int64_t outputs, int64_t inputs,
                            Activation activation = Activation::none) {
      return load.linear(fmt::format("{}{}", at, name), outputs, inputs, ActivationScales::grouped, activation);
    };
    const auto norm = [&](const char* name) { return load.norm(at + name, NormKind::rms, c.hidden, c.epsilon); };
    const int64_t inner = c.inner();
    norm1_ = norm("norm1");
    qkv_ = LinearGroup({linear("q", inner, c.hidden), linear("k", inner, c.hidden), linear("v", inner, c.hidden)});
    out_ = linear("out", c.hidden, inner);
    if (decoder) {
      cross_norm_ = norm("cross_norm");
      cross_q_ = linear("cross_q", inner, c.hidden);
      cross_kv_ = LinearGroup({linear("cross_k", inner, c.hidden), linear("cross_v", inner, c.hidden)});
      cross_out_ = linear("cross_out", c.hidden, inner);
    }
    norm2_ = norm("norm2");
    if (kind_.gated)
      gate_up_ = LinearGroup({linear("gate", c.intermediate, c.hidden), linear("up", c.intermediate, c.hidden)});
    else
      up_ = linear("up", c.intermediate, c.hidden, kind_.activation);
    down_ = linear("down", c.hidden, c.intermediate);
  }

  void encode(Ops& ops, const AttentionSpec& spec, View x) const {
    attend(ops, x, [&](View q, View k, View v, View context) {
      ops.attention(spec, std::array{AttentionSpan{0, x.rows(), 0, x.rows()}}, q, k, v, context);
    });
    feed_forward(ops, x);
  }

  void decode(Ops& ops, const AttentionSpec& spec, const AttentionSpec& cross, int64_t layer, BeamCache& cache,
              View x) const {
    attend(ops, x, [&](View q, View k, View v, View context) { cache.attend(layer, spec, q, k, v, context); });
    attend_source(ops, cross, layer, cache, x);
    feed_forward(ops, x);
  }

  void project_source(Ops& ops, View x, View keys, View values) const {
    cross_kv_.forward(ops, x, std::array{keys, values});
  }

 private:
  template <typename Attend>
  void attend(Ops& ops, View x, const Attend& attend) const {
    const Ops::Scope scope(ops);
    const Shape inner{x.rows(), config_.inner()};
    const View q = ops.allocate(inner), k = ops.allocate(inner), v = ops.allocate(inner);
    {
      const Ops::Scope normed(ops);
      const View h = ops.allocate(x.shape);
      ops.norm(norm1_, x, h);
      qkv_.forward(ops, h, std::array{q, k, v});
    }
    const View context = ops.allocate(inner);
    attend(q, k, v, context);
    out_.forward(ops, context, x, x);
  }

  void attend_source(Ops& ops, const AttentionSpec& spec, int64_t layer, BeamCache& cache, View x) const {
    const Ops::Scope scope(ops);
    const View q = ops.allocate(Shape{x.rows(), config_.inner()});
    {
      const Ops::Scope normed(ops);
      const View h = ops.allocate(x.shape);
      ops.norm(cross_norm_, x, h);
      cross_q_.forward(ops, h, q);
    }
    const View context = ops.allocate(q.shape);
    cache.attend_source(layer, spec, q, context);
    cross_out_.forward(ops, context, x, x);
  }

  void feed_forward(Ops& ops, View x) const {
    const Ops::Scope scope(ops);
    const View inner = ops.allocate(Shape{x.rows(), config_.intermediate});
    {
      const Ops::Scope gating(ops);
      const View up = kind_.gated ? ops.allocate(inner.shape) : View(), h = ops.allocate(x.shape);
      ops.norm(norm2_, x, h);
      if (kind_.gated) {
        gate_up_.forward(ops, h, std::array{inner, up});
        ops.activate_gated(kind_.activation, inner, up, inner);
      } else {
        up_.forward(ops, h, inner);
      }
    }
    down_.forward(ops, inner, x, x);
  }

  T5Config config_;
  FeedForward kind_;
  NormSpec norm1_, cross_norm_, norm2_;
  LinearGroup qkv_, cross_kv_, gate_up_;
  Linear out_, cross_q_, cross_out_, up_, down_;
};

class T5 final : public EncoderDecoder {
 public:
  T5(const ModelSource& source, Ops& ops, const T5Config& c)
      : EncoderDecoder(source, ops, c.vocab, c.hidden, {c.context, kMaxTokens, kMaxTokens},
                       {c.decoder_layers, c.heads, c.head_dim}),
        tied_(source.config().require_text("t5.tied") == "true"),
        encoder_biases_(biases_by_distance(source, "encoder.bias", c, true, ops)),
        decoder_biases_(biases_by_distance(source, "decoder.bias", c, false, ops)) {
    const WeightLoader load(source, ops);
    head_ = load.linear(tied_ ? "embeddings" : "head", c.vocab, c.hidden, ActivationScales::grouped);
    if (!tied_) words_ = source.embedding("embeddings.weight", c.vocab, c.hidden, ops);
    for (int64_t i = 0; i < c.encoder_layers; ++i) encoder_.emplace_back(load, c, fmt::format("encoder.{}.", i), false);
    for (int64_t i = 0; i < c.decoder_layers; ++i) decoder_.emplace_back(load, c, fmt::format("decoder.{}.", i), true);
    encoder_norm_ = load.norm("encoder.norm", NormKind::rms, c.hidden, c.epsilon);
    decoder_norm_ = load.norm("decoder.norm", NormKind::rms, c.hidden, c.epsilon);
    if (source.config().require_text("t5.scaled_output") == "true") scale_output(c.hidden);
    cross_.num_heads = cross_.num_kv_heads = c.heads;
    cross_.head_dim = c.head_dim;
    encoder_spec_ = decoder_spec_ = cross_;
    encoder_spec_.relative_bias = encoder_biases_;
    decoder_spec_.relative_bias = decoder_biases_;
    decoder_spec_.causal = true;
  }

  void embed_source(std::span<const TokenId> ids, View x) const override { embed(ids, x); }

 protected:
  void run_encoder(View x) const override {
    for (const T5Layer& layer : encoder_) layer.encode(ops_, encoder_spec_, x);
    ops_.norm(encoder_norm_, x, x);
  }

  void project_source(int64_t layer, View x, View keys, View values) const override {
    decoder_[static_cast<size_t>(layer)].project_source(ops_, x, keys, values);
  }

  void run_decoder(std::span<const TokenId> ids, BeamCache& cache, View x) const override {
    embed(ids, x);
    for (size_t i = 0; i < decoder_.size(); ++i) decoder_[i].decode(ops_, decoder_spec_, cross_, int64_t(i), cache, x);
    ops_.norm(decoder_norm_, x, x);
  }

  const Linear& head() const override { return head_; }

 private:
  // T5's first version multiplies the decoder's output by d_model^−½. The last norm does it here.
  void scale_output(int64_t hidden) {
    scaled_gamma_.assign(decoder_norm_.gamma.begin(), decoder_norm_.gamma.end());
    for (float& gamma : scaled_gamma_) gamma /= std::sqrt(static_cast<float>(hidden));
    decoder_norm_.gamma = scaled_gamma_;
  }

  void embed(std::span<const TokenId> ids, View x) const {
    if (tied_)
      ops_.embed(head_.weight(), ids, x);
    else
      frugal::embed(ops_, words_, ids, x, false);
  }

  bool tied_;  // the output layer uses the embeddings as its weight
  std::vector<float> encoder_biases_, decoder_biases_, scaled_gamma_;
  Linear head_;
  EmbeddingTable words_;
  NormSpec encoder_norm_, decoder_norm_;
  std::vector<T5Layer> encoder_, decoder_;
  AttentionSpec encoder_spec_, decoder_spec_, cross_;
};

// --- plan of a checkpoint ------------------------------------------------------------------------------------------

void list_attention(TensorTable& table, const T5Config& c, const std::string& pack, const std::string& huggingface) {
  constexpr auto kNone = TensorTable::Bias::none;
  table.linear({pack + "q", huggingface + "q", ""}, c.inner(), c.hidden, kNone);
  table.linear({pack + "k", huggingface + "k", ""}, c.inner(), c.hidden, kNone);
  table.linear({pack + "v", huggingface + "v", ""}, c.inner(), c.hidden, kNone);
  table.linear({pack + "out", huggingface + "o", ""}, c.hidden, c.inner(), kNone);
}

void list_stack(TensorTable& table, const T5Config& c, const std::string& stack, int64_t layers, bool gated,
                bool decoder) {
  constexpr auto kNone = TensorTable::Bias::none;
  table.exact_rows({stack + ".bias", stack + ".block.0.layer.0.SelfAttention.relative_attention_bias.weight", ""},
                   c.buckets, c.heads);
  for (int64_t i = 0; i < layers; ++i) {
    table.enter({fmt::format("{}.{}.", stack, i), fmt::format("{}.block.{}.layer.", stack, i), ""});
    table.norm({"norm1", "0.layer_norm", ""}, c.hidden);
    list_attention(table, c, "", "0.SelfAttention.");
    if (decoder) {
      table.norm({"cross_norm", "1.layer_norm", ""}, c.hidden);
      list_attention(table, c, "cross_", "1.EncDecAttention.");
    }
    const std::string last = decoder ? "2." : "1.", dense = last + "DenseReluDense.";
    table.norm({"norm2", last + "layer_norm", ""}, c.hidden);
    if (gated) table.linear({"gate", dense + "wi_0", ""}, c.intermediate, c.hidden, kNone);
    table.linear({"up", dense + (gated ? "wi_1" : "wi"), ""}, c.intermediate, c.hidden, kNone);
    table.linear({"down", dense + "wo", ""}, c.hidden, c.intermediate, kNone);
  }
  table.enter();
  table.norm({stack + ".norm", stack + ".final_layer_norm", ""}, c.hidden);
}

// Whether the decoder's output is scaled: transformers says so in scale_decoder_outputs since version 5, and before by
// tie_word_embeddings, which only T5's first version leaves at its default.
bool scales_output(const ConfigReader& reader) {
  return reader.integer({"scale_decoder_outputs", ""}, 0, 1, reader.integer({"tie_word_embeddings", ""}, 0, 1, 1)) != 0;
}

// transformers writes dense_act_fn beside feed_forward_proj. It counts where they differ: BLIP-2 has the exact GELU.
std::string stated_activation(const ConfigReader& reader, T5Config config) {
  const auto stated = reader.text({"dense_act_fn", ""});
  if (!stated) return {};
  const Activation usual = parse_feed_forward(config).activation;
  config.activation = *stated;
  return parse_feed_forward(config).activation == usual ? std::string() : *stated;
}

ModelPlan plan(const Checkpoint& checkpoint) {
  if (ConfigReader(checkpoint).gguf())
    throw Error(Code::bad_input, "T5 is not read from GGUF").hint("give the Hugging Face folder of the model");
  ModelPlan plan;
  TensorTable table;
  plan_t5(checkpoint, "", table, plan.config);
  plan.tensors = std::move(table).take();
  return plan;
}

std::unique_ptr<Model> open(const ModelSource& source, Ops& ops) {
  return open_t5(source, ops);
}

constexpr std::string_view kAliases[] = {"t5"};

}  // namespace

int64_t plan_t5(const Checkpoint& checkpoint, const std::string& part, TensorTable& table,
                std::map<std::string, std::string>& keys) {
  const ConfigReader reader(checkpoint, part);
  T5Config config = kHyper.read(reader);
  if (config.max_distance <= config.buckets / 2)
    throw Error(Code::bad_input, fmt::format("relative_attention_max_distance {} is too small for {} buckets",
                                             config.max_distance, config.buckets));
  config.activation = stated_activation(reader, config);
  config.vocab = table.rows_in(checkpoint, {"", "shared", ""});
  const bool tied = !table.is_in(checkpoint, {"", "lm_head", ""}), gated = parse_feed_forward(config).gated;

  kHyper.write(config, keys);
  if (!config.activation.empty()) keys[std::string(kActivationKey)] = config.activation;
  keys["t5.tied"] = tied ? "true" : "false";
  keys["t5.scaled_output"] = scales_output(reader) ? "true" : "false";
  plan_seq2seq(checkpoint, config.vocab, keys, part);
  table.embedding({"embeddings.weight", "shared", ""}, config.vocab, config.hidden,
                  tied ? TensorRole::tied : TensorRole::embedding);
  list_stack(table, config, "encoder", config.encoder_layers, gated, false);
  list_stack(table, config, "decoder", config.decoder_layers, gated, true);
  if (!tied) table.linear({"head", "lm_head", ""}, config.vocab, config.hidden, TensorTable::Bias::none);
  return config.hidden;
}

std::unique_ptr<EncoderDecoder> open_t5(const ModelSource& source, Ops& ops) {
  T5Config config = kHyper.read(source.config());
  config.activation = source.config().text(kActivationKey).value_or("");
  if (config.max_distance <= config.buckets / 2) source.config().fail("t5.max_distance is too small for t5.buckets");
  return std::make_unique<T5>(source, ops, config);
}

extern const Architecture kT5Architecture{"t5", kAliases, ModelKind::encoder_decoder, plan, open};

}  // namespace frugal
