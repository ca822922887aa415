// A checkpoint as a ModelSource. The architecture's plan lists the tensors under their names in packs, with the names
// and shapes that they have in the checkpoint, and this source converts them to fp32 as the model asks for them.
//
// The weight of a linear layer is read a few rows at a time into the backend's own memory. Vectors and embedding tables
// are converted whole and kept in `held_`, since models point to them. After each read the pages of the mapped file are
// released, so that a tensor is never in memory in both forms.
#include <fmt/format.h>

#include <map>
#include <vector>

#include "base/error.h"
#include "base/naming.h"
#include "model/arch/registry.h"
#include "model/nn/model_source.h"
#include "model/tokenize/tokenizer.h"
#include "model/vocabulary/build_tokenizer.h"

namespace frugal {
namespace {

class PlannedConfig final : public ModelConfig {
 public:
  PlannedConfig(std::map<std::string, std::string> entries, std::filesystem::path path)
      : entries_(std::move(entries)), path_(std::move(path)) {}
  std::optional<std::string_view> text(std::string_view key) const override {
    const auto entry = entries_.find(std::string(key));
    return entry == entries_.end() ? std::nullopt : std::optional<std::string_view>(entry->second);
  }
  [[noreturn]] void fail(std::string_view what) const override {
    throw Error(Code::corrupt_file, fmt::format("{}: {}", path_.native(), what));
  }

 private:
  std::map<std::string, std::string> entries_;
  std::filesystem::path path_;
};

class CheckpointSource final : public ModelSource {
 public:
  CheckpointSource(const std::filesystem::path& path, std::string identity, const PlanOptions& options)
      : path_(path),
        identity_(std::move(identity)),
        checkpoint_(open_checkpoint(path)),
        plan_(naming_file(path, [&] { return plan_model(*checkpoint_, options); })),
        config_(plan_.config, path),
        tokenizer_(naming_file(path, [&] { return build_tokenizer_blob(checkpoint_->tokenizer()); })) {}

  const std::filesystem::path& path() const override { return path_; }
  const ModelConfig& config() const override { return config_; }
  std::span<const std::byte> tokenizer() const override { return std::as_bytes(std::span(tokenizer_)); }
  std::string_view identity() const override { return identity_; }
  bool has(std::string_view tensor) const override {
    const TensorSpec* spec = find_spec(tensor);
    return spec && find_source(*spec);
  }

  Weight linear(std::string_view tensor, int64_t outputs, int64_t inputs, Ops& ops) const override {
    const TensorSpec& spec = require_spec(tensor, Shape{outputs, inputs});
    SourceTensor source = require_source(spec);
    source.shape = spec.shape;  // a convolution's filters have four dimensions
    const Weight weight = ops.prepare(
        {outputs, inputs, [&](int64_t first, std::span<float> rows) { read_planned_rows(spec, source, first, rows); }});
    checkpoint_->release(source.data);
    return weight;
  }

  std::span<const float> vector(std::string_view tensor, int64_t count) const override {
    return read_whole(require_spec(tensor, Shape{count}));
  }

  EmbeddingTable embedding(std::string_view tensor, int64_t rows, int64_t features, Ops&) const override {
    const TensorSpec& spec = require_spec(tensor, Shape{rows, features});
    return {ConstView(read_whole(spec).data(), DType::f32, spec.shape), {}, {}, nullptr};
  }

 private:
  const TensorSpec* find_spec(std::string_view tensor) const {
    for (const TensorSpec& spec : plan_.tensors)
      if (spec.name == tensor) return &spec;
    return nullptr;
  }
  const TensorSpec& require_spec(std::string_view tensor, const Shape& shape) const {
    const TensorSpec* spec = find_spec(tensor);
    FRUGAL_CHECK(spec && spec->shape == shape);  // both come from the same architecture
    return *spec;
  }
  const SourceTensor* find_source(const TensorSpec& spec) const {
    for (const std::string& name : spec.source_names)
      if (const SourceTensor* tensor = checkpoint_->find(name)) return tensor;
    return nullptr;
  }
  const SourceTensor& require_source(const TensorSpec& spec) const {
    const SourceTensor* source = find_source(spec);
    if (!source || !has_planned_shape(*source, spec))
      throw Error(Code::bad_input,
                  fmt::format("{}: tensor '{}' is {}, expected {}", path_.native(), spec.source_names.front(),
                              source ? source->shape.to_string() : "missing", spec.shape.to_string()));
    return *source;
  }

  std::span<float> read_whole(const TensorSpec& spec) const {
    const SourceTensor& source = require_source(spec);
    std::vector<float>& values = held_[spec.name];
    if (!values.empty()) return values;
    values.resize(static_cast<size_t>(spec.shape.elements()));
    SourceTensor planned = source;
    // Rows are permuted, so that a permuted vector is read as a matrix of one column.
    const bool column = spec.shape.rank() == 1 && spec.unpermute_heads > 0;
    planned.shape = column ? Shape{spec.shape[0], 1} : spec.shape;
    read_planned_rows(spec, planned, 0, values);
    checkpoint_->release(source.data);
    return values;
  }

  std::filesystem::path path_;
  std::string identity_;
  std::unique_ptr<Checkpoint> checkpoint_;
  ModelPlan plan_;
  PlannedConfig config_;
  std::string tokenizer_;
  mutable std::map<std::string, std::vector<float>> held_;  // norms, biases and tables, by name
};

}  // namespace

std::unique_ptr<ModelSource> open_checkpoint_source(const std::filesystem::path& path, std::string identity,
                                                    const PlanOptions& options) {
  return std::make_unique<CheckpointSource>(path, std::move(identity), options);
}

}  // namespace frugal
