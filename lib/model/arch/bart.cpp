// BART (Lewis et al. 2020): a post-norm encoder-decoder with learned positions, biases, and a head that is tied to the
// embeddings and has a bias of its own.
//
// With scale_embedding, words are multiplied by s = sqrt(hidden) before positions are added. A layer norm follows,
// which ignores the scale of its input, so positions are divided by s instead, and the norm's epsilon by s².
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "model/nn/architecture.h"
#include "model/nn/config_reader.h"
#include "model/nn/hyper_field.h"
#include "model/nn/tensor_table.h"
#include "model/trunks/encoder_decoder.h"

namespace frugal {
namespace {

constexpr double kEpsilon = 1e-5;  // of every norm; no configuration has another
// Rows of the positions before that of the first token: the paper's code counted from its padding token.
constexpr int64_t kFirstPosition = 2;

struct BartConfig {
  int64_t hidden, encoder_layers, decoder_layers, encoder_heads, decoder_heads, encoder_intermediate,
      decoder_intermediate, positions, scaled, vocab;
  std::string activation;
};

using C = BartConfig;
constexpr HyperField<C> kFields[] = {
    {"hidden", {"d_model", ""}, &C::hidden, {1, 1 << 20}},
    {"encoder_layers", {"encoder_layers", ""}, &C::encoder_layers, {1, 1024}},
    {"decoder_layers", {"decoder_layers", ""}, &C::decoder_layers, {1, 1024}},
    {"encoder_heads", {"encoder_attention_heads", ""}, &C::encoder_heads, {1, 1024}},
    {"decoder_heads", {"decoder_attention_heads", ""}, &C::decoder_heads, {1, 1024}},
    {"encoder_intermediate", {"encoder_ffn_dim", ""}, &C::encoder_intermediate, {1, 1 << 22}},
    {"decoder_intermediate", {"decoder_ffn_dim", ""}, &C::decoder_intermediate, {1, 1 << 22}},
    {"positions", {"max_position_embeddings", ""}, &C::positions, {1, 1 << 20}},
    {"scaled", {"scale_embedding", ""}, &C::scaled, {0, 1}, 0.0},
    {"vocab", {}, &C::vocab, {1, 1 << 24}},
    {"activation", {"activation_function", ""}, &C::activation, {}, "gelu"},
};
constexpr HyperTable<C> kHyper("bart", kFields);

bool heads_fit(const BartConfig& c) {
  return c.hidden % c.encoder_heads == 0 && c.hidden % c.decoder_heads == 0;
}

// What the layers of a stack have in common.
struct Stack {
  std::string name;  // "encoder"
  int64_t hidden, heads, intermediate;
  Activation activation;
  ActivationScales scales;

  AttentionSpec attention(bool causal) const {
    const int64_t head_dim = hidden / heads;
    return {heads, heads, head_dim, 1.0f / std::sqrt(static_cast<float>(head_dim)), causal};
  }
};

// Post-norm block of either stack. x: [tokens, hidden], updated in place.
class BartLayer {
 public:
  BartLayer(const WeightLoader& load, const Stack& stack, int64_t index, bool decoder)
      : attention_(stack.attention(decoder)), cross_(stack.attention(false)) {
    const std::string at = fmt::format("{}.{}.", stack.name, index);
    const auto square = [&](const char* name) {
      return load.linear(at + name, stack.hidden, stack.hidden, stack.scales);
    };
    const auto norm = [&](const char* name) { return load.norm(at + name, NormKind::layer, stack.hidden, kEpsilon); };
    qkv_ = LinearGroup({square("q"), square("k"), square("v")});
    out_ = square("out");
    norm1_ = norm("norm1");
    if (decoder) {
      cross_q_ = square("cross_q");
      cross_kv_ = LinearGroup({square("cross_k"), square("cross_v")});
      cross_out_ = square("cross_out");
      cross_norm_ = norm("cross_norm");
    }
    up_ = load.linear(at + "up", stack.intermediate, stack.hidden, stack.scales, stack.activation);
    down_ = load.linear(at + "down", stack.hidden, stack.intermediate, stack.scales);
    norm2_ = norm("norm2");
  }

  void encode(Ops& ops, View x) const {
    attend(ops, x, [&](View q, View k, View v, View context) {
      ops.attention(attention_, std::array{AttentionSpan{0, x.rows(), 0, x.rows()}}, q, k, v, context);
    });
    feed_forward(ops, x);
  }

  void decode(Ops& ops, int64_t layer, BeamCache& cache, View x) const {
    attend(ops, x, [&](View q, View k, View v, View context) { cache.attend(layer, attention_, q, k, v, context); });
    attend_source(ops, layer, cache, x);
    feed_forward(ops, x);
  }

  void project_source(Ops& ops, View x, View keys, View values) const {
    cross_kv_.forward(ops, x, std::array{keys, values});
  }

