// The report for continuous integration: JUnit XML and github-action-benchmark's JSON.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "measure/bench/latency_report.h"

namespace frugal {
namespace {

using Json = nlohmann::ordered_json;

// Escapes text for an attribute or element. XML 1.0 cannot represent control characters, so they become '?'.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\n':
        out += "&#10;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 && c != '\t' ? '?' : c;
    }
  }
  return out;
}

// The cases of one suite and their outcomes.
struct Suite {
  std::string cases;
  int tests = 0, failures = 0, skipped = 0;

  enum class Outcome { passed, failed, skipped };
  void add(const std::string& name, double seconds, Outcome outcome, const std::string& why) {
    ++tests;
    cases +=
        fmt::format("    <testcase classname=\"bench-latency\" name=\"{}\" time=\"{:.6f}\">\n", escaped(name), seconds);
    if (outcome == Outcome::failed) {
      ++failures;
      cases += fmt::format("      <failure message=\"{0}\">{0}</failure>\n", escaped(why));
    } else if (outcome == Outcome::skipped) {
      ++skipped;
      cases += fmt::format("      <skipped message=\"{}\"/>\n", escaped(why));
    } else {
      cases += fmt::format("      <system-out>{}</system-out>\n", escaped(why));
    }
    cases += "    </testcase>\n";
  }

  std::string xml() const {
    const std::string counts =
        fmt::format("tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\"", tests, failures, skipped);
    return fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {0}>\n  <testsuite name=\"bench-latency\" {0}>\n{1}"
        "  </testsuite>\n</testsuites>\n",
        counts, cases);
  }
};

Suite::Outcome outcome_of(const Gate& gate, bool strict) {
  if (gate.verdict == Verdict::pass) return Suite::Outcome::passed;
  return gate.verdict == Verdict::fail || strict ? Suite::Outcome::failed : Suite::Outcome::skipped;
}

double seconds_of(const std::vector<LatencyRow>& rows, LatencyMode mode) {
  for (const LatencyRow& row : rows)
    if (row.mode == mode && row.side == Side::measured && !row.samples.empty())
      return summarize(row).wall_ms.median / 1e3;
  return 0;
}

void add_modes(const std::vector<LatencyRow>& rows, bool strict, Suite& suite) {
  for (const LatencyRow& row : rows) {
    if (row.side != Side::measured) continue;
    const double seconds = seconds_of(rows, row.mode);
    const std::string name = fmt::format("{} runs", to_string(row.mode));
    if (!row.failure) {
      suite.add(name, seconds, Suite::Outcome::passed,
                fmt::format("median {:.3f} ms of {} runs", seconds * 1e3, row.samples.size()));
    } else {
      const bool failed = strict || row.failure->after_runs > 0;
      suite.add(name, seconds, failed ? Suite::Outcome::failed : Suite::Outcome::skipped, row.failure->message);
    }
  }
}

}  // namespace

std::string LatencyReport::junit(bool strict) const {
  Suite suite;
  for (const Gate& gate : gates)
    suite.add(
        fmt::format("{} {} at most {:g} times as before", to_string(gate.mode), to_string(gate.metric), gate.max_ratio),
        seconds_of(rows, gate.mode), outcome_of(gate, strict), gate.reason);
  if (gates.empty()) add_modes(rows, strict, suite);
  return suite.xml();
}

Json LatencyReport::smaller_is_better() const {
  Json entries = Json::array();
  for (const LatencyResult& result : results()) {
    if (result.row->side != Side::measured) continue;
    const Summary& wall = result.summary.wall_ms;
    entries.push_back({{"name", fmt::format("{} median", result.name())},
                       {"unit", "ms"},
                       {"value", wall.median},
                       {"range", fmt::format("{:.2f}–{:.2f}", wall.median_ci95.low, wall.median_ci95.high)},
                       {"extra", fmt::format("p95 {:.2f} ms, p99 {:.2f} ms, {} runs\n{}", wall.p95, wall.p99,
                                             wall.count, machine_text(record.machine))}});
    if (result.summary.peak_anon_bytes)
      entries.push_back({{"name", fmt::format("{} peak anonymous memory", result.name())},
                         {"unit", "bytes"},
                         {"value", *result.summary.peak_anon_bytes}});
  }
  return entries;
}

}  // namespace frugal
