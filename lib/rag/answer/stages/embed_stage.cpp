// Makes the question's vector and, if they are searched, the weights of its tokens, in one pass.
#include <fmt/format.h>

#include "base/error.h"
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {
namespace {

void embed(QuestionState& state, const Resources& resources) {
  if (state.nothing_passes()) return;
  state.embedder = embedder_for(resources.store, resources.models, resources.index_name);
  TextEmbedding embedding =
      embed_text(*state.embedder, state.question.text, TextRole::query, resources.vectors, state.runs("learned"));
  state.vector = std::move(embedding.dense);
  state.weights = std::move(embedding.sparse);
  if (!state.runs("maxsim")) release_embedder(state, resources);
}

// A remote embedder that fails leaves the search to the words, if the settings say so.
void embed_or_do_without(QuestionState& state, const Resources& resources) {
  const std::string dispensable = state.runs("sparse") ? resources.models.dispensable_embedder() : "";
  if (dispensable.empty()) return embed(state, resources);
  try {
    embed(state, resources);
  } catch (const Error& error) {
    if (error.code() != Code::remote) throw;
    state.embedder.reset();
    note_fallback(state, {"embed", dispensable, error.message(), "none"});
  }
}

// The memory that an answer takes is known only with its prompt, but it is more than the search takes.
void embed_with_hint(QuestionState& state, const Resources& resources) {
  try {
    embed_or_do_without(state, resources);
  } catch (Error& error) {
    if (error.code() == Code::over_budget && state.runs("answer") && answer_mode(resources) == AnswerMode::generate)
      error.hint(error.hint() + "; generating the answer takes more");
    throw;
  }
}

}  // namespace

TextEmbedding embed_text(Embedder& embedder, const std::string& text, TextRole role, const QuestionVectors* cache,
                         bool with_weights) {
  VectorKey key{embedder.fingerprint(), text, embedder.dimension(), with_weights};
  // The vectors of a text differ by its role if the model has prompts.
  if (role == TextRole::passage) key.embedder += " passage";
  if (cache)
    if (auto known = cache->find(key)) return std::move(*known);
  TextEmbedding embedding;
  const std::string_view view = text;
  if (with_weights) {
    embedding = std::move(embedder.embed_all(std::span(&view, 1), role, TokenOutputs::weights).front());
  } else {
    embedding.dense.resize(static_cast<size_t>(key.dimension));
    embedder.embed(std::span(&view, 1), role, embedding.dense);
  }
  if (cache) cache->put(key, embedding);
  return embedding;
}

// Only extraction uses it.
void release_embedder(QuestionState& state, const Resources& resources) {
  if (!state.runs("answer") || answer_mode(resources) == AnswerMode::generate) state.embedder.reset();
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