 private:
  template <typename Attend>
  void attend(Ops& ops, View x, const Attend& attend) const {
    {
      const Ops::Scope scope(ops);
      const View q = ops.allocate(x.shape), k = ops.allocate(x.shape), v = ops.allocate(x.shape);
      qkv_.forward(ops, x, std::array{q, k, v});
      const View context = ops.allocate(x.shape);
      attend(q, k, v, context);
      out_.forward(ops, context, x, x);
    }
    ops.norm(norm1_, x, x);
  }

  void attend_source(Ops& ops, int64_t layer, BeamCache& cache, View x) const {
    {
      const Ops::Scope scope(ops);
      const View q = ops.allocate(x.shape);
      cross_q_.forward(ops, x, q);
      const View context = ops.allocate(x.shape);
      cache.attend_source(layer, cross_, q, context);
      cross_out_.forward(ops, context, x, x);
    }
    ops.norm(cross_norm_, x, x);
  }

  void feed_forward(Ops& ops, View x) const {
    {
      const Ops::Scope scope(ops);
      const View h = ops.allocate(Shape{x.rows(), up_.outputs()});
      up_.forward(ops, x, h);
      down_.forward(ops, h, x, x);
    }
    ops.norm(norm2_, x, x);
  }

  AttentionSpec attention_, cross_;
  LinearGroup qkv_, cross_kv_;
  Linear out_, cross_q_, cross_out_, up_, down_;
  NormSpec norm1_, cross_norm_, norm2_;
};

// The input of a stack: words, positions and the norm over their sum.
class BartEmbeddings {
 public:
  BartEmbeddings(const ModelSource& source, const WeightLoader& load, Ops& ops, const BartConfig& c,
                 const std::string& stack)
      : rows_(c.positions + kFirstPosition),
        positions_(source.embedding(stack + ".positions", rows_, c.hidden, ops)),
        norm_(load.norm(stack + ".norm", NormKind::layer, c.hidden, kEpsilon)) {
    if (c.scaled == 0) return;
    divide_positions(ops, c.hidden);
    norm_.epsilon /= static_cast<float>(c.hidden);
  }
  // Movable, but the table may point to `divided_`, whose elements do not move with it.
  BartEmbeddings(const BartEmbeddings&) = delete;
  BartEmbeddings& operator=(const BartEmbeddings&) = delete;

  // `texts` of equal length, text by text, from position `first` on.
  void embed(Ops& ops, Weight words, std::span<const TokenId> ids, int64_t texts, int64_t first, View x) const {
    ops.embed(words, ids, x);
    const size_t tokens = ids.size() / static_cast<size_t>(texts);
    std::vector<int32_t> positions(ids.size());
    for (size_t i = 0; i < ids.size(); ++i)
      positions[i] = static_cast<int32_t>(kFirstPosition + first + int64_t(i % tokens));
    frugal::embed(ops, positions_, positions, x, true);
    ops.norm(norm_, x, x);
  }

 private:
  void divide_positions(Ops& ops, int64_t hidden) {
    divided_.resize(static_cast<size_t>(rows_ * hidden));
    std::vector<int32_t> all(static_cast<size_t>(rows_));
    std::iota(all.begin(), all.end(), 0);
    const Ops::Scope scope(ops);
    const View x = ops.allocate(Shape{rows_, hidden});
    frugal::embed(ops, positions_, all, x, false);
    ops.download(x, divided_);
    for (float& value : divided_) value /= std::sqrt(static_cast<float>(hidden));
    positions_ = {ConstView(divided_.data(), DType::f32, Shape{rows_, hidden}), {}, {}, nullptr};
  }

  int64_t rows_;
  EmbeddingTable positions_;
  std::vector<float> divided_;
  NormSpec norm_;
};

class Bart final : public EncoderDecoder {
 public:
  Bart(const ModelSource& source, Ops& ops, const BartConfig& c) : Bart(source, ops, c, WeightLoader(source, ops)) {}

  void embed_source(std::span<const TokenId> ids, View x) const override {
    source_.embed(ops_, head_.weight(), ids, 1, 0, x);
  }

 protected:
  void run_encoder(View x) const override {
    for (const BartLayer& layer : encoder_) layer.encode(ops_, x);
  }

  void project_source(int64_t layer, View x, View keys, View values) const override {
    decoder_[static_cast<size_t>(layer)].project_source(ops_, x, keys, values);
  }

  void run_decoder(std::span<const TokenId> ids, BeamCache& cache, View x) const override {
    target_.embed(ops_, head_.weight(), ids, cache.beams(), cache.length(), x);
    for (size_t i = 0; i < decoder_.size(); ++i) decoder_[i].decode(ops_, int64_t(i), cache, x);
  }

  const Linear& head() const override { return head_; }

