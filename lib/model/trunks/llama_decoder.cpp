#include "model/trunks/llama_decoder.h"

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/nn/chat_config.h"
#include "model/nn/kv_cache.h"
#include "model/nn/tensor_table.h"

namespace frugal {
namespace {

// Keys and values in a cache: a query sees the tokens that were processed before, and those of its pass up to itself.
class CachedKv final : public PassKv {
 public:
  explicit CachedKv(KvCache& cache) : cache_(cache) {}
  KvCache::Fresh fresh_rows(int64_t layer, int64_t tokens) override { return cache_.fresh_rows(layer, tokens); }
  void attend(int64_t layer, const AttentionSpec& spec, const KvCache::Fresh& fresh, View q, View out) override {
    cache_.store(layer, fresh);
    cache_.attend(layer, spec, std::array{AttentionSpan{0, q.rows(), 0, cache_.length() + q.rows()}}, q, out);
  }

 private:
  KvCache& cache_;
};

std::vector<int32_t> positions_from(int64_t first, int64_t count) {
  std::vector<int32_t> positions(static_cast<size_t>(count));
  std::iota(positions.begin(), positions.end(), static_cast<int32_t>(first));
  return positions;
}

std::vector<AxialPosition> grid_positions(int64_t first, int64_t height, int64_t width) {
  std::vector<AxialPosition> positions;
  positions.reserve(static_cast<size_t>(height * width));
  for (int64_t y = first; y < first + height; ++y)
    for (int64_t x = first; x < first + width; ++x)
      positions.push_back({static_cast<int32_t>(first), static_cast<int32_t>(y), static_cast<int32_t>(x)});
  return positions;
}

}  // namespace

LlamaDecoder::LlamaDecoder(const ModelSource& source, Ops& ops, LlamaTrunk trunk)
    : CausalDecoder(source, ops,
                    {trunk.config().vocab, trunk.config().hidden, trunk.config().context, trunk.config().layers,
                     trunk.config().kv_heads, trunk.config().head_dim}),
      trunk_(std::move(trunk)),
      tied_(source.config().require_text("llama.tied") == "true") {
  const LlamaConfig& config = trunk_.config();
  const WeightLoader load(source, ops);
  head_ = load.linear(tied_ ? "embeddings" : "head", config.vocab, config.hidden, ActivationScales::grouped);
  if (!tied_) words_ = source.embedding("embeddings.weight", config.vocab, config.hidden, ops);
}

void LlamaDecoder::embed_tokens(std::span<const TokenId> ids, View x) const {
  if (tied_)
    ops_.embed(head_.weight(), ids, x);
  else
    embed(ops_, words_, ids, x, false);
}

void LlamaDecoder::run_layers(KvCache& cache, View x) {
  CachedKv kv(cache);
  const int64_t first = cache.next_position();
  trunk_.run(positions_from(first, x.rows()), first + x.rows(), kv, x);
}

void LlamaDecoder::read_image(const ImageRows& image, const RopeSections& sections, KvCache& cache) {
  const int64_t rows = image.rows.rows(), first = cache.next_position();
  FRUGAL_CHECK(rows == image.height * image.width);
  cache.extend(rows);
  const RopeRows rope = trunk_.rope().rows(grid_positions(first, image.height, image.width), sections);
  CachedKv kv(cache);
  for (int64_t begin = 0; begin < rows; begin += kTokensPerForward) {
    const int64_t count = std::min(kTokensPerForward, rows - begin);
    std::vector<View> deep;
    deep.reserve(image.deep.size());
    for (const View& added : image.deep) deep.push_back(added.slice_rows(begin, count));
    trunk_.run(rope.spec(), positions_from(begin, count), kv, image.rows.slice_rows(begin, count), deep);
    cache.advance(count);
  }
  cache.set_next_position(first + std::max(image.height, image.width));
}

LlamaConfig plan_llama_decoder(const Checkpoint& checkpoint, const LlamaVariant& variant, ModelPlan& plan) {
  const bool gguf = checkpoint.format() == "gguf";
  const bool tied = !checkpoint.find(gguf ? "output.weight" : "lm_head.weight");
  TensorTable trunk({variant.tensor_prefix}), head;
  LlamaConfig config =
      plan_llama_trunk(checkpoint, variant, tied ? TensorRole::tied : TensorRole::embedding, trunk, plan.config);
  if (!tied) head.linear({"head", "lm_head", "output"}, config.vocab, config.hidden, TensorTable::Bias::optional);
  plan.config["llama.tied"] = tied ? "true" : "false";
  plan_chat(checkpoint, plan.config);
  for (TensorTable* table : {&trunk, &head})
    for (TensorSpec& spec : std::move(*table).take()) plan.tensors.push_back(std::move(spec));
  return config;
}

ModelPlan plan_llama_decoder(const Checkpoint& checkpoint, const LlamaVariant& variant) {
  ModelPlan plan;
  plan_llama_decoder(checkpoint, variant, plan);
  return plan;
}

std::unique_ptr<Model> open_llama_decoder(const ModelSource& source, Ops& ops) {
  return std::make_unique<LlamaDecoder>(source, ops);
}

}  // namespace frugal
