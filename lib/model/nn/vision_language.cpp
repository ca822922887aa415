#include "model/nn/vision_language.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace frugal {
namespace {

class DecodedImageText final : public ImageText {
 public:
  DecodedImageText(Decoder& language, KvCache cache, int64_t prompt_tokens, int64_t max_tokens)
      : ImageText(prompt_tokens, max_tokens), language_(language), cache_(std::move(cache)) {}

  void append(TokenId id, std::span<float> logits) override { language_.forward(std::span(&id, 1), cache_, logits); }

 private:
  Decoder& language_;
  KvCache cache_;
};

}  // namespace

std::unique_ptr<ImageText> VisionDecoder::read(const RgbImage& image, std::string_view request, int64_t max_tokens,
                                               std::span<float> logits, Budget& budget, KvType type) {
  Decoder& decoder = language();
  const Prompt around = prompt(request);
  const int64_t tokens =
      int64_t(around.before.size() + around.after.size()) + image_tokens({image.width(), image.height()});
  const int64_t room = std::min(max_tokens, decoder.context_tokens() - tokens);
  if (room < 1)
    throw Error(Code::bad_input, fmt::format("the image and the request take {} tokens and leave no room in a context "
                                             "of {}",
                                             tokens, decoder.context_tokens()))
        .hint("ask with fewer words, or give a smaller image");
  KvCache cache = decoder.make_cache(tokens + room, budget, type);
  cache.check_room(tokens + room);
  if (!around.before.empty()) decoder.forward(around.before, cache, {});
  read_image(image, budget, cache);
  decoder.forward(around.after, cache, logits);
  return std::make_unique<DecodedImageText>(decoder, std::move(cache), tokens, room);
}

}  // namespace frugal
