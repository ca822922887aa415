// The state of one user of the plugin: a device, a precision and weights. Also the helpers that turn the plain C types
// of compute/ops/plugin_abi.h into tensors, and exceptions into statuses. Only this folder includes libtorch.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "compute/ops/plugin_abi.h"
#include "plugins/failure.h"

struct frugal_context {
  at::Device device = at::kCPU;
  at::ScalarType precision = at::kFloat;
  std::vector<at::Tensor> weights;                 // [outputs, inputs] in `precision`; undefined if released
  std::unordered_map<void*, at::Tensor> matrices;  // the memory that allocate() returned, by address
};

namespace frugal_torch {

using frugal_plugins::Failure;
using frugal_plugins::set_error;

/// The status of the exception that is being handled; sets the error text. Only within a catch block.
int32_t status_of_current_exception() noexcept;

/// Runs `body` in a function that must not throw: an exception becomes the returned status and the error text.
template <typename Body>
int32_t guarded(const Body& body) noexcept {
  try {
    const c10::InferenceMode no_gradients;
    body();
    return FRUGAL_OK;
  } catch (...) {
    return status_of_current_exception();
  }
}

/// The matrix as an fp32 tensor [rows, cols] that shares its memory.
inline at::Tensor tensor_of(const frugal_context& context, const frugal_matrix& m) {
  return at::from_blob(m.data, {m.rows, m.cols}, {m.row_stride, 1},
                       at::TensorOptions(context.device).dtype(at::kFloat));
}

/// A vector in host memory as an fp32 tensor on the context's device; undefined if the vector is absent.
inline at::Tensor tensor_of(const frugal_context& context, const frugal_vector& v) {
  if (!v.data) return {};
  const at::Tensor host = at::from_blob(const_cast<float*>(v.data), {v.count}, at::kFloat);
  return context.device.is_cpu() ? host : host.to(context.device);
}

/// The weight with this handle. Throws Failure if it was released or never made.
inline const at::Tensor& weight_of(const frugal_context& context, int64_t weight) {
  if (weight < 0 || weight >= static_cast<int64_t>(context.weights.size()) ||
      !context.weights[static_cast<size_t>(weight)].defined())
    throw Failure(FRUGAL_FAILED, "no weight has this handle");
  return context.weights[static_cast<size_t>(weight)];
}

/// Sets the operations of the plugin's table (operations.cpp).
void add_operations(frugal_plugin& plugin);

}  // namespace frugal_torch
