// From the configuration to the options of the question side, for the tools that ask: rag-query and rag-eval.
#pragma once

#include <memory>
#include <optional>

#include "app/cli/memory_options.h"
#include "app/cli/tool.h"
#include "app/config/config.h"
#include "app/config/paths.h"
#include "memory/budget.h"
#include "model/hub/models.h"
#include "model/nn/kv_cache.h"
#include "rag/answer/pipeline.h"

namespace frugal {

inline RetrieveOptions retrieve_options(const Config& config) {
  RetrieveOptions options;
  options.sparse = config.retrieval.sparse;
  options.fusion = parse_fusion(config.retrieval.fusion);
  options.candidates = config.retrieval.candidates;
  options.dense_weights.english = static_cast<float>(config.retrieval.dense_weight.en);
  options.dense_weights.portuguese = static_cast<float>(config.retrieval.dense_weight.pt);
  options.dense_weights.other = static_cast<float>(config.retrieval.dense_weight.other);
  return options;
}

inline GenerateOptions generate_options(const Config& config) {
  GenerateOptions options;
  options.max_new_tokens = config.generate.max_new_tokens;
  options.temperature = static_cast<float>(config.generate.temperature);
  options.top_p = static_cast<float>(config.generate.top_p);
  options.top_k = config.generate.top_k;
  options.min_p = static_cast<float>(config.generate.min_p);
  options.repeat_penalty = static_cast<float>(config.generate.repeat_penalty);
  options.seed = static_cast<uint64_t>(config.generate.seed);
  return options;
}

inline PipelineOptions pipeline_options(const Config& config) {
  PipelineOptions options;
  options.dense = config.retrieval.dense;
  options.retrieve = retrieve_options(config);
  options.top_k = config.retrieval.top_k;
  options.min_score = static_cast<float>(config.retrieval.min_score);
  options.hyde = {parse_hyde_mode(config.hyde.mode), config.hyde.max_new_tokens, config.hyde.timeout_ms};
  options.rerank = config.rerank.enabled;
  options.answer = parse_answer_mode(config.answer.mode);
  options.generate = generate_options(config);
  options.abstain_below = static_cast<float>(config.answer.abstain_below);
  options.min_generator_parameters = config.answer.min_generator_parameters;
  options.deadline_ms = config.answer.deadline_ms;
  options.boundary_key = cache_home() / "boundary.key";
  return options;
}

// A tool that measures reading leaves the prefix cache out.
inline GeneratorMemory generator_memory(const Config& config, bool prefix_cache) {
  GeneratorMemory memory;
  memory.kv_type = parse_kv_type(config.generate.kv_dtype);
  if (prefix_cache && config.generate.prefix_cache.enabled) memory.prefix_folder = cache_home() / "prefixes";
  memory.prefix_max_bytes = config.generate.prefix_cache.max_bytes;
  return memory;
}

// `mode`: what becomes of a model that nobody uses, where the configuration leaves it open.
inline ModelOptions model_options(const cli::Tool& tool, Budget& budget, Manager::Mode mode) {
  ModelOptions options;
  options.backend = tool.backend();
  options.threads = tool.threads();
  options.budget = &budget;
  options.mode = cli::manager_mode(tool.config().memory, mode);
  options.paging = cli::pager_options(tool.config().memory);
  options.chat_family = parse_chat_override(tool.config().generate.chat_family);
  return options;
}

inline std::unique_ptr<Models> configured_models(const Config& config, const ModelOptions& options) {
  ModelPaths paths;
  paths.embedder = [name = config.models.embedder] { return find_model(name); };
  paths.generator = [name = config.models.generator] { return find_model(name); };
  return open_pack_models(std::move(paths), options);
}

// The models that rag-query asks: one question needs each once, a batch needs them again.
inline std::unique_ptr<Models> question_models(const cli::Tool& tool, Budget& budget, bool batch) {
  ModelOptions options = model_options(tool, budget, batch ? Manager::Mode::cache : Manager::Mode::aggressive);
  options.generator = generator_memory(tool.config(), /*prefix_cache=*/true);
  return configured_models(tool.config(), options);
}

// What spares a question its answer, or its embedding. Vectors of other backends may differ in their last bits.
struct QuestionCaches {
  QuestionCaches(const Config& config, bool native) {
    if (!config.cache.enabled) return;
    answers.emplace(cache_home() / "answers", config.cache.max_bytes);
    if (native) probes.emplace(cache_home() / "probes", config.cache.max_bytes / 4);
  }
  std::optional<AnswerCache> answers;
  std::optional<ProbeCache> probes;
};

// Everything at full precision, through libtorch unless another backend is named.
inline std::unique_ptr<Models> naive_models(const Config& config, const Backend& backend, int threads, Budget* budget) {
  const NaivePaths paths{find_checkpoint(config.models.embedder), find_model(config.models.embedder),
                         find_checkpoint(config.models.generator), find_model(config.models.generator)};
  return open_naive_models(paths, backend.native() ? parse_backend("torch") : backend, threads, budget,
                           parse_chat_override(config.generate.chat_family));
}

}  // namespace frugal
