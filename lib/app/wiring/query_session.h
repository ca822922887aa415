// Everything that answering questions needs, opened from the settings: index, models, caches and the pipeline over them
// (rag/answer/pipeline.h).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "app/wiring/settings.h"
#include "memory/budget.h"
#include "model/hub/models.h"
#include "rag/answer/answer_cache.h"
#include "rag/answer/pipeline.h"
#include "rag/index/store.h"

namespace frugal {

/// The pipeline's options from the settings, with the path of the secret key for source delimiters
/// (rag/prompt/boundary.h).
PipelineOptions pipeline_options(const Settings& settings);

/// The models that the settings name, with the cache of prompts. many_questions: memory.mode auto keeps them loaded
/// between questions. Borrows `budget`.
std::unique_ptr<Models> question_models(const cli::Tool& tool, const Settings& settings, Budget& budget,
                                        bool many_questions);

/// Owns an open index with its pipeline, models and caches. A model is loaded when a stage first needs it.
class QuerySession {
 public:
  struct Use {
    bool many_questions = false;  // memory.mode auto then keeps models loaded between questions
    bool naive = false;           // for comparison: naive_models() instead of packs
    bool measure_pss = false;     // report the process's PSS with each reply
  };
  /// Throws Error(missing) if there is no index; with `naive`, also if there is no checkpoint.
  QuerySession(const cli::Tool& tool, const Settings& settings, const Use& use);

  Pipeline& pipeline() { return *pipeline_; }
  /// Another pipeline over the same index, models and caches; borrows this session.
  std::unique_ptr<Pipeline> make_pipeline(PipelineOptions options);
  Models& models() { return *models_; }
  Store& store() { return *store_; }
  Budget& budget() { return budget_; }

 private:
  Budget budget_;
  const std::string index_;  // its folder, absolute
  std::unique_ptr<Store> store_;
  std::unique_ptr<Models> models_;
  std::optional<AnswerCache> answers_;
  std::optional<QuestionVectorCache> probes_;
  std::unique_ptr<Pipeline> pipeline_;
};

}  // namespace frugal
