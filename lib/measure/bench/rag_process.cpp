#include "measure/bench/rag_process.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "base/error.h"
#include "base/units.h"

namespace frugal {
namespace {

namespace json = simdjson::dom;
using Clock = std::chrono::steady_clock;

// A reply's times are rounded to microseconds.
constexpr double kRoundingMs = 0.01;

std::optional<uint64_t> find_bytes(const json::element& root, const char* pointer) {
  uint64_t bytes = 0;
  return root.at_pointer(pointer).get(bytes) == simdjson::SUCCESS ? std::optional(bytes) : std::nullopt;
}

void append_ids(const json::element& root, const char* list, std::string& out) {
  json::array entries;
  if (root[list].get(entries) != simdjson::SUCCESS) return;
  for (json::element entry : entries) {
    json::element id;
    if (entry["id"].get(id) == simdjson::SUCCESS) out += "\n" + simdjson::to_string(id);
  }
}

// The answer that a user sees: the text and the ids of its citations; in a run without an answer text, the ids of the
// hits, in order. Hits beside an answer are left out: their order depends on the last bits of a score, and so differs
// between backends.
std::string answer_of(const json::element& root) {
  std::string_view text;
  std::string answer;
  const bool has_text = root.at_pointer("/answer/text").get(text) == simdjson::SUCCESS;
  bool abstained = false;
  if (!has_text && root.at_pointer("/answer/abstained").get(abstained) == simdjson::SUCCESS && abstained)
    return "abstained";
  if (has_text) answer = text;
  append_ids(root, has_text ? "citations" : "hits", answer);
  return answer;
}

void read_stages(const json::element& root, LatencySample& sample) {
  json::object stages;
  if (root["timings_ms"].get(stages) != simdjson::SUCCESS)
    throw Error(Code::bad_input, "the reply has no timings_ms").hint("is this a rag-query of the same build?");
  double sum = 0;
  std::optional<double> total;
  for (const auto [name, value] : stages) {
    double ms = 0;
    if (name == "other" || value.get(ms) != simdjson::SUCCESS) continue;
    if (name == "total") {
      total = ms;
      continue;
    }
    sample.stages_ms[std::string(name)] = ms;
    sum += ms;
  }
  if (total && sum > *total + kRoundingMs)
    throw Error(Code::bad_input,
                fmt::format("the reply's stages add up to {:.3f} ms, more than its total of {:.3f} ms", sum, *total))
        .hint("this is a bug in rag-query: its stages overlap; please report it");
  sample.stages_ms["other"] = sample.wall_ms - sum;
}

std::vector<std::string> with(std::vector<std::string> command, std::initializer_list<std::string> more) {
  command.insert(command.end(), more);
  return command;
}

Error failure_of(const std::string& name, const CommandResult& result, std::chrono::milliseconds timeout) {
  if (result.timed_out)
    return Error(Code::bad_input, fmt::format("'{}' did not end within {} ms", name, timeout.count()))
        .hint("raise --timeout, or ask that question alone to see what it does");
  const Complaint complaint = read_complaint(result.errors);
  return Error(Code::bad_input, fmt::format("'{}' failed with exit code {}{}{}", name, result.exit_code,
                                            complaint.message.empty() ? "" : ": ", complaint.message))
      .hint(complaint.hint);
}

}  // namespace

LatencySample parse_reply(std::string_view reply, double wall_ms) {
  json::parser parser;
  json::element root;
  if (parser.parse(reply.data(), reply.size()).get(root) != simdjson::SUCCESS || !root.is_object())
    throw Error(Code::bad_input, fmt::format("not a JSON reply: '{}'", reply.substr(0, 200)))
        .hint("is this a rag-query?");
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

LatencySample ask_fresh_process(const std::vector<std::string>& command, const std::string& question,
                                std::chrono::milliseconds timeout, std::string* warnings) {
  CommandOptions how;
  how.capture_output = how.capture_errors = true;
  how.timeout = timeout;
  const CommandResult result = run_command(with(command, {"--format", "json", "--", question}), how);
  if (result.exit_code > exit_code(Code::negative))  // an abstention is an answer
    throw failure_of(command[0], result, timeout);
  LatencySample sample = parse_reply(result.output, to_milliseconds(result.elapsed_ns));
  sample.exit_code = result.exit_code;
  if (warnings) *warnings = result.errors;
  return sample;
}

RagProcess::RagProcess(const std::vector<std::string>& command, std::chrono::milliseconds timeout)
    : process_(with(command, {"--format", "jsonl", "--batch", "-"}), timeout) {}

LatencySample RagProcess::ask(const std::string& question) {
  const Clock::time_point begin = Clock::now();
  const std::string reply = process_.ask(question);
  return parse_reply(reply, to_milliseconds(std::chrono::nanoseconds(Clock::now() - begin).count()));
}

}  // namespace frugal
