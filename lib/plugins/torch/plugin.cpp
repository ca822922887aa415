// The plugin's entry point: contexts, device memory, weights, and the table of functions that frugal_plugin_query
// returns.
#include <ATen/Parallel.h>
#include <torch/version.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <mutex>

#include "context.h"

// libtorch 2.9 added an interface to the memory of any accelerator. Before that, CUDA's headers would be needed.
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 9)
#define FRUGAL_HAS_DEVICE_MEMORY 1
#include <c10/core/CachingDeviceAllocator.h>
#else
#define FRUGAL_HAS_DEVICE_MEMORY 0
#endif

namespace frugal_torch {
namespace {

const char* error_text() {
  return frugal_plugins::t_error;
}

at::Device parse_device(const std::string& name) {
  const at::Device device(name);
  if (device.is_cpu()) return device;
  if (!device.is_cuda()) throw Failure(FRUGAL_UNSUPPORTED, "the device '" + name + "' is neither cpu nor cuda");
  if (!at::hasCUDA())
    throw Failure(FRUGAL_NO_DEVICE, "libtorch " TORCH_VERSION " was built without CUDA, or finds no CUDA driver");
  return at::Device(at::kCUDA, device.has_index() ? device.index() : c10::DeviceIndex{0});
}

at::ScalarType parse_precision(int32_t precision) {
  switch (precision) {
    case FRUGAL_FP32:
      return at::kFloat;
    case FRUGAL_BF16:
      return at::kBFloat16;
    case FRUGAL_FP16:
      return at::kHalf;
  }
  throw Failure(FRUGAL_UNSUPPORTED, "unknown precision " + std::to_string(precision));
}

// Multiplies two small matrices, so that a missing device or a precision that libtorch does not support on it is an
// error of open() and not of a later forward pass.
void check_product(const frugal_context& context) {
  const at::Tensor x = at::ones({2, 2}, at::TensorOptions(context.device).dtype(context.precision));
  float sum = 0;
  try {
    sum = at::linear(x, x).to(at::kCPU, at::kFloat).sum().item<float>();
  } catch (const c10::Error& error) {
    throw Failure(FRUGAL_UNSUPPORTED, std::string("libtorch " TORCH_VERSION " cannot multiply ") +
                                          c10::toString(context.precision) + " on " + context.device.str() + ": " +
                                          error.what_without_backtrace());
  }
  if (sum != 8) throw Failure(FRUGAL_FAILED, "the device computes a wrong product");
}

int32_t open(const frugal_open* options, frugal_context** out) {
  return guarded([&] {
    auto context = std::make_unique<frugal_context>();
    context->device = parse_device(options->device);
    context->precision = parse_precision(options->precision);
    at::set_num_threads(std::max(options->threads, 1));
    check_product(*context);
    *out = context.release();
  });
}

void close(frugal_context* context) {
  delete context;
}

int32_t device(frugal_context* context, frugal_device* out) {
  return guarded([&] {
    std::snprintf(out->name, sizeof out->name, "%s", context->device.str().c_str());
    std::snprintf(out->library, sizeof out->library, "libtorch %s", TORCH_VERSION);
    out->is_host = context->device.is_cpu();
  });
}

int32_t allocate(frugal_context* context, uint64_t bytes, void** data) {
  return guarded([&] {
    at::Tensor block = at::empty({static_cast<int64_t>(bytes)}, at::TensorOptions(context->device).dtype(at::kByte));
    *data = block.data_ptr();
    context->matrices.emplace(*data, std::move(block));
  });
}

void release(frugal_context* context, void* data) {
  context->matrices.erase(data);
}

int32_t upload(frugal_context* context, frugal_vector from, frugal_matrix to) {
  return guarded([&] {
    const at::Tensor host = at::from_blob(const_cast<float*>(from.data), {to.rows, to.cols}, at::kFloat);
    tensor_of(*context, to).copy_(host);
  });
}

int32_t download(frugal_context* context, frugal_matrix from, float* to) {
  return guarded([&] { at::from_blob(to, {from.rows, from.cols}, at::kFloat).copy_(tensor_of(*context, from)); });
}

int32_t memory(frugal_context* context, frugal_memory* out) {
  return guarded([&] {
    *out = {-1, -1, -1, -1, -1};
#if FRUGAL_HAS_DEVICE_MEMORY
    if (context->device.is_cpu()) return;
    auto* allocator = at::getDeviceAllocator(context->device.type());
    const auto stats = allocator->getDeviceStats(context->device.index());
    const auto total = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    out->used_bytes = stats.allocated_bytes[total].current;
    out->peak_bytes = stats.allocated_bytes[total].peak;
    out->reserved_bytes = stats.reserved_bytes[total].current;
    const auto [free, all] = allocator->getMemoryInfo(context->device.index());
    out->free_bytes = static_cast<int64_t>(free);
    out->total_bytes = static_cast<int64_t>(all);
#else
    static_cast<void>(context);
#endif
  });
}

int32_t drop_caches(frugal_context* context) {
  return guarded([&] {
#if FRUGAL_HAS_DEVICE_MEMORY
    if (!context->device.is_cpu()) at::getDeviceAllocator(context->device.type())->emptyCache();
#else
    static_cast<void>(context);
#endif
  });
}

int32_t reset_peak(frugal_context* context) {
  return guarded([&] {
#if FRUGAL_HAS_DEVICE_MEMORY
    if (!context->device.is_cpu())
      at::getDeviceAllocator(context->device.type())->resetPeakStats(context->device.index());
#else
    static_cast<void>(context);
#endif
  });
}

int32_t make_weight(frugal_context* context, int64_t outputs, int64_t inputs, int64_t* weight) {
  return guarded([&] {
    at::Tensor made = at::empty({outputs, inputs}, at::TensorOptions(context->device).dtype(context->precision));
    std::vector<at::Tensor>& weights = context->weights;
    const auto free = std::find_if(weights.begin(), weights.end(), [](const at::Tensor& t) { return !t.defined(); });
    *weight = free - weights.begin();
    if (free == weights.end())
      weights.push_back(std::move(made));
    else
      *free = std::move(made);
  });
}

void release_weight(frugal_context* context, int64_t weight) {
  if (weight >= 0 && weight < static_cast<int64_t>(context->weights.size()))
    context->weights[static_cast<size_t>(weight)] = at::Tensor();
}

int32_t fill_weight(frugal_context* context, int64_t weight, int64_t first_row, frugal_vector rows) {
  return guarded([&] {
    const at::Tensor& to = weight_of(*context, weight);
    const int64_t inputs = to.size(1);
    const at::Tensor from = at::from_blob(const_cast<float*>(rows.data), {rows.count / inputs, inputs}, at::kFloat);
    to.narrow(0, first_row, from.size(0)).copy_(from);
  });
}

frugal_plugin make_plugin() {
  frugal_plugin plugin{};
  plugin.abi = FRUGAL_PLUGIN_ABI;
  plugin.bytes = sizeof plugin;
  plugin.name = "torch";
  plugin.error_text = error_text;
  plugin.open = open;
  plugin.close = close;
  plugin.device = device;
  plugin.allocate = allocate;
  plugin.release = release;
  plugin.upload = upload;
  plugin.download = download;
  plugin.memory = memory;
  plugin.drop_caches = drop_caches;
  plugin.reset_peak = reset_peak;
  plugin.make_weight = make_weight;
  plugin.fill_weight = fill_weight;
  plugin.release_weight = release_weight;
  add_operations(plugin);
  return plugin;
}

}  // namespace

int32_t status_of_current_exception() noexcept {
  try {
    throw;
  } catch (const Failure& failure) {
    set_error(failure.what());
    return failure.status;
  } catch (const c10::OutOfMemoryError& error) {
    set_error(error.what_without_backtrace());
    return FRUGAL_OUT_OF_MEMORY;
  } catch (const c10::Error& error) {
    set_error(error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    set_error("out of memory");
    return FRUGAL_OUT_OF_MEMORY;
  } catch (const std::exception& failure) {
    set_error(failure.what());
  } catch (...) {
    set_error("unknown failure");
  }
  return FRUGAL_FAILED;
}

}  // namespace frugal_torch

extern "C" __attribute__((visibility("default"))) const frugal_plugin* frugal_plugin_query(uint32_t host_abi) {
  if (host_abi != FRUGAL_PLUGIN_ABI) return nullptr;
  static const frugal_plugin plugin = frugal_torch::make_plugin();
  return &plugin;
}
