/* The torch plugin on the processor, presented as a device with 1 GiB of memory of its own: everything is copied there
 * and back. It tests the path of a GPU on machines without one. */
#include <dlfcn.h>
#include <stdio.h>

#include "compute/ops/plugin_abi.h"

static frugal_plugin table;
static const frugal_plugin* torch;

static int32_t device(frugal_context* context, frugal_device* out) {
  const int32_t status = torch->device(context, out);
  snprintf(out->name, sizeof out->name, "pretended");
  out->is_host = 0;
  return status;
}

static int32_t memory(frugal_context* context, frugal_memory* out) {
  const frugal_memory all_free = {0, 0, 0, 1 << 30, 1 << 30};
  *out = all_free;
  return context ? FRUGAL_OK : FRUGAL_FAILED;
}

const frugal_plugin* frugal_plugin_query(uint32_t host_abi) {
  void* library = dlopen(FRUGAL_TORCH_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  const frugal_plugin_query_fn query =
      library ? (frugal_plugin_query_fn)dlsym(library, FRUGAL_PLUGIN_SYMBOL) : (frugal_plugin_query_fn)0;
  torch = query ? query(host_abi) : 0;
  if (!torch) return 0;
  table = *torch;
  table.device = device;
  table.memory = memory;
  return &table;
}
