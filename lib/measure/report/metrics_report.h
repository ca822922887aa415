// The figures of telemetry/metrics.h as files for other programs and as a few lines for people.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include "telemetry/metrics.h"

namespace frugal {

/// {"schema_version":1,"metrics":[{"name","kind","labels":{…},"value","part","whole"}]}; part and whole of ratios only.
nlohmann::ordered_json metrics_json(const std::vector<Metric>& metrics);

/// What the process has counted, as JSON if the file's name ends in .json, else as Prometheus's text. Whole or not at
/// all. Throws Error(io).
void write_metrics(const std::filesystem::path& file);

/// What was held at most, by kind, and how often caches and pagers had what was asked for. Empty: nothing to tell.
std::string metrics_summary(const std::vector<Metric>& metrics);

}  // namespace frugal
