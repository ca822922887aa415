#include "model/generate/image_describer.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "model/generate/decoding.h"

namespace frugal {

Generation describe_image(VisionLanguage& model, const RgbImage& image, std::string_view request,
                          const GenerateOptions& options, Budget& budget, const TokenSink& sink, KvType kv_type) {
  const Deadline deadline(options.deadline_ms);
  Sampler sampler(options);
  TextStream stream(options.stop);
  Decoder& language = model.language();
  const VisionLanguage::Prompt prompt = model.prompt(request);
  const int64_t read =
      int64_t(prompt.before.size() + prompt.after.size()) + model.image_tokens({image.width(), image.height()});
  const int64_t max_new_tokens = std::min(options.max_new_tokens, language.context_tokens() - read);
  if (max_new_tokens < 1)
    throw Error(Code::bad_input, fmt::format("the image and the request take {} tokens and leave no room in a context "
                                             "of {}",
                                             read, language.context_tokens()))
        .hint("ask with fewer words");
  KvCache cache = language.make_cache(read + max_new_tokens, budget, kv_type);
  cache.check_room(read + max_new_tokens);
  std::vector<float> logits(static_cast<size_t>(language.vocab_size()));
  if (!prompt.before.empty()) language.forward(prompt.before, cache, {});
  model.read_image(image, budget, cache);
  language.forward(prompt.after, cache, logits);
  Generation result;
  result.prompt_tokens = read;
  result.prefill_ns = deadline.elapsed_ns();
  write_tokens(language, cache, logits, model.ends(), max_new_tokens, sampler, stream, deadline, sink, result);
  result.decode_ns = deadline.elapsed_ns() - result.prefill_ns;
  return result;
}

}  // namespace frugal
