// The Q-Former of BLIP-2 (Li et al. 2023): learned queries that read an image. A post-norm transformer, in which every
// few layers the queries also attend to the image's tokens.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "compute/ops/ops.h"
#include "model/nn/blocks.h"
#include "model/nn/model_source.h"
#include "model/nn/tensor_table.h"

namespace frugal {

struct QFormerConfig {
  int64_t layers, hidden, heads, intermediate, cross_every, queries;
  double epsilon;
  std::string activation;
};

/// Post-norm block. x: [queries, hidden], updated in place; image: [tokens, image's hidden].
class QFormerLayer {
 public:
  QFormerLayer(const WeightLoader& load, const QFormerConfig& config, int64_t image_hidden, int64_t index);
  void forward(Ops& ops, View image, View x) const;

 private:
  struct Attention {
    Linear q, k, v, out;
    NormSpec norm;
  };
  static Attention load_attention(const WeightLoader& load, const QFormerConfig& config, const std::string& at,
                                  int64_t source_hidden);
  void attend(Ops& ops, const Attention& attention, View source, View x) const;

  Attention self_, cross_;  // cross_ has no weights in a layer without it
  bool has_cross_;
  Linear up_, down_;
  NormSpec norm_;
  AttentionSpec spec_;
};

class QFormer {
 public:
  /// Borrows both.
  QFormer(const ModelSource& source, Ops& ops, const QFormerConfig& config, int64_t image_hidden);
  /// image: [tokens, image_hidden]; x becomes the queries that have read it, [queries, hidden].
  void read(Ops& ops, View image, View x) const;

 private:
  QFormerConfig config_;
  EmbeddingTable queries_;
  NormSpec norm_;
  std::vector<QFormerLayer> layers_;
};

void list_qformer(TensorTable& table, const QFormerConfig& config, int64_t image_hidden);

}  // namespace frugal
