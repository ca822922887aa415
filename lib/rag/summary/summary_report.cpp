#include "rag/summary/summary_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "rag/reply/render.h"
#include "rag/reply/reply_json.h"

namespace frugal {
namespace {

using nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

ordered_json text_or_null(std::string_view text) {
  return text.empty() ? ordered_json(nullptr) : ordered_json(text);
}

std::string text_of(const TextSummary& summary, bool with_marks) {
  std::string text;
  for (const SummaryStatement& statement : summary.statements)
    text += render_statement(statement, summary.style, text.empty(), with_marks);
  return text;
}

}  // namespace

std::string render_statement(const SummaryStatement& statement, SummaryStyle style, bool is_first, bool with_mark) {
  const bool is_list = style == SummaryStyle::bullets;
  return fmt::format("{}{}{}", is_list ? (is_first ? "- " : "\n- ") : (is_first ? "" : " "), statement.text,
                     with_mark ? fmt::format(" [{}]", statement.n) : "");
}

std::string render_summary(const TextSummary& summary, bool with_marks) {
  return text_of(summary, with_marks) + "\n" + (with_marks ? render_summary_sources(summary) : "");
}

std::string render_summary_sources(const TextSummary& summary) {
  const bool with_quotes = summary.mode == SummaryMode::generate;
  return "\n" + render_sources(summary.citations, with_quotes, summary.language);
}

std::string summary_to_json(const TextSummary& summary, const SummaryFrame& frame, int indent) {
  ordered_json statements = ordered_json::array();
  for (const SummaryStatement& each : summary.statements)
    statements.push_back({{"text", each.text}, {"citation", each.n}});
  const ordered_json json{{"schema_version", kSchemaVersion},
                          {"path", frame.path},
                          {"language", to_string(summary.language)},
                          {"summary",
                           {{"text", text_of(summary, false)},
                            {"mode", to_string(summary.mode)},
                            {"style", to_string(summary.style)},
                            {"model", text_or_null(frame.model)},
                            {"note", text_or_null(frame.note)},
                            {"statements", statements}}},
                          {"citations", ordered_json::parse(citations_to_json(summary.citations))},
                          {"work",
                           {{"chunks", summary.chunks},
                            {"parts", summary.parts},
                            {"cached_parts", summary.cached_parts},
                            {"levels", summary.levels},
                            {"source_tokens", summary.source_tokens},
                            {"new_tokens", summary.new_tokens},
                            {"dropped_sentences", summary.dropped_sentences},
                            {"quoted_parts", summary.quoted_parts}}},
                          {"elapsed_ms", frame.elapsed_ms},
                          {"memory", {{"peak_anon_bytes", frame.peak_anon_bytes}}}};
  return json.dump(indent, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace frugal