 private:
  Bart(const ModelSource& source, Ops& ops, const BartConfig& c, const WeightLoader& load)
      : EncoderDecoder(source, ops, c.vocab, c.hidden, {c.positions, c.positions, c.positions},
                       {c.decoder_layers, c.decoder_heads, c.hidden / c.decoder_heads}),
        head_(load_head(source, ops, c, load)),
        source_(source, load, ops, c, "encoder"),
        target_(source, load, ops, c, "decoder") {
    const Activation activation = parse_activation(c.activation);
    const Stack encoder{
        "encoder", c.hidden, c.encoder_heads, c.encoder_intermediate, activation, ActivationScales::per_token};
    const Stack decoder{
        "decoder", c.hidden, c.decoder_heads, c.decoder_intermediate, activation, ActivationScales::grouped};
    for (int64_t i = 0; i < c.encoder_layers; ++i) encoder_.emplace_back(load, encoder, i, false);
    for (int64_t i = 0; i < c.decoder_layers; ++i) decoder_.emplace_back(load, decoder, i, true);
  }

  static Linear load_head(const ModelSource& source, Ops& ops, const BartConfig& c, const WeightLoader& load) {
    LinearSpec head = load.linear("embeddings", c.vocab, c.hidden, ActivationScales::grouped).last();
    if (source.has("head.bias")) {
      const EmbeddingTable bias = source.embedding("head.bias", 1, c.vocab, ops);
      if (bias.rows.dtype != DType::f32) source.config().fail("tensor 'head.bias' is not f32");
      head.bias = {bias.rows.row<float>(0), static_cast<size_t>(c.vocab)};
    }
    return Linear(head);
  }

  Linear head_;  // its weight is also the table of words
  BartEmbeddings source_, target_;
  std::vector<BartLayer> encoder_, decoder_;
};

// --- plan of a checkpoint ------------------------------------------------------------------------------------------

void list_attention(TensorTable& table, int64_t hidden, const std::string& pack, const std::string& huggingface) {
  constexpr auto kBias = TensorTable::Bias::required;
  table.linear({pack + "q", huggingface + "q_proj", ""}, hidden, hidden, kBias);
  table.linear({pack + "k", huggingface + "k_proj", ""}, hidden, hidden, kBias);
  table.linear({pack + "v", huggingface + "v_proj", ""}, hidden, hidden, kBias);
  table.linear({pack + "out", huggingface + "out_proj", ""}, hidden, hidden, kBias);
  table.norm(
      {pack.empty() ? "norm1" : pack + "norm", huggingface.substr(0, huggingface.size() - 1) + "_layer_norm", ""},
      hidden, kBias);
}

void list_stack(TensorTable& table, const BartConfig& c, const std::string& stack, int64_t layers, int64_t intermediate,
                bool decoder) {
  constexpr auto kBias = TensorTable::Bias::required;
  table.embedding({stack + ".positions", stack + ".embed_positions", ""}, c.positions + kFirstPosition, c.hidden);
  table.norm({stack + ".norm", stack + ".layernorm_embedding", ""}, c.hidden, kBias);
  for (int64_t i = 0; i < layers; ++i) {
    table.enter({fmt::format("{}.{}.", stack, i), fmt::format("{}.layers.{}.", stack, i), ""});
    list_attention(table, c.hidden, "", "self_attn.");
    if (decoder) list_attention(table, c.hidden, "cross_", "encoder_attn.");
    table.linear({"up", "fc1", ""}, intermediate, c.hidden, kBias);
    table.linear({"down", "fc2", ""}, c.hidden, intermediate, kBias);
    table.norm({"norm2", "final_layer_norm", ""}, c.hidden, kBias);
  }
  table.enter();
}

ModelPlan plan(const Checkpoint& checkpoint) {
  const ConfigReader reader(checkpoint);
  if (reader.gguf())
    throw Error(Code::bad_input, "BART is not read from GGUF").hint("give the Hugging Face folder of the model");
  BartConfig config = kHyper.read(reader);
  if (!heads_fit(config))
    throw Error(Code::bad_input, fmt::format("hidden size {} is not a multiple of {} and {} heads", config.hidden,
                                             config.encoder_heads, config.decoder_heads));
  parse_activation(config.activation);
  TensorTable table({"model.", ""});
  config.vocab = table.rows_in(checkpoint, {"", "shared", ""});

  ModelPlan plan;
  kHyper.write(config, plan.config);
  plan_seq2seq(checkpoint, config.vocab, plan.config);
  table.embedding({"embeddings.weight", "shared", ""}, config.vocab, config.hidden, TensorRole::tied);
  table.exact_rows({"head.bias", "final_logits_bias", ""}, 1, config.vocab, true);
  list_stack(table, config, "encoder", config.encoder_layers, config.encoder_intermediate, false);
  list_stack(table, config, "decoder", config.decoder_layers, config.decoder_intermediate, true);
  plan.tensors = std::move(table).take();
  return plan;
}

std::unique_ptr<Model> open(const ModelSource& source, Ops& ops) {
  const BartConfig config = kHyper.read(source.config());
  if (!heads_fit(config)) source.config().fail("bart.hidden is not a multiple of its heads");
  return std::make_unique<Bart>(source, ops, config);
}

constexpr std::string_view kAliases[] = {"bart"};

}  // namespace

extern const Architecture kBartArchitecture{"bart", kAliases, ModelKind::encoder_decoder, plan, open};

}  // namespace frugal
