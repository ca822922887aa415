// The option structs of the rooms have the defaults that a user sees: what a tool makes of a default Config.
#include <doctest/doctest.h>

#include <algorithm>

#include "../../../tools/shared/rag_options.h"
#include "rag/index/chunk.h"
#include "rag/index/index_writer.h"

using namespace frugal;

TEST_CASE("retrieval has the configuration's defaults") {
  const RetrieveOptions built = retrieve_options(Config()), own;
  CHECK(built.sparse == own.sparse);
  CHECK(built.fusion == own.fusion);
  CHECK(built.candidates == own.candidates);
  CHECK(built.references == own.references);
  CHECK(built.dense_weights.english == own.dense_weights.english);
  CHECK(built.dense_weights.portuguese == own.dense_weights.portuguese);
  CHECK(built.dense_weights.other == own.dense_weights.other);
}

TEST_CASE("a question has the configuration's defaults, stage by stage") {
  const PipelineOptions built = pipeline_options(Config()), own;
  CHECK(built.dense == own.dense);
  CHECK(built.top_k == own.top_k);
  CHECK(built.min_score == own.min_score);
  CHECK(built.hyde.mode == own.hyde.mode);
  CHECK(built.hyde.max_new_tokens == own.hyde.max_new_tokens);
  CHECK(built.hyde.timeout_ms == own.hyde.timeout_ms);
  CHECK(built.rerank == own.rerank);
  CHECK(built.answer == own.answer);
  CHECK(built.abstain_below == own.abstain_below);
  CHECK(built.min_generator_parameters == own.min_generator_parameters);
  CHECK(built.deadline_ms == own.deadline_ms);
  CHECK(built.key() == own.key());  // everything that an answer depends on
}

TEST_CASE("generation has the configuration's defaults") {
  const GenerateOptions built = generate_options(Config()), own;
  CHECK(built.max_new_tokens == own.max_new_tokens);
  CHECK(built.temperature == own.temperature);
  CHECK(built.top_p == own.top_p);
  CHECK(built.top_k == own.top_k);
  CHECK(built.min_p == own.min_p);
  CHECK(built.repeat_penalty == own.repeat_penalty);
  CHECK(built.seed == own.seed);
  CHECK(built.stop == own.stop);

  const GeneratorMemory memory = generator_memory(Config(), /*prefix_cache=*/false), own_memory;
  CHECK(memory.kv_type == own_memory.kv_type);
  CHECK(memory.prefix_folder == own_memory.prefix_folder);
  CHECK(memory.prefix_max_bytes == own_memory.prefix_max_bytes);
}

TEST_CASE("indexing has the configuration's defaults") {
  const Config config;
  CHECK(IndexOptions().chunk_tokens == config.chunking.max_tokens);
  CHECK(IndexOptions().overlap_tokens == config.chunking.overlap_tokens);
  CHECK(ChunkOptions().max_tokens == config.chunking.max_tokens);
  CHECK(ChunkOptions().overlap_tokens == config.chunking.overlap_tokens);
}

TEST_CASE("models and paging have the configuration's defaults") {
  const Config config;
  const ModelOptions own;
  CHECK(cli::manager_mode(config.memory, own.mode) == own.mode);
  CHECK(cli::pager_options(config.memory).policy == own.paging.policy);
  CHECK(cli::pager_options(config.memory).source == own.paging.source);
  CHECK(parse_chat_override(config.generate.chat_family) == own.chat_family);
  CHECK(cli::device_bytes(config.memory) == own.backend.device_bytes);
  const Backend backend = parse_backend(config.backend);
  CHECK(backend.plugin == own.backend.plugin);
  CHECK(backend.device == own.backend.device);
  CHECK(backend.precision == own.backend.precision);
  CHECK(cli::budget_limits(config.memory, SystemMemory()).by_tag == BudgetLimits().by_tag);
}

TEST_CASE("generate.chat_family takes auto and every family that is known") {
  Config config;
  const std::vector<ConfigField> fields = config_fields(config);
  const auto field = std::find_if(fields.begin(), fields.end(),
                                  [](const ConfigField& each) { return each.key == "generate.chat_family"; });
  REQUIRE(field != fields.end());
  for (const std::string& choice : field->choices) CHECK_NOTHROW(parse_chat_override(choice));
  for (const ChatFamily family : {ChatFamily::none, ChatFamily::chatml, ChatFamily::llama3, ChatFamily::llama2,
                                  ChatFamily::qwen, ChatFamily::llama31})
    CHECK(std::count(field->choices.begin(), field->choices.end(), to_string(family)) == 1);
  CHECK(field->choices.size() == 7);
}
