// The interface of a model that reads an image and a text and writes a text, such as BLIP-2: images become rows in the
// cache of its language model, which goes on from there.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "memory/budget.h"
#include "model/nn/decoder.h"
#include "model/nn/kv_cache.h"
#include "model/nn/model.h"
#include "model/vision/processor_config.h"
#include "model/vision/rgb_image.h"

namespace frugal {

/// Not thread-safe: one forward pass at a time.
class VisionLanguage : public Model {
 public:
  static constexpr ModelKindWords kKind{ModelKind::vision_language, "model of images and text", "does not read images",
                                        "give the pack of a model such as BLIP-2"};
  ModelKind kind() const final { return kKind.kind; }

  /// The language model, whose caches read_image() extends.
  virtual Decoder& language() = 0;
  /// Rows that an image of this size takes in the cache.
  virtual int64_t image_tokens(ImageSize size) const = 0;

  /// What stands before and after the image in a request; an empty one asks for a caption.
  struct Prompt {
    std::vector<TokenId> before, after;  // `after` is not empty
  };
  virtual Prompt prompt(std::string_view request) const = 0;
  /// The tokens that end what the model writes.
  virtual std::vector<TokenId> ends() const = 0;

  /// Appends the image to the cache. Resizes and crops it as the model's processor does, in memory that is reserved in
  /// `budget`. Throws Error(bad_input) for an image that is too long and narrow for it, and as Decoder::forward().
  virtual void read_image(const RgbImage& image, Budget& budget, KvCache& cache) = 0;
};

}  // namespace frugal
