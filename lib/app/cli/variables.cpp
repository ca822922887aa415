#include "app/cli/variables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/suggest.h"

namespace frugal::cli {
namespace {

constexpr std::string_view kPrefix = "FRUGAL_";

// The long flags of all tools that can be set in the environment (tests/transcripts/common.clitest compares them with
// the tools' help).
constexpr std::string_view kFlags[] = {"against",
                                       "alert",
                                       "allow-host",
                                       "allow-origin",
                                       "allow-other-machine",
                                       "allow-requantize",
                                       "answer",
                                       "answers",
                                       "api-key-file",
                                       "as",
                                       "auto-target",
                                       "backend",
                                       "baseline",
                                       "batch",
                                       "cache-type-kv",
                                       "calibration",
                                       "candidates",
                                       "captioner",
                                       "check",
                                       "chunk-tokens",
                                       "config",
                                       "deadline-ms",
                                       "dimensions",
                                       "dry-run",
                                       "dtype",
                                       "embedder",
                                       "estimate",
                                       "exclude",
                                       "explain",
                                       "export-json",
                                       "export-junit",
                                       "export-markdown",
                                       "export-smaller-is-better",
                                       "fail-above",
                                       "force",
                                       "foreign",
                                       "foreign-limit",
                                       "format",
                                       "fusion",
                                       "generator",
                                       "gpu-memory-budget",
                                       "hidden",
                                       "host",
                                       "html",
                                       "hyde",
                                       "ignore-below",
                                       "image",
                                       "image-embedder",
                                       "images",
                                       "index",
                                       "keep-alive",
                                       "limit",
                                       "load-mode",
                                       "log-file",
                                       "log-level",
                                       "max-file-size",
                                       "max-length",
                                       "max-memory-ratio",
                                       "max-new-tokens",
                                       "max-pixels",
                                       "max-queue",
                                       "max-ram",
                                       "max-ratio",
                                       "max-runs",
                                       "maxsim",
                                       "mcp",
                                       "memory-budget",
                                       "metrics",
                                       "min-score",
                                       "mistakes",
                                       "mode",
                                       "model",
                                       "modes",
                                       "naive",
                                       "no-cache",
                                       "no-dense",
                                       "no-embed",
                                       "no-exclude",
                                       "no-ignore",
                                       "no-prefix-cache",
                                       "no-progress",
                                       "no-sources",
                                       "no-sparse",
                                       "now",
                                       "null",
                                       "out-run",
                                       "output",
                                       "overlap-tokens",
                                       "page-policy",
                                       "page-source",
                                       "path",
                                       "pipeline",
                                       "port",
                                       "pp",
                                       "preload",
                                       "profile",
                                       "queries",
                                       "question",
                                       "rag-query",
                                       "re-embed",
                                       "reader",
                                       "repetitions",
                                       "report",
                                       "rerank",
                                       "rerank-budget-ms",
                                       "rounds",
                                       "runs",
                                       "seed",
                                       "server",
                                       "socket",
                                       "stdin-name",
                                       "strict",
                                       "style",
                                       "summarizer",
                                       "svg",
                                       "tensor-type",
                                       "text",
                                       "texts",
                                       "tg",
                                       "threads",
                                       "timeout",
                                       "timings",
                                       "top-k",
                                       "trace",
                                       "unanswerable",
                                       "verbose",
                                       "verify",
                                       "verify-text",
                                       "warmup",
                                       "watch",
                                       "where",
                                       "workers"};
// Folders, choices and a secret without a flag; the last three are of scripts, tests and builds that trace.
constexpr std::string_view kOthers[] = {
    "FRUGAL_MODELS",       "FRUGAL_REFERENCES", "FRUGAL_PROFILES", "FRUGAL_PLUGINS", "FRUGAL_REDIS_PASSWORD",
    "FRUGAL_MILVUS_TOKEN", "FRUGAL_ISA",        "FRUGAL_JOBS",     "FRUGAL_SOURCE",  "FRUGAL_ALLOCATION_TRACE"};

std::vector<std::string> known_variables() {
  std::vector<std::string> names(std::begin(kOthers), std::end(kOthers));
  for (const std::string_view flag : kFlags) names.push_back(environment_name(flag));
  return names;
}

}  // namespace

std::string environment_name(std::string_view flag) {
  std::string name(kPrefix);
  for (const char c : flag) name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::vector<std::string> unknown_variables(const char* const* environment) {
  std::vector<std::string> lines;
  for (; environment && *environment; ++environment) {
    const std::string_view entry = *environment;
    const std::string_view name = entry.substr(0, entry.find('='));
    if (!name.starts_with(kPrefix)) continue;
    const std::vector<std::string> known = known_variables();
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    // The prefix, which all share, would make every name near.
    std::vector<std::string> endings;
    endings.reserve(known.size());
    for (const std::string& each : known) endings.push_back(each.substr(kPrefix.size()));
    const std::string nearest = nearest_name(name.substr(kPrefix.size()), endings);
    lines.push_back(fmt::format("'{}' in the environment sets nothing and is ignored{}", name,
                                nearest.empty() ? "" : fmt::format("; did you mean '{}{}'?", kPrefix, nearest)));
  }
  return lines;
}

}  // namespace frugal::cli
