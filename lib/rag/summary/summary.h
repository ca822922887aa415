// Summaries of texts of any length, with a citation for every sentence. A long text is cut into parts of whole chunks;
// a model shortens each part (map), what it wrote is joined and shortened again (reduce) until one part is left.
// Without a model, or where a model wrote nothing that its source bears out, the central sentences are quoted.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/setting.h"
#include "rag/cache/file_cache.h"
#include "rag/law/provision.h"
#include "rag/reply/reply.h"
#include "rag/summary/summary_writer.h"
#include "rag/text/language.h"

namespace frugal {

enum class SummaryMode { automatic, extract, generate };
constexpr std::array<Named<SummaryMode>, 3> names_of(SummaryMode) {
  return {{{SummaryMode::automatic, "auto"}, {SummaryMode::extract, "extract"}, {SummaryMode::generate, "generate"}}};
}

struct SummaryOptions {
  SummaryMode mode = SummaryMode::automatic;
  SummaryStyle style = SummaryStyle::paragraph;
  int64_t max_words = 150;     // of the summary, except that a single sentence is never cut
  int64_t part_tokens = 1500;  // of text that the model reads at once, if its context has room for them
  /// Share of the content words of a written sentence that its source must contain.
  float min_support = 0.5f;

  template <typename F>
  void visit(F&& f) {
    f("summary.mode", mode,
      {"extract (quote the central sentences), generate (the model writes), auto (generate with models.summarizer or a "
       "generator that is large enough, else extract)"});
    f("summary.style", style, {"paragraph, bullets (a line for each sentence) or one-line (one sentence)"});
    f("summary.max_length", max_words, {"maximum length of a summary in words; a sentence is not cut", Range{1, 1e6}});
    f("summary.part_tokens", part_tokens,
      {"tokens of a long text that the model reads at once, if its context has room for them", Range{64, 1 << 20}});
    f("summary.min_support", min_support, kInternal);
  }
};

struct SummaryStatement {
  std::string text;  // plain text on one line
  int64_t n = 0;     // of its citation
};

struct TextSummary {
  SummaryMode mode = SummaryMode::extract;  // how it was made; never automatic
  SummaryStyle style = SummaryStyle::paragraph;
  Language language = Language::unknown;  // of the text, and so of the summary
  std::vector<SummaryStatement> statements;
  std::vector<Citation> citations;                  // numbered from 1 in order of appearance
  int64_t chunks = 0;                               // of the text
  int64_t parts = 0, cached_parts = 0, levels = 0;  // texts that the model shortened; of them from the cache
  int64_t source_tokens = 0, new_tokens = 0;        // read and written by the model in this process
  int64_t dropped_sentences = 0;                    // written, and not borne out by their source
  int64_t quoted_parts = 0;                         // of which central sentences are quoted, as nothing else was left
};

/// What a caller may want to see or add; each may be empty.
struct SummaryHooks {
  std::function<void(int64_t done, int64_t parts)> progress;  // parts of the present level
  std::function<void(const SummaryStatement&)> statement;     // of the final summary, as soon as it is known
  const FileCache* cache = nullptr;                           // of written parts
  const LawTable* laws = nullptr;                             // a sentence may not name another law than its source
};

/// Summarises the chunks of a text, in their order, which must not overlap. writer: null extracts. There are no
/// statements if the text has no sentence to quote. Throws what the writer and the hooks throw.
TextSummary summarise(std::span<const Hit> chunks, SummaryWriter* writer, const SummaryOptions& options,
                      const SummaryHooks& hooks);

}  // namespace frugal
