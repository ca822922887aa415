#include "measure/bench/latency_record.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <simdjson.h>

#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"

namespace frugal {
namespace {

namespace json = simdjson::dom;

constexpr uint64_t kLargestReport = uint64_t(256) << 20;

// Reads the fields of one object; errors name file and field.
class Fields {
 public:
  Fields(json::element object, std::string file, std::string within = "")
      : object_(object), file_(std::move(file)), within_(std::move(within)) {}

  template <typename T>
  T get(const char* name) const {
    T value{};
    if (object_.at_pointer(std::string("/") + name).get(value) != simdjson::SUCCESS)
      throw wrong(name, "is missing or of another type");
    return value;
  }
  std::string text(const char* name) const { return std::string(get<std::string_view>(name)); }
  template <typename T>
  std::optional<T> find(const char* name) const {
    T value{};
    if (object_.at_pointer(std::string("/") + name).get(value) != simdjson::SUCCESS) return std::nullopt;
    return value;
  }
  std::vector<Fields> objects(const char* name) const {
    std::vector<Fields> found;
    size_t i = 0;
    for (json::element element : get<json::array>(name))
      found.emplace_back(element, file_, fmt::format("{}{}[{}].", within_, name, i++));
    return found;
  }
  Error wrong(const char* name, std::string_view what) const {
    return Error(Code::bad_input, fmt::format("'{}': {}{} {}", file_, within_, name, what))
        .hint("give a file that bench-latency --export-json wrote, unchanged");
  }

