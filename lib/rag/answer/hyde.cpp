#include "rag/answer/hyde.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "rag/prompt/prompt.h"
#include "rag/text/plain_text.h"

namespace frugal {
namespace {

// In the language that the passage is to have: a generator answers in the language that it is asked in.
std::string task_in(Language language) {
  if (language == Language::portuguese)
    return "Escreva um parágrafo curto, como o de uma enciclopédia ou de uma lei, que responda à pergunta. Escreva em "
           "português.";
  return "Write one short paragraph, as an encyclopedia or a law would, that answers the question. Use the language of "
         "the question.";
}

}  // namespace

HydePassage write_hyde(const Question& question, const HydeOptions& options, Models& models, int64_t remaining_ms) {
  try {
    const ChatMessage messages[] = {{"system", task_in(question.language)}, {"user", plain_text(question.text)}};
    GenerateOptions generate;
    generate.max_new_tokens = options.max_new_tokens;
    generate.deadline_ms = remaining_ms > 0 ? std::min(options.timeout_ms, remaining_ms) : options.timeout_ms;
    // The embedder is prefetched while the generator writes: from the first token on, the disk is idle.
    Generation passage = models.generator()->chat(messages, generate, [&](std::string_view) {
      models.prefetch_embedder();
      return true;
    });
    if (passage.finish == Finish::deadline)
      return {{}, fmt::format("the generator took longer than {} ms", generate.deadline_ms)};
    if (passage.text.empty()) return {{}, "the generator wrote nothing"};
    return {std::move(passage.text), {}};
  } catch (const Error& error) {
    return {{}, error.message()};
  }
}

std::vector<float> blend(std::span<const float> question, std::span<const float> passage) {
  std::vector<float> mean(question.size());
  for (size_t i = 0; i < mean.size(); ++i) mean[i] = (question[i] + passage[i]) / 2;
  normalise(mean);
  return mean;
}

}  // namespace frugal
