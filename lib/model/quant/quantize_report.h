// Reports what quantising will do or did, tensor by tensor: as JSON, as an HTML page without external files, or as text
// for the terminal.
#pragma once

#include <filesystem>
#include <string>

#include "model/quant/quantize.h"

namespace frugal {

/// `result` null: the plan, before it is run. Keys and units: docs/tools/quantize-model.md.
std::string report_json(const Quantizer& quantizer, const QuantizeResult* result);
std::string report_html(const Quantizer& quantizer, const QuantizeResult* result);
/// Writes HTML if the name of `path` ends in ".html", else JSON. Throws Error(io).
void write_report(const std::filesystem::path& path, const Quantizer& quantizer, const QuantizeResult* result);

/// The plan as a table with totals, for --dry-run.
std::string plan_text(const Quantizer& quantizer);
/// The outcome for `output` in one line, and one more each for the selection and the verification, if any.
std::string result_text(const std::filesystem::path& output, const Quantizer& quantizer, const QuantizeResult& result);

}  // namespace frugal
