// What quantising did, tensor by tensor: for machines as JSON, for people as one HTML page that needs no other file.
#pragma once

#include <string>

#include "quant/quantize.h"

namespace frugal {

/// `result` null: a plan that was not run. Keys and units: docs/tools/quantize-model.md.
std::string report_json(const Quantizer& quantizer, const QuantizeResult* result);
std::string report_html(const Quantizer& quantizer, const QuantizeResult* result);

}  // namespace frugal
