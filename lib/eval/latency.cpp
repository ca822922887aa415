#include "eval/latency.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "eval/command.h"
#include "eval/dataset.h"
#include "memory/stats.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;
namespace json = simdjson::dom;
using Clock = std::chrono::steady_clock;

std::optional<uint64_t> find_bytes(const json::element& root, const char* pointer) {
  uint64_t bytes = 0;
  return root.at_pointer(pointer).get(bytes) == simdjson::SUCCESS ? std::optional(bytes) : std::nullopt;
}

// Text of the answer and ids of the hits, in order.
std::string answer_of(const json::element& root) {
  std::string_view text;
  std::string answer;
  if (root.at_pointer("/answer/text").get(text) == simdjson::SUCCESS) answer = text;
  json::array hits;
  if (root["hits"].get(hits) == simdjson::SUCCESS)
    for (json::element hit : hits) answer += "\n" + simdjson::to_string(hit["id"].value());
  return answer;
}

void read_stages(const json::element& root, LatencySample& sample) {
  json::object stages;
  if (root["timings_ms"].get(stages) != simdjson::SUCCESS)
    throw Error(Code::bad_input, "the reply has no timings_ms").hint("is this a rag-query of the same build?");
  double sum = 0;
  for (const auto [name, value] : stages) {
    double ms = 0;
    if (name == "total" || name == "other" || value.get(ms) != simdjson::SUCCESS) continue;
    sample.stages_ms[std::string(name)] = ms;
    sum += ms;
  }
  sample.stages_ms["other"] = sample.wall_ms - sum;
}

double milliseconds(int64_t ns) {
  return static_cast<double>(ns) / 1e6;
}

std::vector<std::string> with(std::vector<std::string> command, std::initializer_list<std::string> more) {
  command.insert(command.end(), more);
  return command;
}

LatencySample ask_fresh_process(const LatencyOptions& options, const std::string& question) {
  CommandOptions how;
  how.capture_output = true;
  const CommandResult result = run_command(with(options.command, {"--format", "json", "--", question}), how);
  if (result.exit_code > exit_code(Code::negative))  // an abstention is an answer
    throw Error(Code::bad_input, fmt::format("'{}' failed with exit code {}", options.command[0], result.exit_code))
        .hint("its own message is above");
  LatencySample sample = parse_reply(result.output, milliseconds(result.elapsed_ns));
  sample.exit_code = result.exit_code;
  return sample;
}

LatencySample ask_running_process(Conversation& process, const std::string& question) {
  const Clock::time_point begin = Clock::now();
  const std::string reply = process.ask(question);
  return parse_reply(reply, milliseconds(std::chrono::nanoseconds(Clock::now() - begin).count()));
}

std::unique_ptr<Conversation> start_process(const LatencyOptions& options) {
  return std::make_unique<Conversation>(with(options.command, {"--format", "jsonl", "--batch", "-"}));
}

// Every regular file that a process has mapped: its executable and libraries, packs and index.
std::set<fs::path> mapped_files(int pid) {
  std::set<fs::path> files;
  std::istringstream maps(read_file(fmt::format("/proc/{}/maps", pid)));
  for (std::string line; std::getline(maps, line);) {
    const size_t slash = line.find('/');
    std::error_code unreadable;
    if (slash != std::string::npos && fs::is_regular_file(line.substr(slash), unreadable))
      files.insert(line.substr(slash));
  }
  return files;
}

// A file, or every file in a folder.
void add_files(const fs::path& place, std::set<fs::path>& files) {
  if (!fs::is_directory(place)) files.insert(fs::canonical(place));
  std::error_code no_folder;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(place, no_folder))
    if (entry.is_regular_file()) files.insert(fs::canonical(entry.path()));
}

// What a fresh process reads from disk: all that a running one has mapped, and the data files.
std::vector<fs::path> files_to_drop(const LatencyOptions& options) {
  const std::unique_ptr<Conversation> process = start_process(options);
  process->ask(options.questions[0]);
  std::set<fs::path> files = mapped_files(process->pid());
  for (const fs::path& place : options.data) add_files(place, files);
  return {files.begin(), files.end()};
}

ColdProof drop_files(const std::vector<fs::path>& files) {
  for (const fs::path& file : files) drop_from_page_cache(file);
  ColdProof proof;
  for (const fs::path& file : files) {
    const std::optional<Residency> residency = page_cache_residency(file);
    if (residency && residency->resident_bytes * 100 <= residency->file_bytes) {
      proof.dropped_bytes += residency->file_bytes;
    } else {
      proof.still_cached_bytes += residency ? residency->resident_bytes : fs::file_size(file);
      proof.still_cached.push_back(file.filename().native());
    }
  }
  return proof;
}

void keep_worst(std::optional<ColdProof>& worst, ColdProof proof) {
  if (!worst || proof.still_cached_bytes > worst->still_cached_bytes) worst = std::move(proof);
}

void raise(std::optional<uint64_t>& most, std::optional<uint64_t> value) {
  if (value) most = std::max(most.value_or(0), *value);
}

