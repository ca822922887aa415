// From the settings to a pipeline that can be asked.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "app/wiring/settings.h"
#include "memory/budget.h"
#include "model/hub/models.h"
#include "rag/answer/answer_cache.h"
#include "rag/answer/pipeline.h"
#include "rag/index/store.h"

namespace frugal {

/// The settings' options, and where the secret of the sources' delimiters is kept.
PipelineOptions pipeline_options(const Settings& settings);

/// The index, opened to be asked, with the models and caches of its questions. Models load when a stage needs them.
class QuerySession {
 public:
  struct Use {
    bool many_questions = false;  // models are kept for the next one
    bool naive = false;           // naive_models(): for comparison
    bool measure_pss = false;
  };
  /// Throws Error(missing) without index.
  QuerySession(const cli::Tool& tool, const Settings& settings, const Use& use);

  Pipeline& pipeline() { return *pipeline_; }

 private:
  Budget budget_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Models> models_;
  std::optional<AnswerCache> answers_;
  std::optional<ProbeCache> probes_;
  std::optional<Pipeline> pipeline_;
};

}  // namespace frugal
