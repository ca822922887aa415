// The transformer of CLIP's two towers (Radford et al. 2021): pre-norm blocks with biases. The state of one token of
// each sequence, normalised and projected, becomes its vector. The towers differ in the input, which clip.cpp makes of
// words or of patches.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "compute/ops/ops.h"
#include "model/nn/blocks.h"
#include "model/nn/tensor_table.h"

namespace frugal {

struct ClipTowerConfig {
  int64_t layers, hidden, heads, intermediate, dimension;
  double epsilon;
  std::string activation;
};

/// Pre-norm block. x: [tokens, hidden], updated in place.
class ClipLayer {
 public:
  ClipLayer(const WeightLoader& load, const ClipTowerConfig& config, const std::string& at, bool causal);
  void forward(Ops& ops, std::span<const AttentionSpan> spans, View x) const;
  /// The block's output for one token of each span alone. chosen: its row in x. out: [spans, hidden].
  void forward_chosen(Ops& ops, std::span<const AttentionSpan> spans, std::span<const int64_t> chosen, View x,
                      View out) const;

 private:
  void attend(Ops& ops, std::span<const AttentionSpan> spans, View x) const;
  void attend_chosen(Ops& ops, std::span<const AttentionSpan> spans, std::span<const int64_t> chosen, View x,
                     View out) const;

  NormSpec norm1_;
  LinearGroup qkv_, kv_;
  Linear q_, out_;
  NormedMlp mlp_;
  AttentionSpec attention_;
};

class ClipTower {
 public:
  /// `name` begins the names of its tensors in a pack: "text". causal: a token sees those before it alone.
  ClipTower(const WeightLoader& load, const ClipTowerConfig& config, const std::string& name, bool causal);
  /// Unit vectors. x: the input of the first layer [tokens, hidden], overwritten. chosen: the row in x of each span's
  /// token that becomes its vector. out: [spans, dimension].
  void embed(Ops& ops, std::span<const AttentionSpan> spans, std::span<const int64_t> chosen, View x, View out) const;

 private:
  std::vector<ClipLayer> layers_;
  NormSpec norm_;
  Linear projection_;
};

/// Names of a tower in a pack and in a Hugging Face folder.
struct ClipTowerNames {
  std::string pack, huggingface, norm, projection;
};
/// Adds the tensors of a ClipTower.
void list_clip_tower(TensorTable& table, const ClipTowerConfig& config, const ClipTowerNames& names);

}  // namespace frugal
