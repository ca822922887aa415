// The parts that the reports of rag-eval share: figures with their intervals, times by stage, answers; as JSON for
// programs and as Markdown for people.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "measure/eval/answer_quality.h"
#include "measure/eval/measure.h"
#include "measure/eval/stage_times.h"

namespace frugal {

/// Five decimals; null if there is no value.
nlohmann::ordered_json rounded(double value);
nlohmann::ordered_json rounded(const std::optional<double>& value);
/// [low, high].
nlohmann::ordered_json interval_json(const Measure& measure);
/// {"mean", "ci95"}, or null.
nlohmann::ordered_json measure_json(const std::optional<Measure>& measure);
/// {stage: {"mean", "p50", "p95"}, …} in milliseconds, null for a stage that took no time.
nlohmann::ordered_json stages_json(std::span<const StageTime> times);
nlohmann::ordered_json answers_json(const AnswerQuality& answers);
/// The JSON of a report as text. indent: spaces per level; below 0: one line.
std::string report_text(const nlohmann::ordered_json& json, int indent);

/// "0.910", or "–".
std::string share(const std::optional<double>& value);
/// "0.910 (0.903–0.917)", or "–".
std::string share_with_interval(const std::optional<Measure>& measure);

/// The times of each name, a row for each stage.
std::string times_table(std::span<const std::pair<std::string, std::vector<StageTime>>> rows);
/// Tables: the figures of answers, one column for all questions and one for each language, if there are several; then
/// the abstention curve of all.
std::string answers_tables(const AnswerQuality& answers);

}  // namespace frugal
