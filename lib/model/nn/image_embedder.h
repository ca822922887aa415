// The interface of a model that maps texts and images to vectors of one space, such as CLIP: the cosine between the
// vectors of a text and of an image says how well they fit. Not a codec: model/codec makes images from files.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "memory/budget.h"
#include "model/nn/model.h"
#include "model/tokenize/tokenizer.h"
#include "model/vision/rgb_image.h"

namespace frugal {

/// Not thread-safe: one forward pass at a time, since its Ops hold the working memory.
class ImageEmbedder : public Model {
 public:
  static constexpr ModelKindWords kKind{ModelKind::image_embedder, "image embedder", "does not embed images",
                                        "give the pack of a model of texts and images, such as clip-vit-base-patch32"};
  ModelKind kind() const final { return kKind.kind; }
  std::string identity() const final { return fingerprint(); }

  virtual int64_t dimension() const = 0;
  /// The longest text in tokens, special tokens included; longer texts are truncated.
  virtual int64_t max_tokens() const = 0;
  /// Tokens that an image has in the model, whatever its size.
  virtual int64_t image_tokens() const = 0;
  virtual const Tokenizer& tokenizer() const = 0;
  /// Identifies everything that a vector depends on besides the text or the image. Vectors with different fingerprints
  /// do not mix.
  virtual std::string fingerprint() const = 0;
  /// out: [texts.size(), dimension]; unit vectors. The other texts of a call change at most the last bits of a vector.
  virtual void embed_texts(std::span<const std::string_view> texts, std::span<float> out) = 0;
  /// out: [images.size(), dimension]; unit vectors. Resizes and crops each image as the model's processor does, in
  /// memory that is reserved in `budget`. Throws Error(bad_input) for an image that is too long and narrow for it.
  virtual void embed_images(std::span<const RgbImage> images, Budget& budget, std::span<float> out) = 0;
};

}  // namespace frugal
