/* A plugin that was built for another ABI. */
#include "compute/ops/plugin_abi.h"

static const frugal_plugin kPlugin = {.abi = FRUGAL_PLUGIN_ABI + 1, .bytes = sizeof(frugal_plugin), .name = "other"};
const frugal_plugin* frugal_plugin_query(uint32_t host_abi) { return host_abi ? &kPlugin : 0; }
