// A run has two blocks of rounds: first all modes with a warm page cache, then cold_disk, for which the warm processes
// are ended, since a live process keeps its files mapped. A round asks every working row one question, each in its own
// process or in the row's running one; the order of rows is shuffled anew each round, so that no row always runs after
// the same neighbour. A row fails alone: its error is stored, its process ended, and the others continue.
//
// The A/A row is added on the first call, as a second row of the first mode that works; after its own warm-up it is a
// row like the others.
#include "measure/bench/latency.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/suggest.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

constexpr LatencyMode kModes[] = {LatencyMode::naive, LatencyMode::cold_disk, LatencyMode::cold, LatencyMode::warm,
                                  LatencyMode::server};

std::optional<uint64_t> largest(const LatencyRow& row, std::optional<uint64_t> LatencySample::*figure) {
  std::optional<uint64_t> largest;
  for (const LatencySample& sample : row.samples)
    if (sample.*figure) largest = std::max(largest.value_or(0), *(sample.*figure));
  return largest;
}

// nullopt if the line is not an object with a text.
std::optional<std::string> text_of_object(const std::string& line) {
  if (!line.starts_with('{')) return std::nullopt;
  const auto object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  for (const char* key : {"query", "text"})
    if (const auto value = object.find(key); value != object.end() && value->is_string())
      return value->get<std::string>();
  return std::nullopt;
}

// The middle half of the samples by wall time: without the lowest and the highest quarter.
void average_stages(std::vector<LatencySample> samples, LatencySummary& summary) {
  std::sort(samples.begin(), samples.end(), [](const auto& a, const auto& b) { return a.wall_ms < b.wall_ms; });
  const size_t cut = samples.size() / 4;
  const auto kept = static_cast<double>(samples.size() - 2 * cut);
  for (size_t i = cut; i < samples.size() - cut; ++i) {
    summary.stages_wall_ms += samples[i].wall_ms / kept;
    for (const auto& [name, ms] : samples[i].stages_ms) summary.stages_ms[name] += ms / kept;
  }
}

}  // namespace

std::string_view to_string(LatencyMode mode) {
  switch (mode) {
    case LatencyMode::naive:
      return "naive";
    case LatencyMode::cold_disk:
      return "cold-disk";
    case LatencyMode::cold:
      return "cold";
    case LatencyMode::warm:
      return "warm";
    case LatencyMode::server:
      return "server";
  }
  return "";
}

std::string_view to_string(Side side) {
  switch (side) {
    case Side::measured:
      return "measured";
    case Side::itself:
      return "itself";
    case Side::against:
      return "against";
  }
  return "";
}

LatencyMode parse_latency_mode(std::string_view name) {
  std::vector<std::string> names;
  for (LatencyMode mode : kModes) {
    if (name == to_string(mode)) return mode;
    names.emplace_back(to_string(mode));
  }
  throw Error(Code::usage, fmt::format("unknown mode '{}'", name))
      .hint(fmt::format("the modes are {}", fmt::join(names, ", ")));
}

std::optional<uint64_t> largest_peak_anon(const LatencyRow& row) {
  return largest(row, &LatencySample::peak_anon_bytes);
}

std::string answers_sha256(const LatencyRow& row) {
  std::map<int64_t, std::string> answers;
  for (const LatencySample& sample : row.samples)
    if (answers.emplace(sample.question, sample.answer).first->second != sample.answer) return "";
  Sha256 hash;
  for (const auto& [question, answer] : answers)
    hash.update(fmt::format("{}\n", question)).update(answer).update(std::string_view("\0", 1));
  return hash.hex();
}

LatencySummary summarize(const LatencyRow& row) {
  LatencySummary summary;
  std::vector<double> walls;
  for (const LatencySample& sample : row.samples) walls.push_back(sample.wall_ms);
  summary.wall_ms = summarize(walls);
  average_stages(row.samples, summary);
  summary.peak_anon_bytes = largest_peak_anon(row);
  summary.pss_bytes = largest(row, &LatencySample::pss_bytes);
  summary.answers = answers_sha256(row);
  return summary;
}

std::vector<std::string> read_texts(const fs::path& file) {
  std::vector<std::string> texts;
  std::istringstream lines(read_file(file));
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    std::optional<std::string> text = text_of_object(line);
    if (!text && file.extension() == ".jsonl")
      throw Error(Code::bad_input, fmt::format("{}:{}: needs \"query\" or \"text\"", file.native(), number))
          .hint("write {\"id\": …, \"query\": …} as for rag-query --batch, or the lines of a BEIR set");
    texts.push_back(text ? std::move(*text) : line);
  }
  if (texts.empty())
    throw Error(Code::bad_input, fmt::format("'{}' contains no texts", file.native()))
        .hint("write one text per line, or a .jsonl with a \"query\" or \"text\" on each line");
  return texts;
}

