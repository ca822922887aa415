#include <fmt/format.h>

#include "app/config/config.h"

namespace frugal {

std::vector<ConfigField> config_fields(Config& c) {
  constexpr double kMaxTokens = 1 << 20, kMaxMs = 1e9, kMaxChunks = 1e6;
  return {
      {"models.embedder", &c.models.embedder},
      {"models.generator", &c.models.generator},
      {"index", &c.index},
      {"threads", &c.threads, 0, 1024},
      {"profile", &c.profile},
      {"backend", &c.backend},
      {"memory.budget", &c.memory.budget},
      {"memory.gpu_budget", &c.memory.gpu_budget},
      {.key = "memory.mode", .value = &c.memory.mode, .choices = {"auto", "aggressive", "cache"}},
      {.key = "memory.page_policy", .value = &c.memory.page_policy, .choices = {"predictive", "lru", "clock"}},
      {.key = "memory.page_source", .value = &c.memory.page_source, .choices = {"auto", "mapped", "direct"}},
      {"memory.limits.weights", &c.memory.limits.weights},
      {"memory.limits.kv_cache", &c.memory.limits.kv_cache},
      {"memory.limits.activations", &c.memory.limits.activations},
      {"memory.limits.index", &c.memory.limits.index},
      {"memory.limits.io", &c.memory.limits.io},
      {"chunking.max_tokens", &c.chunking.max_tokens, 16, kMaxTokens},
      {"chunking.overlap_tokens", &c.chunking.overlap_tokens, 0, kMaxTokens},
      {"references.paths", &c.references.paths},
      {"retrieval.dense", &c.retrieval.dense},
      {"retrieval.sparse", &c.retrieval.sparse},
      {.key = "retrieval.fusion", .value = &c.retrieval.fusion, .choices = {"weighted", "rrf"}},
      {"retrieval.dense_weight.en", &c.retrieval.dense_weight.en, 0, 1},
      {"retrieval.dense_weight.pt", &c.retrieval.dense_weight.pt, 0, 1},
      {"retrieval.dense_weight.other", &c.retrieval.dense_weight.other, 0, 1},
      {"retrieval.candidates", &c.retrieval.candidates, 1, kMaxChunks},
      {"retrieval.top_k", &c.retrieval.top_k, 1, kMaxChunks},
      {"retrieval.min_score", &c.retrieval.min_score, 0, 1},
      {"rerank.enabled", &c.rerank.enabled},
      {.key = "answer.mode", .value = &c.answer.mode, .choices = {"auto", "extract", "generate", "none"}},
      {"answer.deadline_ms", &c.answer.deadline_ms, 0, kMaxMs},
      {"answer.abstain_below", &c.answer.abstain_below, 0, 1},
      {"answer.min_generator_parameters", &c.answer.min_generator_parameters, 0},
      {.key = "hyde.mode", .value = &c.hyde.mode, .choices = {"auto", "always", "never"}},
      {"hyde.max_new_tokens", &c.hyde.max_new_tokens, 1, kMaxTokens},
      {"hyde.timeout_ms", &c.hyde.timeout_ms, 0, kMaxMs},
      {"cache.enabled", &c.cache.enabled},
      {"cache.max_bytes", &c.cache.max_bytes},
      {"generate.max_new_tokens", &c.generate.max_new_tokens, 1, kMaxTokens},
      {"generate.temperature", &c.generate.temperature, 0, 100},
      {"generate.top_k", &c.generate.top_k, 0, kMaxTokens},
      {"generate.top_p", &c.generate.top_p, 0, 1},
      {"generate.min_p", &c.generate.min_p, 0, 1},
      {"generate.repeat_penalty", &c.generate.repeat_penalty, 0.01, 100},
      {"generate.seed", &c.generate.seed},
      {.key = "generate.kv_dtype", .value = &c.generate.kv_dtype, .choices = {"auto", "f32", "f16", "int8"}},
      {.key = "generate.chat_family",
       .value = &c.generate.chat_family,
       .choices = {"auto", "none", "chatml", "llama2", "llama3", "llama3.1", "qwen"}},
      {"generate.prefix_cache.enabled", &c.generate.prefix_cache.enabled},
      {"generate.prefix_cache.max_bytes", &c.generate.prefix_cache.max_bytes},
      {.key = "log.level", .value = &c.log.level, .choices = {"error", "warn", "info", "debug"}},
      {"log.file", &c.log.file},
  };
}

std::string format_value(const ConfigField& field) {
  return std::visit([](const auto* value) { return fmt::format("{}", *value); }, field.value);
}

}  // namespace frugal
