#include "model/generate/image_describer.h"

#include <memory>
#include <vector>

#include "model/generate/decoding.h"

namespace frugal {

Generation describe_image(VisionLanguage& model, const RgbImage& image, std::string_view request,
                          const GenerateOptions& options, Budget& budget, const TokenSink& sink, KvType kv_type) {
  const Deadline deadline(options.deadline_ms);
  Sampler sampler(options);
  TextStream stream(options.stop);
  std::vector<float> logits(static_cast<size_t>(model.vocab_size()));
  const std::unique_ptr<ImageText> text = model.read(image, request, options.max_new_tokens, logits, budget, kv_type);
  Generation result;
  result.prompt_tokens = text->prompt_tokens();
  result.prefill_ns = deadline.elapsed_ns();
  const auto append = [&](TokenId id, std::span<float> next) { text->append(id, next); };
  write_tokens(model.tokenizer(), append, logits, model.ends(), text->max_tokens(), sampler, stream, deadline, sink,
               result);
  result.decode_ns = deadline.elapsed_ns() - result.prefill_ns;
  return result;
}

}  // namespace frugal
