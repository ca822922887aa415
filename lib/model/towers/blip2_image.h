// The half of BLIP-2 (Li et al. 2023) that sees: an image encoder, a Q-Former that reads the image with a few queries,
// and a projection of the queries to rows of a language model.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/format/checkpoint.h"
#include "model/nn/blocks.h"
#include "model/nn/model_source.h"
#include "model/nn/tensor_table.h"
#include "model/towers/blip2_vision.h"
#include "model/towers/qformer.h"
#include "model/vision/rgb_image.h"

namespace frugal {

class Blip2Image {
 public:
  /// `language_hidden`: the size of a row of the language model. Borrows both. Throws as ModelSource does.
  Blip2Image(const ModelSource& source, Ops& ops, int64_t language_hidden);
  /// Rows of an image.
  int64_t rows() const { return queries_.rows(); }
  /// Allocates the queries in the scope of the caller, and returns them when they have read the image.
  View read(Ops& ops, const RgbImage& image, Budget& budget) const;
  /// rows: [rows(), language_hidden].
  void project(Ops& ops, View queries, View rows) const { projection_.forward(ops, queries, rows); }

 private:
  struct Configs {
    Blip2VisionConfig vision;
    QFormerConfig qformer;
  };
  static Configs read_configs(const ModelConfig& pack);
  Blip2Image(const ModelSource& source, Ops& ops, int64_t language_hidden, const Configs& configs);

  Shape queries_;
  Blip2Vision vision_;
  QFormer qformer_;
  Linear projection_;
};

/// Reads the configuration and that of the image processor, and adds its keys ("blip2.…") and all tensors. Throws
/// Error(bad_input).
void plan_blip2_image(const Checkpoint& checkpoint, int64_t language_hidden, TensorTable& table,
                      std::map<std::string, std::string>& keys);

}  // namespace frugal
