// The vector to search with: that of the question, drawn towards the passage that hyde wrote.
#include <fmt/format.h>

#include "base/error.h"
#include "rag/answer/hyde.h"
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {
namespace {

std::vector<float> embed_text(Embedder& embedder, const std::string& text, const QuestionVectors* known) {
  const VectorKey key{embedder.fingerprint(), text, embedder.dimension()};
  if (known)
    if (auto vector = known->find(key)) return std::move(*vector);
  std::vector<float> vector(static_cast<size_t>(key.dimension));
  const std::string_view view = text;
  embedder.embed(std::span(&view, 1), vector);
  if (known) known->put(key, vector);
  return vector;
}

void embed(Asking& asking, const Resources& with) {
  asking.embedder = embedder_for(with.store, with.models, with.index_name);
  asking.vector = embed_text(*asking.embedder, asking.question.text, with.vectors);
  if (!asking.passage.empty())
    asking.vector = blend(asking.vector, embed_text(*asking.embedder, asking.passage, with.vectors));
  // Only a quote is looked for with it again; a generator may need its room.
  if (!asking.runs("answer") || answer_mode(with) == AnswerMode::generate) asking.embedder.reset();
}

// What an answer takes is known when its prompt is; that it takes more than the search is known now.
void embed_or_say_more(Asking& asking, const Resources& with) {
  try {
    embed(asking, with);
  } catch (Error& error) {
    if (error.code() == Code::over_budget && asking.runs("answer") && answer_mode(with) == AnswerMode::generate)
      error.hint(error.hint() + "; generating the answer takes more");
    throw;
  }
}

}  // namespace

std::shared_ptr<Embedder> embedder_for(const Store& store, Models& models, std::string_view index_name) {
  std::shared_ptr<Embedder> embedder = models.embedder();
  const std::string& made_with = store.embedder_fingerprint();
  if (embedder->fingerprint() != made_with)
    throw Error(Code::mismatch, fmt::format("index '{}' was made with another embedder ({}, this one is {})",
                                            index_name, made_with, embedder->fingerprint()))
        .hint(fmt::format(
            "index again with rag-index add PATH… --index {} --re-embed, or name the pack that made it with "
            "--embedder, or search by words with --no-dense",
            index_name));
  return embedder;
}

Stage embed_stage(const Resources& with) {
  return {.name = "embed",
          .run = [&with](Asking& asking) { embed_or_say_more(asking, with); },
          .off = why_no_dense(with),
          .late = "embed",
          .tell_off = told_elsewhere};  // the line of `dense`
}

}  // namespace frugal
