// Everything that summaries need, opened from the settings: the model that writes them, if one is to, the cache of its
// parts, and the table of laws.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "app/wiring/settings.h"
#include "memory/budget.h"
#include "rag/cache/file_cache.h"
#include "rag/law/provision.h"
#include "rag/summary/summary.h"
#include "rag/summary/summary_report.h"
#include "rag/summary/summary_source.h"
#include "telemetry/trace.h"

namespace frugal {

class SummaryModel;

class SummarySession {
 public:
  /// Opens the model if summary.mode wants one: that of models.summarizer, which is asked for by name, or else the
  /// generator, of which auto demands a number of weights (answer.min_generator_parameters). Throws Error(missing |
  /// mismatch | corrupt_file | over_budget) for a model that cannot be used.
  SummarySession(const cli::Tool& tool, const Settings& settings);
  ~SummarySession();
  SummarySession(const SummarySession&) = delete;
  SummarySession& operator=(const SummarySession&) = delete;

  struct Result {
    TextSummary summary;
    SummaryFrame frame;
  };
  /// Summarises a file; `-` is standard input, of the name `stdin_name`. Draws the progress. `statement` gets each
  /// sentence of the summary as soon as it is known; may be empty. Throws what reading, writing and `statement` throw.
  Result summarise_file(const std::string& file, const std::string& stdin_name,
                        const std::function<void(const SummaryStatement&)>& statement);
  /// Summarises a text, which `name` names in the citations; it is no path. `hooks`: its cache and its laws are those
  /// of this session. Throws as summarise_file().
  Result summarise_text(const std::string& text, const std::string& name, const SummaryOptions& options,
                        SummaryHooks hooks);

 private:
  Result summarise_source(SummarySource source, const std::string& path, const SummaryOptions& options,
                          SummaryHooks hooks, Trace& trace);

  const Settings& settings_;
  Budget budget_;
  LawTable laws_;
  std::optional<FileCache> cache_;
  std::unique_ptr<SummaryModel> model_;  // null: sentences are quoted
  std::string why_quoted_;
};

}  // namespace frugal
