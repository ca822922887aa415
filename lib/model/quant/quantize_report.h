// What quantising will do or did, tensor by tensor: for machines as JSON, for people as text or as one HTML page that
// needs no other file.
#pragma once

#include <filesystem>
#include <string>

#include "model/quant/quantize.h"

namespace frugal {

/// `result` null: a plan that was not run. Keys and units: docs/tools/quantize-model.md.
std::string report_json(const Quantizer& quantizer, const QuantizeResult* result);
std::string report_html(const Quantizer& quantizer, const QuantizeResult* result);
/// Writes one of the two, chosen by the name's ending.
void write_report(const std::filesystem::path& path, const Quantizer& quantizer, const QuantizeResult* result);

/// The plan as a table with totals: what --dry-run shows.
std::string plan_text(const Quantizer& quantizer);
/// What became of `output`, in a line; a second one for the verification.
std::string result_text(const std::filesystem::path& output, const Quantizer& quantizer, const QuantizeResult& result);

}  // namespace frugal
