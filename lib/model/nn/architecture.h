// What an architecture tells the rest: how to read a checkpoint's configuration, which tensors it has and what each is
// for. Both the loader and quantize-model read the same table. The registry is in model/arch/registry.h.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
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
  std::vector<std::string> source_names;  // in checkpoints; the first that exists
  TensorRole role = TensorRole::vector;
  Shape shape;
  bool optional = false;
  /// GGUF stores Llama's q and k rows permuted for interleaved rotary pairs: heads to undo it with; 0 means none.
  int64_t unpermute_heads = 0;
};

/// Row of the source that holds row `row` of the pack: undoes GGUF's permutation of rotary pairs.
int64_t source_row(const TensorSpec& spec, int64_t row);

/// The model a checkpoint describes: everything a pack needs besides the tensors' bytes.
struct ModelPlan {
  std::string architecture;  // these two are set by plan_model(), as is "model.architecture"
  ModelKind kind = ModelKind::embedder;
  std::map<std::string, std::string> config;  // flat keys for the pack: "bert.heads", "chat.family" …
  std::vector<TensorSpec> tensors;            // in the order in which a forward reads them
};

/// One file of model/arch defines one, and a line of the registry names it.
struct Architecture {
  std::string_view name;  // in packs
  /// model_type / general.architecture values that select it.
  std::span<const std::string_view> aliases;
  ModelKind kind;
  /// Reads the configuration. Throws Error(bad_input) naming the key that is missing or out of range.
  ModelPlan (*plan)(const Checkpoint& checkpoint);
  /// A model with the interface of `kind`. Borrows both.
  std::unique_ptr<Model> (*open)(const ModelSource& source, Ops& ops);
};

}  // namespace frugal
