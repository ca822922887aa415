// What one user of the plugin holds: a device, a precision, weights. The only room that includes libtorch.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "compute/ops/plugin_abi.h"

struct frugal_context {
  at::Device device = at::kCPU;
  at::ScalarType precision = at::kFloat;
  std::vector<at::Tensor> weights;                 // [outputs, inputs] in `precision`; undefined: released
  std::unordered_map<void*, at::Tensor> matrices;  // what allocate() gave out, by address
};

namespace frugal_torch {

/// A failure with the status it becomes.
struct Failure : std::runtime_error {
  Failure(int32_t status_, const std::string& what) : std::runtime_error(what), status(status_) {}
  int32_t status;
};

/// Keeps `text`, cut to fit, as this thread's error text.
void set_error(const char* text) noexcept;
int32_t status_of_current_exception() noexcept;

/// Runs `body` where nothing may be thrown out of: its failure becomes a status and this thread's error text.
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

/// The matrix as a tensor [rows, cols] on the same memory.
inline at::Tensor tensor_of(const frugal_context& context, const frugal_matrix& m) {
  return at::from_blob(m.data, {m.rows, m.cols}, {m.row_stride, 1},
                       at::TensorOptions(context.device).dtype(at::kFloat));
}

/// Values of the host's memory as a tensor on the context's device; undefined if absent.
inline at::Tensor tensor_of(const frugal_context& context, const frugal_vector& v) {
  if (!v.data) return {};
  const at::Tensor host = at::from_blob(const_cast<float*>(v.data), {v.count}, at::kFloat);
  return context.device.is_cpu() ? host : host.to(context.device);
}

inline const at::Tensor& weight_of(const frugal_context& context, int64_t weight) {
  if (weight < 0 || weight >= static_cast<int64_t>(context.weights.size()) ||
      !context.weights[static_cast<size_t>(weight)].defined())
    throw Failure(FRUGAL_FAILED, "no such weight");
  return context.weights[static_cast<size_t>(weight)];
}

/// Fills the entries of the table that are operations (operations.cpp).
void add_operations(frugal_plugin& plugin);

}  // namespace frugal_torch
