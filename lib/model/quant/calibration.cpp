// MeasuringOps stands between the model and the native backend. For each linear weight it has a Layer: the
// full-precision weight, and one CandidateLayer for each candidate that can run.
//
// Recognising a layer. The model runs on an AssembledSource of full-precision candidates, which lie in the mapped
// temporary pack. When the model passes such a weight to prepare(), its address identifies the Layer, and the handle
// that the model gets is recorded. Later calls of linear() and linear_many() name the weight by that handle.
//
// Measuring. Each of these calls first multiplies its inputs with the full-precision weight and with every candidate,
// into scratch memory, and is then forwarded unchanged. So the model always continues with full-precision activations,
// and a candidate's error does not contain the errors of layers before it. Bias, activation function and residual are
// left out of both sides. Candidates run with grouped activation scales, as in the finished pack. The squared errors
// and the squared outputs are summed over all rows of the text.
//
// Times. In every call a candidate is timed once for one row and once for all rows. The minimum counts, because a
// disturbance can only add time. A call of fewer than kMinBatchRows rows does not count as a batch. Times are for the
// report: they never decide the choice (model/quant/selector.cpp).
#include "model/quant/calibration.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>

#include "base/thread_pool.h"
#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/format/pack.h"
#include "model/nn/blocks.h"
#include "model/nn/model_source.h"
#include "model/verify/verify.h"

namespace frugal {
namespace {

constexpr int64_t kMinBatchRows = 16;

using Clock = std::chrono::steady_clock;

struct CandidateLayer {
  StorageOption* figures;  // filled in
  Linear layer;
  double squared_error = 0;
};

struct Layer {
  Weight full;
  std::vector<CandidateLayer> candidates;
  double squared_output = 0;
};

class MeasuringOps final : public ForwardingOps {
 public:
  /// Borrows all.
  MeasuringOps(Ops& native, const Pack& whole, const Pack* factors, std::span<TensorCandidates> tensors)
      : ForwardingOps(&native) {
    for (TensorCandidates& tensor : tensors)
      if (tensor.spec.role != TensorRole::embedding) add_layer(whole, factors, tensor);
  }

  void finish() {
    for (auto& [data, layer] : layers_)
      for (CandidateLayer& candidate : layer.candidates)
        if (layer.squared_output > 0)
          candidate.figures->output_error = std::sqrt(candidate.squared_error / layer.squared_output);
  }

  Weight prepare(const PackedWeight& weight) override {
    const Weight handle = inner().prepare(weight);
    const auto at = layers_.find(weight.data);
    if (at != layers_.end()) by_handle_[handle.id] = &at->second;
    return handle;
  }
  using ForwardingOps::prepare;
  void linear(const LinearSpec& spec, View x, View out, View residual) override {
    measure(spec, x);
    inner().linear(spec, x, out, residual);
  }
  void linear_many(std::span<const LinearSpec> specs, View x, std::span<const View> outs) override {
    for (const LinearSpec& spec : specs) measure(spec, x);
    inner().linear_many(specs, x, outs);
  }

 private:
  static LinearSpec spec_of(Weight weight) { return {weight, {}, Activation::none, ActivationScales::grouped}; }

  void add_layer(const Pack& whole, const Pack* factors, TensorCandidates& tensor) {
    const int64_t outputs = tensor.spec.shape[0], inputs = tensor.spec.shape[1];
    const auto packed = [&](CandidateKind kind) {
      return whole.require_linear(stored_name(tensor.spec.name, kind), outputs, inputs);
    };
    const PackedWeight full = packed(CandidateKind::fp32);
    Layer layer{inner().prepare(full), {}, 0};
    for (StorageOption& candidate : tensor.candidates) {
      const bool structured =
          candidate.kind == CandidateKind::low_rank || candidate.kind == CandidateKind::block_sparse;
      if (structured && !candidate.eligible) continue;  // it was not stored
      Linear linear;
      if (candidate.kind == CandidateKind::low_rank) {
        const std::string name = stored_name(tensor.spec.name, candidate.kind);
        linear = Linear(spec_of(inner().prepare(factors->require_linear(name + ".v", candidate.rank, inputs))),
                        spec_of(inner().prepare(factors->require_linear(name + ".u", outputs, candidate.rank))));
      } else {
        linear = Linear(spec_of(inner().prepare(packed(candidate.kind))));
      }
      layer.candidates.push_back({&candidate, linear, 0});
    }
    layers_.emplace(full.data, std::move(layer));
  }

  void measure(const LinearSpec& spec, View x) {
    const auto at = by_handle_.find(spec.weight.id);
    if (at == by_handle_.end()) return;
    Layer& layer = *at->second;
    const Scope scratch(inner());
    const View expected = inner().allocate(Shape{x.rows(), spec.weight.outputs});
    const View out = inner().allocate(expected.shape);
    inner().linear(spec_of(layer.full), x, expected);
    for (int64_t r = 0; r < expected.rows(); ++r) layer.squared_output += squares(expected.row<float>(r), out.cols());
    for (CandidateLayer& candidate : layer.candidates) {
      keep_minimum(candidate.figures->decode_us, time_us(candidate.layer, x.slice_rows(0, 1), out.slice_rows(0, 1)));
      const double batch_us = time_us(candidate.layer, x, out);
      if (x.rows() >= kMinBatchRows) keep_minimum(candidate.figures->batch_us, batch_us / double(x.rows()));
      for (int64_t r = 0; r < out.rows(); ++r)
        candidate.squared_error += squared_distance(out.row<float>(r), expected.row<float>(r), out.cols());
    }
  }

  double time_us(const Linear& layer, View x, View out) {
    const Clock::time_point begin = Clock::now();
    layer.forward(inner(), x, out);
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
  }

  static void keep_minimum(std::optional<double>& minimum, double value) {
    minimum = std::min(minimum.value_or(value), value);
  }

  static double squares(const float* a, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += double(a[i]) * double(a[i]);
    return sum;
  }
  static double squared_distance(const float* a, const float* b, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += (double(a[i]) - double(b[i])) * (double(a[i]) - double(b[i]));
    return sum;
  }

  std::map<const std::byte*, Layer> layers_;  // by the address of the full-precision weight
  std::map<int64_t, Layer*> by_handle_;       // by the model's handle of that weight
};

}  // namespace

void measure_candidates(const Pack& whole, const Pack* factors, std::span<TensorCandidates> tensors, ModelKind kind,
                        std::span<const std::string_view> texts, int threads,
                        const std::function<void(double)>& progress) {
  ThreadPool pool(threads);
  const std::unique_ptr<Ops> native = make_cpu_ops(pool, Budget::unlimited());
  MeasuringOps ops(*native, whole, factors, tensors);
  const AssembledSource full(whole, factors, tensors, std::vector(tensors.size(), CandidateKind::fp32), true);
  quantized_kind(kind).run(full, ops, texts, kCalibrationTokens, progress);
  ops.finish();
}

}  // namespace frugal
