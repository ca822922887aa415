// The description of an architecture: a function that plans a pack (configuration and tensors) from a checkpoint, and
// one that opens a model. quantize-model and the loader of checkpoints read the same list of tensors. The registry is
// in model/arch/registry.h.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compute/tensor/view.h"
#include "model/format/checkpoint.h"
#include "model/format/tensor_role.h"
#include "model/nn/model.h"

namespace frugal {

class ModelSource;
class Ops;

struct TensorSpec {
  std::string name;                       // in the pack
  std::vector<std::string> source_names;  // in checkpoints: the first that exists is read
  TensorRole role = TensorRole::vector;
  Shape shape;
  bool optional = false;
  /// Number of heads whose rows GGUF has permuted for interleaved rotary pairs, as it does in Llama's q and k; 0: the
  /// rows are not permuted.
  int64_t unpermute_heads = 0;
  /// Added to every value: checkpoints of Gemma have the weights of norms less 1.
  float offset = 0;
};

/// The row of the checkpoint's tensor that becomes row `row` in the pack (TensorSpec::unpermute_heads).
int64_t source_row(const TensorSpec& spec, int64_t row);
/// Converts rows from `first` on to fp32 as the pack has them: in its order, with the offset. source: the checkpoint's
/// tensor in the shape of the pack's, [_, cols]. rows: whole rows. Throws as read_rows_f32().
void read_planned_rows(const TensorSpec& spec, const SourceTensor& source, int64_t first, std::span<float> rows);

/// True if a tensor of a checkpoint has the planned shape. A vector may be a matrix of one row, as in a layer with one
/// output, and the other way round; the parameters of a batch of one [1, rows, cols] are the rows of a table. The
/// filters of a convolution [outputs, channels, height, width] are the rows of a linear layer, and so are those of a
/// convolution over frames.
bool has_planned_shape(const SourceTensor& source, const TensorSpec& spec);

/// What a user may decide about a model beside the types of its weights.
struct PlanOptions {
  std::optional<ModelKind> kind = {};      // what the model is for, where its checkpoint fits several kinds
  std::optional<int64_t> dimensions = {};  // of an embedder: only the first values of each vector
};

/// Everything that a pack takes from a checkpoint, except the bytes of the tensors.
struct ModelPlan {
  std::string architecture;  // set by plan_model(), as are `kind` and the key "model.architecture"
  ModelKind kind = ModelKind::embedder;
  std::map<std::string, std::string> config;  // flat keys for the pack: "bert.heads", "chat.family" …
  std::vector<TensorSpec> tensors;            // in the order in which a forward pass reads them
  int64_t dimension = 0;                      // of an embedder's vectors
};

/// Each file of model/arch defines one, and a line of the registry lists it.
struct Architecture {
  std::string_view name;  // in packs
  /// Values of model_type (Hugging Face) or general.architecture (GGUF) that select it; classes of `architectures`
  /// (Hugging Face) for a model with a head.
  std::span<const std::string_view> aliases;
  ModelKind kind;
  /// Reads the configuration. Throws Error(bad_input) naming the key that is missing or out of range.
  ModelPlan (*plan)(const Checkpoint& checkpoint);
  /// Opens a model with the interface of `kind`. Borrows both arguments.
  std::unique_ptr<Model> (*open)(const ModelSource& source, Ops& ops);
};

}  // namespace frugal