 private:
  json::element object_;
  std::string file_, within_;
};

std::vector<double> read_walls(const Fields& row) {
  std::vector<double> walls;
  for (json::element element : row.get<json::array>("times")) {
    double seconds = 0;
    if (element.get(seconds) != simdjson::SUCCESS || !(seconds > 0) || !std::isfinite(seconds))
      throw row.wrong("times", "has a value that is not a time above 0");
    walls.push_back(seconds * 1e3);
  }
  return walls;
}

std::vector<int64_t> read_questions(const Fields& row, size_t runs, int64_t questions) {
  std::vector<int64_t> places;
  for (json::element element : row.get<json::array>("questions")) {
    int64_t place = 0;
    if (element.get(place) != simdjson::SUCCESS || place < 0 || place >= questions)
      throw row.wrong("questions", fmt::format("has a value that is not an index from 0 to {}", questions - 1));
    places.push_back(place);
  }
  if (places.size() != runs)
    throw row.wrong("questions", fmt::format("has {} entries for {} times", places.size(), runs));
  return places;
}

RunSeries read_series(const Fields& row, int64_t questions) {
  RunSeries series;
  try {
    series.mode = parse_latency_mode(row.get<std::string_view>("mode"));
  } catch (const Error& error) {
    throw row.wrong("mode", "is an " + error.message());
  }
  series.wall_ms = read_walls(row);
  series.questions = read_questions(row, series.wall_ms.size(), questions);
  series.peak_anon_bytes = row.find<uint64_t>("peak_anon_bytes");
  series.answers_sha256 = row.find<std::string_view>("answers_sha256").value_or("");
  series.failure = row.find<std::string_view>("failure/message").value_or("");
  return series;
}

Environment read_environment_fields(const Fields& root) {
  Environment environment;
  environment.cpu = root.text("environment/cpu");
  environment.isa = root.text("environment/isa");
  environment.cpus = static_cast<int>(root.get<int64_t>("environment/cpus"));
  for (const Fields& model : root.objects("environment/models"))
    environment.models.push_back({model.text("file"), model.text("sha256"), model.get<uint64_t>("bytes")});
  return environment;
}

std::optional<MachineJudgement> read_machine(const Fields& root) {
  if (!root.find<double>("machine/aa_ratio")) return std::nullopt;
  MachineJudgement machine;
  machine.mode = parse_latency_mode(root.get<std::string_view>("machine/mode"));
  machine.itself.ratio = {root.get<double>("machine/aa_ratio"),
                          {root.get<double>("machine/aa_low"), root.get<double>("machine/aa_high")}};
  machine.itself.runs = root.get<int64_t>("machine/runs");
  machine.others_percent = root.find<double>("environment/others_percent");
  return machine;
}

void check_schema(const Fields& root) {
  const std::optional<int64_t> schema = root.find<int64_t>("schema_version");
  if (!schema || !root.find<json::array>("results")) throw root.wrong("schema_version", "or results is missing");
  if (*schema == kLatencySchema) return;
  throw root.wrong("schema_version", fmt::format("is {}, this build reads {}", *schema, kLatencySchema))
      .hint("take the baseline again with this build's bench-latency");
}

std::string describe(const std::vector<ModelIdentity>& models) {
  std::vector<std::string> names;
  names.reserve(models.size());
  for (const ModelIdentity& model : models)
    names.push_back(fmt::format("{} {}", model.file, model.sha256.substr(0, 12)));
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

// Throws `code` where the two differ.
class Differences {
 public:
  Differences(std::string_view now, std::string_view before) : now_(now), before_(before) {}
  void check(Code code, std::string_view field, const std::string& now, const std::string& before,
             const char* hint) const {
    if (now == before) return;
    throw Error(code, fmt::format("{} and {} differ in {}: '{}' and '{}'", now_, before_, field, now, before))
        .hint(hint);
  }

 private:
  std::string_view now_, before_;
};

}  // namespace

std::string questions_sha256(const std::vector<std::string>& questions) {
  Sha256 hash;
  for (const std::string& question : questions) hash.update(question).update(std::string_view("\0", 1));
  return hash.hex();
}

LatencyRecord read_latency_record(const std::filesystem::path& file) {
  const std::string text = read_file(file, kLargestReport);
  json::parser parser;
  json::element element;
  if (const auto code = parser.parse(text).get(element); code != simdjson::SUCCESS)
    throw Error(Code::corrupt_file, fmt::format("'{}' is not JSON: {}", file.native(), simdjson::error_message(code)))
        .hint("give a file that bench-latency --export-json wrote, unchanged");
  const Fields root(element, file.native());
  check_schema(root);
  LatencyRecord record;
  record.questions = root.get<int64_t>("questions/count");
  record.questions_sha256 = root.text("questions/sha256");
  for (json::element flag : root.get<json::array>("flags")) {
    std::string_view value;
    if (flag.get(value) != simdjson::SUCCESS) throw root.wrong("flags", "has a value that is not text");
    record.flags.emplace_back(value);
  }
  record.environment = read_environment_fields(root);
  record.machine = read_machine(root);
  for (const Fields& row : root.objects("results"))
    if (row.text("side") == to_string(Side::measured)) record.series.push_back(read_series(row, record.questions));
  return record;
}

bool same_job(const LatencyRecord& a, const LatencyRecord& b) {
  return a.questions == b.questions && a.questions_sha256 == b.questions_sha256 && a.flags == b.flags;
}

void check_comparable(const LatencyRecord& now, std::string_view now_name, const LatencyRecord& before,
                      std::string_view before_name, const Tolerance& tolerance) {
  const Differences differ(now_name, before_name);
  const Environment& here = now.environment;
  const Environment& there = before.environment;
  if (!tolerance.other_machine) {
    const char* hint =
        "times of two machines do not compare two programs: take a baseline here, compare two programs in one run "
        "with --against, or pass --allow-other-machine";
    differ.check(Code::bad_input, "the processor", here.cpu, there.cpu, hint);
    differ.check(Code::bad_input, "the instruction set", here.isa, there.isa, hint);
    differ.check(Code::bad_input, "the number of processors", std::to_string(here.cpus), std::to_string(there.cpus),
                 hint);
  }
  if (tolerance.other_job) return;
  differ.check(Code::mismatch, "the models", describe(here.models), describe(there.models),
               "take the baseline again with these models");
  const char* hint =
      "ask the same questions: the same --queries, --limit and flags after --, or take the baseline again";
  differ.check(Code::bad_input, "the number of questions", std::to_string(now.questions),
               std::to_string(before.questions), hint);
  differ.check(Code::bad_input, "the questions (sha256)", now.questions_sha256, before.questions_sha256, hint);
  differ.check(Code::bad_input, "the flags of rag-query", fmt::format("{}", fmt::join(now.flags, " ")),
               fmt::format("{}", fmt::join(before.flags, " ")), hint);
}

Baseline read_baseline(const std::filesystem::path& file, const LatencyRecord& now, const Tolerance& tolerance) {
  LatencyRecord before = read_latency_record(file);
  check_comparable(now, "this run", before, file.native(), tolerance);
  check_gate_runs(before, file.native());
  return {std::move(before.series), before.machine};
}

void check_gate_runs(const LatencyRecord& record, std::string_view name) {
  for (const RunSeries& series : record.series) {
    const auto runs = static_cast<int64_t>(series.wall_ms.size());
    if (runs > 0 && runs < kMinGateRuns)
      throw Error(Code::bad_input, fmt::format("{} has {} run{} of {}, a gate needs at least {}", name, runs,
                                               runs == 1 ? "" : "s", to_string(series.mode), kMinGateRuns))
          .hint("measure with -n 40 or more");
  }
}

}  // namespace frugal
