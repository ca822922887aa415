// Searches the images of the index by the question, which the image embedder reads as a text. They are a list of their
// own: a cosine between a text and an image says nothing about one between two texts, and no image changes the ranking
// of the texts (docs/design/0040-images.md).
#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {
namespace {

void search_images(QuestionState& state, const Resources& resources) {
  const std::shared_ptr<ImageEmbedder> embedder =
      image_embedder_for(resources.store, resources.models, resources.index_name);
  std::vector<float> vector(static_cast<size_t>(embedder->dimension()));
  const std::string_view text = state.question.text;
  embedder->embed_texts(std::span(&text, 1), vector);
  state.reply.images = resources.store.search_images(vector, resources.options.images, state.filter);
}

// The index was made with images, perhaps elsewhere: a question about its texts needs neither an image embedder nor the
// server that their vectors may be on.
void search_if_possible(QuestionState& state, const Resources& resources) {
  try {
    search_images(state, resources);
  } catch (const Error& error) {
    if (error.code() != Code::missing && error.code() != Code::remote) throw;
    log(LogLevel::warn, "images are not searched: {}", error.message());
    state.reply.skipped.push_back(fmt::format("images: {}", error.message()));
  }
}

}  // namespace

std::shared_ptr<ImageEmbedder> image_embedder_for(const Store& store, Models& models, std::string_view index_name) {
  std::shared_ptr<ImageEmbedder> embedder = models.image_embedder();
  const std::string expected = store.image_embedder_fingerprint();
  if (embedder->fingerprint() != expected)
    throw Error(Code::mismatch,
                fmt::format("the images of index '{}' were embedded by another model ({}, this one is {})", index_name,
                            expected, embedder->fingerprint()))
        .hint(fmt::format("index again with rag-index add --index {} --re-embed, or name the pack that made it with "
                          "--image-embedder, or search texts alone with --images 0",
                          index_name));
  return embedder;
}

Stage images_stage(const Resources& resources) {
  return {.name = "images",
          .run = [&resources](QuestionState& state) { search_if_possible(state, resources); },
          .off = resources.options.images == 0                          ? "switched off"
                 : resources.store.image_embedder_fingerprint().empty() ? "the index has no images"
                                                                        : "",
          .record = "retrieve",
          .deadline_group = "images",
          .report_off = reported_elsewhere};  // Reply::images
}

}  // namespace frugal