LatencyBench::LatencyBench(LatencyOptions options) : options_(std::move(options)), order_(options_.seed) {
  FRUGAL_CHECK(!options_.questions.empty() && !options_.modes.empty());
  // Processes answer by themselves, whatever server the user has running. A variable, since an older rag-query that is
  // compared does not know the flag; the mode `server` has the flag, which counts more.
  ::setenv("FRUGAL_SERVER", "never", 1);
  for (Side side : {Side::measured, Side::against})
    for (LatencyMode mode : options_.modes)
      if (side == Side::measured || !options_.against.empty()) rows_.push_back({mode, side, {}, {}, {}});
}

const std::vector<std::string>& LatencyBench::command(size_t row) const {
  return rows_[row].side == Side::against ? options_.against : options_.command;
}

const std::string& LatencyBench::question(int64_t round) const {
  return options_.questions[static_cast<size_t>(round) % options_.questions.size()];
}

void LatencyBench::run(int64_t rounds) {
  FRUGAL_CHECK(rounds > 0);
  // And one row against itself.
  const size_t rows = rows_.size() + (rounds_ == 0 && options_.measure_aa ? 1 : 0);
  planned_ = done_ + rounds * static_cast<int64_t>(rows);
  run_block(false, rounds);
  warm_.clear();
  served_.clear();
  run_block(true, rounds);
  rounds_ += rounds;
  for (const LatencyRow& row : rows_)
    if (!row.samples.empty()) return;
  throw Error(Code::bad_input, rows_[0].failure->message).hint(rows_[0].failure->hint);
}

void LatencyBench::run_block(bool cold_disk, int64_t rounds) {
  for (size_t row : working_rows(cold_disk)) attempt(row, [&] { warm_up(row); });
  if (rounds_ == 0 && options_.measure_aa) add_itself(cold_disk);
  for (int64_t round = rounds_; round < rounds_ + rounds; ++round) {
    std::vector<size_t> order = working_rows(cold_disk);
    for (size_t left = order.size(); left > 1; --left) std::swap(order[left - 1], order[order_.below(left)]);
    for (size_t row : order) attempt(row, [&] { add(row, round); });
  }
}

std::vector<size_t> LatencyBench::working_rows(bool cold_disk) const {
  std::vector<size_t> working;
  for (size_t i = 0; i < rows_.size(); ++i)
    if ((rows_[i].mode == LatencyMode::cold_disk) == cold_disk && !rows_[i].failure) working.push_back(i);
  return working;
}

// The first mode that works, once more.
void LatencyBench::add_itself(bool cold_disk) {
  const std::vector<size_t> working = working_rows(cold_disk);
  if (working.empty() || rows_[working[0]].side != Side::measured || rows_.back().side == Side::itself) return;
  rows_.push_back({rows_[working[0]].mode, Side::itself, {}, {}, {}});
  attempt(rows_.size() - 1, [&] { warm_up(rows_.size() - 1); });
}

void LatencyBench::attempt(size_t row, const std::function<void()>& step) {
  try {
    step();
  } catch (const Error& error) {
    rows_[row].failure = {error.message(), error.hint(), static_cast<int64_t>(rows_[row].samples.size())};
    warm_.erase(row);
    served_.erase(row);
    if (options_.progress) options_.progress(done_, planned_);  // Ctrl-C ends what we started, too
  }
}

void LatencyBench::warm_up(size_t row) {
  for (int64_t i = 0; i < options_.warmup_runs; ++i) ask(row, question(0));
}

void LatencyBench::add(size_t row, int64_t round) {
  LatencySample sample = ask(row, question(round));
  sample.question = round % static_cast<int64_t>(options_.questions.size());
  rows_[row].samples.push_back(std::move(sample));
  ++done_;
  if (options_.progress) options_.progress(done_, planned_);
}

LatencySample LatencyBench::ask(size_t row, const std::string& question) {
  switch (rows_[row].mode) {
    case LatencyMode::naive: {
      std::vector<std::string> naive = command(row);
      naive.emplace_back("--naive");
      return ask_fresh_process(naive, question, options_.timeout);
    }
    case LatencyMode::cold_disk:
      return ask_cold_disk(row, question);
    case LatencyMode::cold:
      return ask_fresh_process(command(row), question, options_.timeout);
    case LatencyMode::warm:
      if (!warm_[row]) warm_[row] = std::make_unique<RagProcess>(command(row), options_.timeout);
      return warm_[row]->ask(question);
    case LatencyMode::server:
      if (!served_[row]) served_[row] = std::make_unique<ServedRag>(command(row), options_.timeout);
      return served_[row]->ask(question);
  }
  FRUGAL_CHECK(false);
}

LatencySample LatencyBench::ask_cold_disk(size_t row, const std::string& question) {
  if (!cold_disk_[row]) {
    RagProcess process(command(row), options_.timeout);
    process.ask(question);
    cold_disk_[row] = std::make_unique<ColdDisk>(process.pid(), options_.data);
  }
  keep_worst(rows_[row].cold_proof, cold_disk_[row]->drop());
  return ask_fresh_process(command(row), question, options_.timeout);
}

}  // namespace frugal