void summarize_row(LatencyRow& row) {
  std::vector<double> walls;
  std::map<std::string, std::vector<double>> stages;
  Sha256 answers;
  for (const LatencySample& sample : row.samples) {
    walls.push_back(sample.wall_ms);
    for (const auto& [name, ms] : sample.stages_ms) stages[name].push_back(ms);
    raise(row.peak_anon_bytes, sample.peak_anon_bytes);
    raise(row.pss_bytes, sample.pss_bytes);
    answers.update(sample.answer).update(std::string_view("\0", 1));
  }
  row.wall_ms = summarize(walls);
  for (const auto& [name, values] : stages) row.stage_medians_ms[name] = median(values);
  row.answers_sha256 = answers.hex();
}

// Runs the modes in turn and keeps the samples.
class Session {
 public:
  explicit Session(const LatencyOptions& options) : options_(options) {
    for (LatencyMode mode : options.modes) {
      LatencyRow row;
      row.mode = mode;
      rows_.push_back(std::move(row));
    }
  }

  std::vector<LatencyRow> run() {
    for (LatencyRow& row : rows_)
      if (row.mode == LatencyMode::cold_disk) measure_cold_disk(row);
    for (LatencyRow& row : rows_)
      if (row.mode != LatencyMode::cold_disk) ask(row, options_.questions[0]);  // warms cache and process; not counted
    for (int64_t i = 0; i < options_.runs; ++i)
      for (LatencyRow& row : rows_)
        if (row.mode != LatencyMode::cold_disk) add(row, ask(row, question(i)));
    for (LatencyRow& row : rows_) summarize_row(row);
    return std::move(rows_);
  }

 private:
  const std::string& question(int64_t run) const {
    return options_.questions[static_cast<size_t>(run) % options_.questions.size()];
  }

  LatencySample ask(const LatencyRow& row, const std::string& question) {
    if (row.mode == LatencyMode::cold) return ask_fresh_process(options_, question);
    if (!warm_) warm_ = start_process(options_);
    return ask_running_process(*warm_, question);
  }

  void measure_cold_disk(LatencyRow& row) {
    const std::vector<fs::path> files = files_to_drop(options_);
    for (int64_t i = 0; i < options_.runs; ++i) {
      keep_worst(row.cold_proof, drop_files(files));
      add(row, ask_fresh_process(options_, question(i)));
    }
  }

  void add(LatencyRow& row, LatencySample sample) {
    row.samples.push_back(std::move(sample));
    if (options_.progress) options_.progress(++done_, options_.runs * static_cast<int64_t>(rows_.size()));
  }

  const LatencyOptions& options_;
  std::vector<LatencyRow> rows_;
  std::unique_ptr<Conversation> warm_;
  int64_t done_ = 0;
};

}  // namespace

std::string_view to_string(LatencyMode mode) {
  switch (mode) {
    case LatencyMode::cold_disk:
      return "cold-disk";
    case LatencyMode::cold:
      return "cold";
    case LatencyMode::warm:
      return "warm";
  }
  return "";
}

LatencyMode parse_latency_mode(std::string_view name) {
  for (LatencyMode mode : {LatencyMode::cold_disk, LatencyMode::cold, LatencyMode::warm})
    if (name == to_string(mode)) return mode;
  if (name == "naive" || name == "server")
    throw Error(Code::usage, fmt::format("the mode '{}' is not built yet", name))
        .hint("naive comes with the torch plugin, server with rag-serve; cold-disk, cold and warm are here");
  throw Error(Code::usage, fmt::format("unknown mode '{}'", name)).hint("the modes are cold-disk, cold and warm");
}

LatencySample parse_reply(std::string_view reply, double wall_ms) {
  json::parser parser;
  json::element root;
  if (parser.parse(reply.data(), reply.size()).get(root) != simdjson::SUCCESS || !root.is_object())
    throw Error(Code::bad_input, fmt::format("not a JSON reply: '{}'", reply.substr(0, 200)));
  std::string_view message;
  if (root.at_pointer("/error/message").get(message) == simdjson::SUCCESS)
    throw Error(Code::bad_input, fmt::format("the question failed: {}", message));
  LatencySample sample;
  sample.wall_ms = wall_ms;
  read_stages(root, sample);
  sample.peak_anon_bytes = find_bytes(root, "/memory/peak_anon_bytes");
  sample.pss_bytes = find_bytes(root, "/memory/pss_bytes");
  sample.answer = answer_of(root);
  return sample;
}

std::vector<std::string> read_texts(const fs::path& file) {
  std::vector<std::string> texts;
  if (file.extension() == ".jsonl") {
    for (EvalQuery& query : read_eval_queries(file)) texts.push_back(std::move(query.text));
  } else {
    std::istringstream lines(read_file(file));
    for (std::string line; std::getline(lines, line);)
      if (line.find_first_not_of(" \t\r") != std::string::npos) texts.push_back(line);
  }
  if (texts.empty()) throw Error(Code::bad_input, fmt::format("'{}' holds no texts", file.native()));
  return texts;
}

std::vector<LatencyRow> measure_latency(const LatencyOptions& options) {
  FRUGAL_CHECK(!options.questions.empty() && options.runs > 0);
  return Session(options).run();
}

}  // namespace frugal
