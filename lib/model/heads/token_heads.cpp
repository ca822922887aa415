#include "model/heads/token_heads.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/nn/tensor_table.h"

namespace frugal {
namespace {

constexpr int64_t kMaxColbertRows = 1 << 16;
constexpr int64_t kRowsPerDownload = 128;
constexpr std::string_view kDimensionKey = "embed.token_dimension";

const SourceTensor& require_head(const Checkpoint& checkpoint, std::string_view head) {
  const SourceTensor* weight = checkpoint.find(fmt::format("{}.weight", head));
  if (weight) return *weight;
  throw Error(Code::bad_input, fmt::format("'{}.pt' is missing, or has no 'weight'", head))
      .hint("BGE-M3 has both sparse_linear.pt and colbert_linear.pt; fetch all files of the model");
}

void require_shape(const SourceTensor& weight, std::string_view head, int64_t outputs, int64_t inputs) {
  if (weight.shape == Shape{outputs, inputs}) return;
  throw Error(Code::bad_input, fmt::format("'{}.pt': 'weight' is {}, expected {}", head, weight.shape.to_string(),
                                           Shape{outputs, inputs}.to_string()));
}

}  // namespace

void plan_token_heads(const Checkpoint& checkpoint, int64_t hidden, ModelPlan& plan) {
  if (!checkpoint.find("sparse_linear.weight") && !checkpoint.find("colbert_linear.weight")) return;
  require_shape(require_head(checkpoint, "sparse_linear"), "sparse_linear", 1, hidden);
  const SourceTensor& vectors = require_head(checkpoint, "colbert_linear");
  const int64_t dimension = vectors.shape.rows();
  if (dimension > kMaxColbertRows)
    throw Error(Code::bad_input,
                fmt::format("'colbert_linear.pt': 'weight' has {} rows, more than {}", dimension, kMaxColbertRows));
  require_shape(vectors, "colbert_linear", dimension, hidden);
  TensorTable table;
  table.exact({"heads.weight", "sparse_linear", ""}, 1, hidden);
  table.linear({"heads.vector", "colbert_linear", ""}, dimension, hidden, TensorTable::Bias::required);
  plan.config[std::string(kDimensionKey)] = std::to_string(dimension);
  for (TensorSpec& spec : std::move(table).take()) plan.tensors.push_back(std::move(spec));
}

std::unique_ptr<TokenHeads> TokenHeads::open(const ModelSource& source, Ops& ops, int64_t hidden,
                                             const Tokenizer& tokenizer) {
  if (!source.config().text(kDimensionKey)) return nullptr;
  return std::unique_ptr<TokenHeads>(new TokenHeads(source, ops, hidden, tokenizer));
}

TokenHeads::TokenHeads(const ModelSource& source, Ops& ops, int64_t hidden, const Tokenizer& tokenizer)
    : ops_(ops), tokenizer_(tokenizer) {
  weight_ = source.vector("heads.weight.weight", hidden);
  bias_ = source.vector("heads.weight.bias", 1)[0];
  const int64_t dimension = source.config().require_int(kDimensionKey, 1, kMaxColbertRows);
  vectors_ = WeightLoader(source, ops).linear("heads.vector", dimension, hidden, ActivationScales::per_token);
}

void TokenHeads::run(View x, const TokenBatch& batch, TokenOutputs wanted, std::span<TextEmbedding> out) const {
  FRUGAL_CHECK(out.size() == batch.spans.size());
  const std::vector<float> weights = weigh(x);
  for (size_t i = 0; i < out.size(); ++i) {
    const AttentionSpan& span = batch.spans[i];
    const auto begin = static_cast<size_t>(span.q_begin), tokens = static_cast<size_t>(span.q_tokens);
    out[i].sparse = weights_of(std::span(batch.ids).subspan(begin, tokens), std::span(weights).subspan(begin, tokens));
  }
  if (wanted == TokenOutputs::weights_and_vectors) find_vectors(x, batch, out);
}

void TokenHeads::find_vectors(View x, const TokenBatch& batch, std::span<TextEmbedding> out) const {
  const Ops::Scope scope(ops_);
  const View vector = ops_.allocate(Shape{x.rows(), dimension()});
  vectors_.forward(ops_, x, vector);
  ops_.normalize_rows(vector);
  for (size_t i = 0; i < out.size(); ++i) {
    const AttentionSpan& span = batch.spans[i];
    out[i].token_vectors.resize(static_cast<size_t>((span.q_tokens - 1) * dimension()));
    if (span.q_tokens > 1) ops_.download(vector.slice_rows(span.q_begin + 1, span.q_tokens - 1), out[i].token_vectors);
  }
}

// The head has one row, which is too small to be quantised or to be shared among threads.
std::vector<float> TokenHeads::weigh(View x) const {
  std::vector<float> weights, states;
  weights.reserve(static_cast<size_t>(x.rows()));
  for (int64_t begin = 0; begin < x.rows(); begin += kRowsPerDownload) {
    const View rows = x.slice_rows(begin, std::min(kRowsPerDownload, x.rows() - begin));
    states.resize(static_cast<size_t>(rows.shape.elements()));
    ops_.download(rows, states);
    for (auto state = states.begin(); state != states.end(); state += x.cols())
      weights.push_back(std::max(0.0f, std::inner_product(weight_.begin(), weight_.end(), state, bias_)));
  }
  return weights;
}

std::vector<TokenWeight> TokenHeads::weights_of(std::span<const TokenId> ids, std::span<const float> weights) const {
  std::map<TokenId, float> highest;
  for (size_t i = 0; i < ids.size(); ++i)
    if (weights[i] > 0 && !is_unused(ids[i])) highest[ids[i]] = std::max(highest[ids[i]], weights[i]);
  std::vector<TokenWeight> result;
  result.reserve(highest.size());
  for (const auto& [token, weight] : highest) result.push_back({token, weight});
  return result;
}

// The tokens of [CLS], end, padding and what is unknown say nothing of a text.
bool TokenHeads::is_unused(TokenId id) const {
  const auto has = [id](std::span<const TokenId> ids) { return std::find(ids.begin(), ids.end(), id) != ids.end(); };
  return has(tokenizer_.prefix()) || has(tokenizer_.suffix()) || id == tokenizer_.eos() || id == tokenizer_.pad() ||
         id == tokenizer_.unk();
}

}  // namespace frugal
