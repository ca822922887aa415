#include "rag/index/image_indexer.h"

#include <fmt/format.h>

#include <chrono>
#include <span>

#include "base/error.h"
#include "base/hash.h"
#include "rag/index/embed_chunks.h"
#include "rag/index/store.h"
#include "rag/text/language.h"

namespace frugal {
namespace {

constexpr std::string_view kRecipe = " images-1=";
constexpr std::string_view kCaptionRecipe = " captions-1=";
constexpr size_t kFingerprintDigits = 16;
constexpr std::string_view kCaptionHeading = "generated caption";

/// `recipe` without the part that begins so.
std::string without(const std::string& recipe, std::string_view part) {
  const size_t begin = recipe.find(part);
  if (begin == recipe.npos) return recipe;
  const size_t end = recipe.find(' ', begin + part.size());
  return recipe.substr(0, begin) + (end == recipe.npos ? "" : recipe.substr(end));
}

}  // namespace

ImageIndexer::ImageIndexer(StoreWriter& store, const IndexOptions& options, IndexReport& report)
    : store_(store), options_(options), report_(report) {
  if (!is_on()) return;
  recipe_ =
      fmt::format("{}{}", kRecipe, sha256_hex(options.image_embedder->fingerprint()).substr(0, kFingerprintDigits));
  vector_.resize(static_cast<size_t>(options.image_embedder->dimension()));
  if (options.caption) {
    captioner_ = sha256_hex(options.captioner).substr(0, kFingerprintDigits);
    recipe_ += fmt::format("{}{}", kCaptionRecipe, captioner_);
  }
  reading_.knows = [this](const std::string& key) {
    return store_.has_image_vector(key) && (captioner_.empty() || store_.find_caption(caption_key(key)));
  };
  reading_.sink = [this](const DocumentImage& image) { add(image); };
}

std::string ImageIndexer::comparable(const std::string& recipe) const {
  const std::string images = is_on() ? recipe : without(recipe, kRecipe);
  return captioner_.empty() ? without(images, kCaptionRecipe) : images;
}

void ImageIndexer::add(const DocumentImage& image) {
  if (!store_.has_image_vector(image.key)) {
    const auto began = std::chrono::steady_clock::now();
    options_.image_embedder->embed_images(std::span(&image.pixels, 1), options_.extract.budget, vector_);
    report_.image_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    store_.put_image_vector(image.key, vector_);
    ++report_.images_embedded;
  }
  images_.push_back({image.number, image.page, caption_of(image), image.key});
}

/// A caption belongs to an image and to what wrote it.
std::string ImageIndexer::caption_key(const std::string& image_key) const {
  return image_key + captioner_;
}

/// Empty if this run writes none, or the captioner cannot read the image.
std::string ImageIndexer::caption_of(const DocumentImage& image) {
  if (captioner_.empty()) return {};
  const std::string key = caption_key(image.key);
  if (auto known = store_.find_caption(key)) return std::move(*known);
  std::string caption;
  try {
    caption = options_.caption(image.pixels);
  } catch (const Error& error) {
    if (error.code() != Code::bad_input) throw;
  }
  store_.put_caption(key, caption);
  ++report_.captions_written;
  return caption;
}

void ImageIndexer::end_file(const std::string& path, const std::string& title) {
  store_.put_images(images_);
  for (const NewImage& image : images_)
    if (!image.caption.empty()) put_caption(path, title, image);
}

void ImageIndexer::put_caption(const std::string& path, const std::string& title, const NewImage& image) {
  Document document;
  document.title = title;
  document.text = image.caption;
  store_.put_document(caption_name(path, image.number), document, [&] {
    NewChunk chunk;
    chunk.end = static_cast<uint32_t>(image.caption.size());
    chunk.line = 1;
    chunk.page = image.page;
    chunk.heading = kCaptionHeading;
    chunk.language = detect_language(image.caption);
    chunk.vector_key = vector_key(embedding_text(title, image.caption));
    return std::vector{chunk};
  });
}

}  // namespace frugal
