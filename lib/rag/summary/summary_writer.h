// A model that writes a short text from a longer one: a generator that is asked to, or an encoder-decoder that was
// trained to. It may invent; summary.h checks what it writes.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/setting.h"
#include "memory/budget.h"
#include "model/generate/generator.h"
#include "model/nn/kv_cache.h"
#include "model/nn/seq2seq.h"
#include "rag/text/language.h"

namespace frugal {

enum class SummaryStyle { paragraph, bullets, one_line };
constexpr std::array<Named<SummaryStyle>, 3> names_of(SummaryStyle) {
  return {{{SummaryStyle::paragraph, "paragraph"},
           {SummaryStyle::bullets, "bullets"},
           {SummaryStyle::one_line, "one-line"}}};
}

struct SummaryRequest {
  std::string_view text;
  Language language = Language::unknown;
  SummaryStyle style = SummaryStyle::paragraph;
  int64_t max_words = 0;
};

struct WrittenSummary {
  std::string text;
  int64_t source_tokens = 0, new_tokens = 0;
};

class SummaryWriter {
 public:
  virtual ~SummaryWriter() = default;
  /// Identifies everything that a written text depends on besides the request.
  virtual std::string identity() const = 0;
  virtual int64_t count_tokens(std::string_view text) const = 0;
  /// The longest text that write() reads whole, in tokens; it cuts a longer one at its end.
  virtual int64_t max_source_tokens(int64_t max_words) const = 0;
  /// `sink` gets the text while it is written, or at once, and may end it. Throws Error(over_budget).
  virtual WrittenSummary write(const SummaryRequest& request, const TokenSink& sink) = 0;
};

/// A generator that is told what to do in the language of the text, which stands between delimiters that its author
/// cannot know (`boundary_of`, rag/prompt/boundary.h). options: max_new_tokens is ignored. Borrows `generator`.
std::unique_ptr<SummaryWriter> make_chat_writer(Generator& generator, GenerateOptions options,
                                                std::function<std::string(std::string_view text)> boundary_of);

/// An encoder-decoder with the settings of its checkpoint, but for the length. Its style is its own. Borrows `model`
/// and `budget`.
std::unique_ptr<SummaryWriter> make_seq2seq_writer(Seq2Seq& model, Budget& budget, KvType kv_type = KvType::automatic);

}  // namespace frugal
