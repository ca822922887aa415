// Makes the question's vector.
#include <fmt/format.h>

#include "base/error.h"
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {
namespace {

void embed(QuestionState& state, const Resources& resources) {
  if (state.nothing_passes()) return;
  state.embedder = embedder_for(resources.store, resources.models, resources.index_name);
  state.vector = embed_text(*state.embedder, state.question.text, TextRole::query, resources.vectors);
  // Only extraction uses the embedder again; a generator may need its memory.
  if (!state.runs("answer") || answer_mode(resources) == AnswerMode::generate) state.embedder.reset();
}

// The memory that an answer takes is known only with its prompt, but it is more than the search takes.
void embed_with_hint(QuestionState& state, const Resources& resources) {
  try {
    embed(state, resources);
  } catch (Error& error) {
    if (error.code() == Code::over_budget && state.runs("answer") && answer_mode(resources) == AnswerMode::generate)
      error.hint(error.hint() + "; generating the answer takes more");
    throw;
  }
}

}  // namespace

std::vector<float> embed_text(Embedder& embedder, const std::string& text, TextRole role,
                              const QuestionVectors* cache) {
  VectorKey key{embedder.fingerprint(), text, embedder.dimension()};
  // The vectors of a text differ by its role if the model has prompts.
  if (role == TextRole::passage) key.embedder += " passage";
  if (cache)
    if (auto vector = cache->find(key)) return std::move(*vector);
  std::vector<float> vector(static_cast<size_t>(key.dimension));
  const std::string_view view = text;
  embedder.embed(std::span(&view, 1), role, vector);
  if (cache) cache->put(key, vector);
  return vector;
}

std::shared_ptr<Embedder> embedder_for(const Store& store, Models& models, std::string_view index_name) {
  std::shared_ptr<Embedder> embedder = models.embedder();
  const std::string& expected = store.embedder_fingerprint();
  if (embedder->fingerprint() != expected)
    throw Error(Code::mismatch, fmt::format("index '{}' was made with another embedder ({}, this one is {})",
                                            index_name, expected, embedder->fingerprint()))
        .hint(fmt::format(
            "index again with rag-index add PATH… --index {} --re-embed, or name the pack that made it with "
            "--embedder, or search by words with --no-dense",
            index_name));
  return embedder;
}

Stage embed_stage(const Resources& resources) {
  return {.name = "embed",
          .run = [&resources](QuestionState& state) { embed_with_hint(state, resources); },
          .off = dense_off_reason(resources),
          .deadline_group = "embed",
          .report_off = reported_elsewhere};  // the line of `dense`
}

}  // namespace frugal
