// The interface of a model that reads an image and a text and writes a text, such as BLIP-2 or Qwen3-VL. Images become
// rows of its language model: in the cache of a decoder (VisionDecoder), or in the source of an encoder-decoder.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "memory/budget.h"
#include "model/nn/decoder.h"
#include "model/nn/kv_cache.h"
#include "model/nn/model.h"
#include "model/tokenize/tokenizer.h"
#include "model/vision/processor_config.h"
#include "model/vision/rgb_image.h"

namespace frugal {

/// A text about an image in the making, token by token. Must not outlive the model and the budget that it is made with.
class ImageText {
 public:
  virtual ~ImageText() = default;
  /// Tokens that were read before the text: those of the image, of the request and of the prompt around them.
  int64_t prompt_tokens() const { return prompt_tokens_; }
  /// Tokens for which there is room.
  int64_t max_tokens() const { return max_tokens_; }
  /// Appends a token and writes the logits of the next one. logits: [vocab_size]. Throws as Decoder::forward().
  virtual void append(TokenId id, std::span<float> logits) = 0;

 protected:
  ImageText(int64_t prompt_tokens, int64_t max_tokens) : prompt_tokens_(prompt_tokens), max_tokens_(max_tokens) {}

 private:
  int64_t prompt_tokens_, max_tokens_;
};

/// Not thread-safe: one forward pass at a time.
class VisionLanguage : public Model {
 public:
  static constexpr ModelKindWords kKind{ModelKind::vision_language, "model of images and text", "does not read images",
                                        "give the pack of a model such as BLIP-2 or Qwen3-VL"};
  ModelKind kind() const final { return kKind.kind; }

  virtual int64_t vocab_size() const = 0;
  virtual const Tokenizer& tokenizer() const = 0;
  /// The tokens that end what the model writes.
  virtual std::vector<TokenId> ends() const = 0;
  /// From now on, images are read with at most about so many pixels, in a model that takes images of any size. Never
  /// fewer or more than its processor allows.
  virtual void limit_pixels(int64_t max_pixels) { static_cast<void>(max_pixels); }
  /// Reads an image and a request, of which an empty one asks for a caption, and writes the logits of the first token
  /// of a text of up to `max_tokens`, or of fewer if the model cannot write as many. Resizes and crops the image as the
  /// model's processor does, in memory that is reserved in `budget`. logits: [vocab_size]. Throws Error(bad_input) for
  /// an image that is too long and narrow for it and for a request that is too long, Error(over_budget), and
  /// Error(usage) as KvCache does.
  virtual std::unique_ptr<ImageText> read(const RgbImage& image, std::string_view request, int64_t max_tokens,
                                          std::span<float> logits, Budget& budget, KvType type = KvType::f32) = 0;
};

/// One whose language model is a decoder, which goes on from the rows of the image in its cache.
class VisionDecoder : public VisionLanguage {
 public:
  int64_t vocab_size() const final { return language().vocab_size(); }
  const Tokenizer& tokenizer() const final { return language().tokenizer(); }
  std::unique_ptr<ImageText> read(const RgbImage& image, std::string_view request, int64_t max_tokens,
                                  std::span<float> logits, Budget& budget, KvType type) final;

  /// The language model, whose caches read_image() extends.
  virtual Decoder& language() = 0;
  virtual const Decoder& language() const = 0;
  /// Rows that an image of this size takes in the cache.
  virtual int64_t image_tokens(ImageSize size) const = 0;

  /// What stands before and after the image in a request; an empty one asks for a caption.
  struct Prompt {
    std::vector<TokenId> before, after;  // `after` is not empty
  };
  virtual Prompt prompt(std::string_view request) const = 0;

  /// Appends the image to the cache. Throws as read().
  virtual void read_image(const RgbImage& image, Budget& budget, KvCache& cache) = 0;
};

}  // namespace frugal
