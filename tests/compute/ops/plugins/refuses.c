/* A plugin that supports no host_abi. */
#include "compute/ops/plugin_abi.h"

const frugal_plugin* frugal_plugin_query(uint32_t host_abi) { return host_abi == 0 ? (const frugal_plugin*)1 : 0; }
