#include "model/quant/quantize_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/output_file.h"
#include "base/units.h"
#include "base/visible.h"

namespace frugal {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

Json shape_json(const Shape& shape) {
  Json dims = Json::array();
  for (int i = 0; i < shape.rank(); ++i) dims.push_back(shape[i]);
  return dims;
}

// The choice in one line, beside the figures of int8.
std::string selection_text(const Selection& s) {
  std::map<std::string_view, int> kinds;
  for (const TensorCandidates& tensor : s.tensors) ++kinds[to_string(tensor.choice().kind)];
  std::string types;
  for (const auto& [kind, count] : kinds) types += fmt::format("{}{} {}", types.empty() ? "" : ", ", count, kind);
  return fmt::format("auto ({}): {}; weights {} at a loss of {:.4f}, int8 has {} at {:.4f}; {}", to_string(s.target),
                     types, format_bytes(s.tensor_bytes), s.chosen.loss, format_bytes(s.int8_tensor_bytes), s.int8.loss,
                     s.summary);
}

// Why the plan is not the one that a run will follow; empty if it is. An automatic precision chooses when it has
// measured, and its provisional plan has the types of another precision (plan_tensors).
std::string provisional_note(const Quantizer& quantizer, const QuantizeResult* result) {
  const Recipe& recipe = quantizer.recipe();
  if (result || recipe.precision != Precision::automatic) return {};
  const bool keeps = is_quantized(quantizer.checkpoint(), quantizer.model());
  std::string bound = "; the choice may take more bytes or fewer";
  if (!keeps && recipe.target == AutoTarget::size)
    bound = fmt::format(", the most that target size takes unless int8 itself loses more than {}", kLossTarget);
  if (!keeps && recipe.target == AutoTarget::quality) bound = ", the most bytes that target quality takes";
  return fmt::format("provisional: auto chooses when it has measured; these are the types of {}{}",
                     keeps ? "keep" : "int8", bound);
}

Json tensor_json(const TensorJob& job, const TensorError* error) {
  return {{"name", job.spec.name},
          {"role", to_string(job.spec.role)},
          {"dtype", to_string(job.dtype)},
          {"rank", job.rank > 0 ? Json(job.rank) : Json()},
          {"shape", shape_json(job.spec.shape)},
          {"bytes", job.bytes},
          {"source_name", job.source->name},
          {"source_type", to_string(job.source->type)},
          {"source_bytes", job.source->data.size()},
          {"mean_abs_error", error ? Json(error->mean_abs) : Json()},
          {"max_abs_error", error ? Json(error->max_abs) : Json()},
          {"relative_rms_error", error ? Json(error->relative_rms) : Json()}};
}

Json verification_json(const Verification& v) {
  Json json = {{"passed", v.passed()}, {"kind", to_string(v.kind)}, {v.unit, v.compared}};
  for (const QualityFigure& figure : v.figures) {
    json[figure.name] = figure.value;
    json[figure.bound_name] = figure.bound;
  }
  return json;
}

Json figure(const std::optional<double>& value) {
  return value ? Json(*value) : Json();
}

Json candidate_json(const StorageOption& candidate, bool chosen) {
  return {{"kind", to_string(candidate.kind)},
          {"dtype", to_string(candidate.dtype)},
          {"bytes", candidate.bytes},
          {"rank", candidate.rank > 0 ? Json(candidate.rank) : Json()},
          {"weight_error", figure(candidate.weight_error)},
          {"output_error", figure(candidate.output_error)},
          {"predicted_loss", figure(candidate.model_loss)},
          {"decode_us", figure(candidate.decode_us)},
          {"batch_us_per_row", figure(candidate.batch_us)},
          {"eligible", candidate.eligible},
          {"chosen", chosen},
          {"verdict", candidate.verdict}};
}

Json selection_json(const QuantizeResult* result) {
  if (!result || !result->selection) return nullptr;
  const Selection& s = *result->selection;
  Json tensors = Json::array();
  for (const TensorCandidates& tensor : s.tensors) {
    Json candidates = Json::array();
    for (const StorageOption& candidate : tensor.candidates)
      candidates.push_back(candidate_json(candidate, &candidate == &tensor.choice()));
    tensors.push_back({{"name", tensor.spec.name},
                       {"sensitivity", figure(tensor.sensitivity)},
                       {"note", tensor.note.empty() ? Json() : Json(tensor.note)},
                       {"candidates", candidates}});
  }
  return {{"target", to_string(s.target)},
          {"summary", s.summary},
          {"grouped_activations", s.grouped_activations},
          {"loss_limit", s.loss_limit},
          {"loss_ceiling", kLossCeiling},
          {"rounds", s.rounds},
          {"weight_bytes", s.tensor_bytes},
          {"int8_weight_bytes", s.int8_tensor_bytes},
          {"loss", s.chosen.loss},
          {"int8_loss", s.int8.loss},
          {"chosen", verification_json(s.chosen)},
          {"int8", verification_json(s.int8)},
          {"tensors", tensors}};
}

Json timings_json(const QuantizeResult* result) {
  if (!result) return nullptr;
  Json timings = Json::object();
  for (const auto& [stage, seconds] : result->seconds) timings[stage] = seconds * 1000;
  return timings;
}

std::string_view status_of(const QuantizeResult* result) {
  if (!result) return "planned";
  return result->up_to_date ? "up_to_date" : "written";
}

const TensorError* error_of(const QuantizeResult* result, size_t index) {
  return result && index < result->errors.size() ? &result->errors[index] : nullptr;
}

std::string escaped(std::string_view text) {
  std::string html;
  for (const char c : text) {
    switch (c) {
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '&':
        html += "&amp;";
        break;
      case '"':
        html += "&quot;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

constexpr std::string_view kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:72em;padding:0 1em;color:#222;background:#fff}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.2em .6em;border-bottom:1px solid #ddd;text-align:left}"
    "tr.c{font-weight:600}td.b{width:20%;min-width:8em}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}."
    "bar{background:#4a7ebb;height:."
    "7em;display:block}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}td,th{border-color:#444}}";

std::string summary_rows(const Quantizer& quantizer, const QuantizeResult* result) {
  std::string rows;
  const auto add = [&](std::string_view name, std::string_view value) {
    rows += fmt::format("<tr><th>{}</th><td>{}</td></tr>\n", name, escaped(value));
  };
  add("status", status_of(result));
  add("architecture", quantizer.model().architecture);
  add("recipe", quantizer.recipe().to_string());
  add("source tensors", format_bytes(quantizer.source_bytes()));
  add("pack tensors", format_bytes(quantizer.tensor_bytes()));
  if (const std::string note = provisional_note(quantizer, result); !note.empty()) add("plan", note);
  for (const std::string& note : quantizer.tensors().notes) add("note", note);
  if (!result) return rows;
  add("identity", result->identity);
  add("peak anonymous memory", format_bytes(result->peak_anon_bytes));
  if (result->verification) add("verification", result->verification->summary());
  for (const auto& [stage, seconds] : result->seconds) add(stage, fmt::format("{:.2f} s", seconds));
  return rows;
}

std::string optional_text(const std::optional<double>& value) {
  return value ? fmt::format("{:.3g}", *value) : "–";
}

// One row for each candidate of each tensor; the chosen one is set in bold.
std::string selection_rows(const Selection& selection) {
  std::string rows;
  for (const TensorCandidates& tensor : selection.tensors)
    for (const StorageOption& candidate : tensor.candidates)
      rows += fmt::format(
          "<tr{}><td>{}</td><td>{}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{}</td>"
          "<td class=n>{}</td><td>{}</td></tr>\n",
          &candidate == &tensor.choice() ? " class=c" : "", escaped(tensor.spec.name), to_string(candidate.kind),
          format_bytes(candidate.bytes), optional_text(candidate.weight_error), optional_text(candidate.output_error),
          optional_text(candidate.decode_us), optional_text(candidate.batch_us), escaped(candidate.verdict));
  return rows;
}

std::string selection_html(const QuantizeResult* result) {
  if (!result || !result->selection) return {};
  return fmt::format(
      "<h2>Candidates</h2>\n<p>{}</p>\n<table><tr><th>tensor</th><th>candidate</th><th class=n>size</th>"
      "<th class=n>weight error</th><th class=n>output error</th><th class=n>one row, µs</th>"
      "<th class=n>batch, µs a row</th><th>verdict</th></tr>\n{}</table>\n",
      escaped(selection_text(*result->selection)), selection_rows(*result->selection));
}

std::string tensor_row(const TensorJob& job, const TensorError* error, uint64_t largest) {
  const double width = largest > 0 ? 100.0 * static_cast<double>(job.bytes) / static_cast<double>(largest) : 0;
  return fmt::format(
      "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=n>{}</td><td class=b><span class=bar "
      "style=\"width:{:.1f}%\">"
      "</span></td><td class=n>{}</td><td class=n>{}</td></tr>\n",
      escaped(job.spec.name), job.spec.shape.to_string(), to_string(job.source->type), to_string(job.dtype),
      format_bytes(job.bytes), width, error ? fmt::format("{:.3g}", error->relative_rms) : "–",
      error ? fmt::format("{:.3g}", error->max_abs) : "–");
}

}  // namespace

std::string report_json(const Quantizer& quantizer, const QuantizeResult* result) {
  Json tensors = Json::array();
  for (size_t i = 0; i < quantizer.tensors().jobs.size(); ++i)
    tensors.push_back(tensor_json(quantizer.tensors().jobs[i], error_of(result, i)));
  const std::string provisional = provisional_note(quantizer, result);
  const Json report{
      {"schema_version", kSchemaVersion},
      {"status", status_of(result)},
      {"reason", result ? Json(result->reason) : Json()},
      {"architecture", quantizer.model().architecture},
      {"source_format", quantizer.checkpoint().format()},
      {"recipe", quantizer.recipe().to_string()},
      {"identity", result ? Json(result->identity) : Json()},
      {"source_tensor_bytes", quantizer.source_bytes()},
      {"tensor_bytes", quantizer.tensor_bytes()},
      {"pack_bytes", result ? Json(result->pack_bytes) : Json()},
      {"max_ram_bytes", quantizer.max_ram_bytes()},
      {"predicted_peak_anon_bytes", result || !provisional.empty() ? Json() : Json(quantizer.predicted_peak_bytes())},
      {"peak_anon_bytes", result ? Json(result->peak_anon_bytes) : Json()},
      {"provisional", provisional.empty() ? Json() : Json(provisional)},
      {"notes", quantizer.tensors().notes},
      {"verification", result && result->verification ? verification_json(*result->verification) : Json()},
      {"selection", selection_json(result)},
      {"timings_ms", timings_json(result)},
      {"tensors", tensors}};
  return visible_json(report.dump(2, ' ', false, Json::error_handler_t::replace)) + "\n";
}

std::string report_html(const Quantizer& quantizer, const QuantizeResult* result) {
  uint64_t largest = 0;
  for (const TensorJob& job : quantizer.tensors().jobs) largest = std::max(largest, job.bytes);
  std::string rows;
  for (size_t i = 0; i < quantizer.tensors().jobs.size(); ++i)
    rows += tensor_row(quantizer.tensors().jobs[i], error_of(result, i), largest);
  return fmt::format(
      "<!doctype html>\n<html lang=en><meta charset=utf-8><title>quantize-model: {0}</title><style>{1}</style>\n"
      "<h1>quantize-model: {0}</h1>\n<table>{2}</table>\n<h2>Tensors</h2>\n<table><tr><th>tensor</th><th>shape</th>"
      "<th>source</th><th>pack</th><th class=n>size</th><th></th><th class=n>relative RMS error</th>"
      "<th class=n>max error</th></tr>\n{3}</table>\n{4}</html>\n",
      escaped(quantizer.model().architecture), kStyle, summary_rows(quantizer, result), rows, selection_html(result));
}

void write_report(const std::filesystem::path& path, const Quantizer& quantizer, const QuantizeResult* result) {
  write_output(path, path.extension() == ".html" ? report_html(quantizer, result) : report_json(quantizer, result));
}

std::string plan_text(const Quantizer& quantizer) {
  size_t widest = 0;
  for (const TensorJob& job : quantizer.tensors().jobs) widest = std::max(widest, job.spec.name.size());
  std::string text;
  for (const TensorJob& job : quantizer.tensors().jobs)
    text += fmt::format("{:<{}}  {:<14}  {:<5} → {:<11}  {:>10}\n", job.spec.name, widest, job.spec.shape.to_string(),
                        to_string(job.source->type), to_string(job.dtype), format_bytes(job.bytes));
  const std::string size = format_bytes(quantizer.tensor_bytes());
  text += fmt::format("\n{} tensors: {} → {} ({})\n", quantizer.tensors().jobs.size(),
                      format_bytes(quantizer.source_bytes()), size, quantizer.recipe().to_string());
  const std::string limit = format_bytes(quantizer.max_ram_bytes());
  if (const std::string note = provisional_note(quantizer, nullptr); !note.empty())
    return text + fmt::format("{}\nanonymous memory to make it: limit {}\n", note, limit);
  text += fmt::format("anonymous memory to make it: {} expected, limit {}\n",
                      format_bytes(quantizer.predicted_peak_bytes()), limit);
  return text + fmt::format("memory to load it: {} of mapped file, shared between processes\n", size);
}

std::string result_text(const std::filesystem::path& output, const Quantizer& quantizer, const QuantizeResult& result) {
  std::string text =
      result.up_to_date ? fmt::format("{}: up to date ({}; {})\n", output.native(), result.reason,
                                      result.source_hashed ? "the source was hashed again" : "source unchanged on disk")
                        : fmt::format("{}: {} from {}, {} tensors, {} ({})\n", output.native(),
                                      format_bytes(result.pack_bytes), format_bytes(quantizer.source_bytes()),
                                      quantizer.tensors().jobs.size(), quantizer.recipe().to_string(), result.reason);
  if (result.selection) text += selection_text(*result.selection) + "\n";
  if (result.verification) text += fmt::format("verified: {}\n", result.verification->summary());
  return text;
}

}  // namespace frugal
