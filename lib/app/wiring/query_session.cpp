#include "app/wiring/query_session.h"

#include <utility>

#include "app/config/paths.h"
#include "app/wiring/open_caches.h"
#include "app/wiring/open_models.h"
#include "app/wiring/secret.h"
#include "base/log.h"
#include "memory/budget.h"

namespace frugal {
namespace {

void warn_of_small_generator(const PipelineOptions& options, Models& models) {
  if (options.answer != AnswerMode::generate) return;
  if (models.generator_size(options.min_generator_parameters) == GeneratorSize::small)
    log(LogLevel::warn,
        "the generator has fewer than {} weights (answer.min_generator_parameters): small ones invent facts and repeat "
        "themselves; --answer extract quotes the sources",
        options.min_generator_parameters);
}

}  // namespace

std::unique_ptr<Models> question_models(const cli::Tool& tool, const Settings& settings, Budget& budget,
                                        bool many_questions) {
  const auto auto_mode = many_questions ? Manager::Mode::cache : Manager::Mode::aggressive;
  ModelOptions options = model_options(tool, settings, budget, auto_mode);
  if (const auto cache = cache_home()) options.generator.prefix_folder = *cache / "prefixes";
  return open_models(settings, options);
}

PipelineOptions pipeline_options(const Settings& settings) {
  PipelineOptions options = settings.pipeline;
  if (const auto cache = cache_home()) options.boundary_key = *cache / "boundary.key";
  return options;
}

QuerySession::QuerySession(const cli::Tool& tool, const Settings& settings, const Use& use)
    : budget_(tool.budget_limits()),
      index_(std::filesystem::absolute(find_index(settings.index)).lexically_normal().native()),
      store_(open_store(find_index(settings.index), budget_, vector_options(settings))) {
  Settings used = settings;
  if (used.models.image_embedder.empty()) used.models.image_embedder = store_->image_embedder_name();
  if (use.naive) used.pipeline.images = 0;
  models_ = use.naive ? naive_models(tool, used, budget_) : question_models(tool, used, budget_, use.many_questions);
  if (settings.cache.enabled) {
    Caches caches = open_caches(settings.cache);
    if (caches.answers) answers_.emplace(std::move(caches.answers), settings.cache);
    // Native vectors only: those of another backend may differ in their last bits.
    if (caches.vectors && !use.naive && tool.backend().native()) probes_.emplace(std::move(caches.vectors));
  }
  warn_of_small_generator(settings.pipeline, *models_);
  PipelineOptions options = pipeline_options(used);
  options.measure_pss = use.measure_pss;
  pipeline_ = make_pipeline(std::move(options));
}

std::unique_ptr<Pipeline> QuerySession::make_pipeline(PipelineOptions options) {
  return std::make_unique<Pipeline>(*store_, *models_, store_->laws(), std::move(options),
                                    answers_ ? &*answers_ : nullptr, index_, probes_ ? &*probes_ : nullptr);
}

}  // namespace frugal
