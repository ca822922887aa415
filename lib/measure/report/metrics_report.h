// Prints the metrics of telemetry/metrics.h: as files for other programs, and as a short summary for people.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include "telemetry/metrics.h"

namespace frugal {

/// {"schema_version":1,"metrics":[{"name","kind","labels":{…},"value","part","whole"}]}; only ratios have part and
/// whole.
nlohmann::ordered_json metrics_json(const std::vector<Metric>& metrics);

/// Writes the process's metrics: as JSON if the file's name ends in .json, otherwise in Prometheus's text format. The
/// file is written as output_file.h says. Throws Error(io).
void write_metrics(const std::filesystem::path& file);

/// Peak memory by tag, and the hit ratios of caches and pagers; empty if there is neither.
std::string metrics_summary(const std::vector<Metric>& metrics);

}  // namespace frugal
