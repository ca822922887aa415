// The dense layers that a sentence-transformers model has behind its pooling (its Dense modules): LaBSE, distiluse.
#pragma once

#include <cstdint>
#include <vector>

#include "compute/ops/ops.h"
#include "model/format/checkpoint.h"
#include "model/nn/architecture.h"
#include "model/nn/blocks.h"
#include "model/nn/model_source.h"

namespace frugal {

/// Adds the layers of a checkpoint to the plan, with their keys ("embed.dense.…"). inputs: those of the first layer.
/// Returns the outputs of the last layer, or `inputs` if there is none. Throws Error(bad_input) naming the file and the
/// field for a size that does not fit, an activation or a form of the layer that is not known, or missing weights.
int64_t plan_dense_layers(const Checkpoint& checkpoint, int64_t inputs, ModelPlan& plan);

class DenseLayers {
 public:
  /// Borrows both. Throws as ModelSource does, and what ModelConfig::fail throws.
  DenseLayers(const ModelSource& source, Ops& ops, int64_t inputs);

  int64_t outputs() const { return outputs_; }
  /// x: [rows, inputs]. The result, [rows, outputs], is in the caller's scope, or x itself if there is no layer.
  View forward(Ops& ops, View x) const;

 private:
  std::vector<Linear> layers_;
  int64_t outputs_;
};

}  // namespace frugal
