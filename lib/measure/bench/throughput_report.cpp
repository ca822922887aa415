#include "measure/bench/throughput_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/statistics.h"
#include "base/units.h"
#include "measure/bench/bench_environment.h"
#include "measure/report/json.h"

namespace frugal {
namespace {

using Json = nlohmann::ordered_json;

// The share of the machine's peak in the resource that limits the test: products where many tokens share a weight,
// reads where each token reads all weights.
std::string bound_by(const Throughput& row, const MachinePeak& peak) {
  const double rate = row.tokens_per_second();
  if (row.bytes_per_token > 0)
    return peak.read_bytes_per_second
               ? fmt::format("{:.0f}% of read", 100 * rate * row.bytes_per_token / *peak.read_bytes_per_second)
               : "? of read";
  return fmt::format("{:.0f}% of int8", 100 * rate * row.products_per_token / peak.int8_products_per_second);
}

// Tokens per second of each repetition: llama-bench prints their mean and standard deviation.
std::vector<double> rates_of(const Throughput& row) {
  std::vector<double> rates;
  for (double seconds : row.seconds) rates.push_back(static_cast<double>(row.tokens) / seconds);
  return rates;
}

Json nanoseconds(const std::vector<double>& seconds) {
  Json samples = Json::array();
  for (double s : seconds) samples.push_back(static_cast<int64_t>(s * 1e9));
  return samples;
}

Json row_json(const Throughput& row, const MachinePeak& peak, const Environment& environment) {
  const double rate = row.tokens_per_second();
  const std::vector<double> rates = rates_of(row);
  const bool reads_are_known = row.bytes_per_token > 0 && peak.read_bytes_per_second;
  return {
      {"model_filename", environment.models.empty() ? Json(nullptr) : Json(environment.models[0].file)},
      {"model_size", environment.models.empty() ? Json(nullptr) : Json(environment.models[0].bytes)},
      {"test", row.test},
      {"threads", row.threads},
      {"tokens", row.tokens},
      {"texts", row.texts > 0 ? Json(row.texts) : Json(nullptr)},
      {"avg_ts", mean(rates)},
      {"stddev_ts", standard_deviation(rates)},
      {"samples_ts", rates},
      {"samples_ns", nanoseconds(row.seconds)},
      {"tokens_per_second", rate},
      {"texts_per_second", row.texts > 0 ? Json(row.texts_per_second()) : Json(nullptr)},
      {"share_of_int8_peak", rate * row.products_per_token / peak.int8_products_per_second},
      {"share_of_read_bandwidth",
       reads_are_known ? Json(rate * row.bytes_per_token / *peak.read_bytes_per_second) : Json(nullptr)},
      {"machine_int8_products_per_second", peak.int8_products_per_second},
      {"machine_read_bytes_per_second", peak.read_bytes_per_second ? Json(*peak.read_bytes_per_second) : Json(nullptr)},
      {"peak_anon_bytes", row.peak_anon_bytes}};
}

}  // namespace

void ThroughputReport::add(std::vector<Throughput> tests, MachinePeak peak) {
  for (const Throughput& test : tests) peak.raise(test);
  for (Throughput& test : tests) rows.push_back(std::move(test));
  peaks.resize(rows.size(), peak);
}

// The columns of llama-bench, and ours after them.
Table ThroughputReport::table() const {
  Table table({{"model"},
               {"size", kRight},
               {"threads", kRight},
               {"test", kRight},
               {"t/s", kRight},
               {"texts/s", kRight},
               {"of the machine", kRight},
               {"peak anon", kRight}});
  for (size_t i = 0; i < rows.size(); ++i) {
    const Throughput& row = rows[i];
    const std::vector<double> rates = rates_of(row);
    table.add({environment.models.empty() ? "" : environment.models[0].file,
               environment.models.empty() ? "" : format_bytes(environment.models[0].bytes),
               fmt::format("{}", row.threads), row.test,
               fmt::format("{:.2f} ± {:.2f}", mean(rates), standard_deviation(rates)),
               row.texts > 0 ? fmt::format("{:.1f}", row.texts_per_second()) : "", bound_by(row, peaks[i]),
               format_bytes(row.peak_anon_bytes)});
  }
  return table;
}

std::string ThroughputReport::as(std::string_view format) const {
  if (format == "json") return json_document(json());
  if (format == "csv") return table().csv();
  const std::string where = environment_text(environment, load);
  return format == "md" ? table().markdown() + "\n" + where : table().text() + where;
}

Json ThroughputReport::json() const {
  Json results = Json::array();
  for (size_t i = 0; i < rows.size(); ++i) results.push_back(row_json(rows[i], peaks[i], environment));
  return {{"schema_version", 2}, {"environment", environment_json(environment, load)}, {"results", results}};
}

}  // namespace frugal
