#include "rag/answer/hyde.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "rag/prompt/prompt.h"
#include "rag/text/plain_text.h"

namespace frugal {

HydeResult write_hyde(std::string_view question, const HydeOptions& options, Models& models, int64_t remaining_ms) {
  try {
    const ChatMessage messages[] = {
        {"system",
         "Write one short paragraph, as an encyclopedia or a law would, that answers the question. "
         "Use the language of the question."},
        {"user", plain_text(question)}};
    GenerateOptions generate;
    generate.max_new_tokens = options.max_new_tokens;
    generate.deadline_ms = remaining_ms > 0 ? std::min(options.timeout_ms, remaining_ms) : options.timeout_ms;
    // The embedder is prefetched while the generator writes: from the first token on, the disk is idle.
    const Generation passage = models.generator()->chat(messages, generate, [&](std::string_view) {
      models.prefetch_embedder();
      return true;
    });
    if (passage.finish == Finish::deadline)
      return {false, fmt::format("skipped: took longer than {} ms", generate.deadline_ms), {}};
    if (passage.text.empty()) return {false, "skipped: the generator wrote nothing", {}};
    return {true, "always", passage.text};
  } catch (const Error& error) {
    return {false, fmt::format("skipped: {}", error.message()), {}};
  }
}

std::vector<float> blend(std::span<const float> question, std::span<const float> passage) {
  std::vector<float> mean(question.size());
  double squares = 0;
  for (size_t i = 0; i < mean.size(); ++i) {
    mean[i] = (question[i] + passage[i]) / 2;
    squares += double(mean[i]) * mean[i];
  }
  const auto scale = static_cast<float>(squares > 0 ? 1 / std::sqrt(squares) : 0);
  for (float& value : mean) value *= scale;
  return mean;
}

}  // namespace frugal
