// Documents to chunks: by headings, articles of law, paragraphs and sentences, within the embedder's token budget.
// Every chunk is a range of bytes of the document's text, and together they cover all of it that is not blank.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/setting.h"
#include "model/tokenize/tokenizer.h"
#include "rag/extract/extract.h"
#include "rag/law/provision.h"
#include "rag/text/language.h"

namespace frugal {

struct ChunkOptions {
  int64_t max_tokens = 220;     // of the text alone; what the model's template adds is already taken off
  int64_t overlap_tokens = 32;  // of the chunk before, repeated where a paragraph had to be cut; whole sentences only
  /// Counts tokens; without one they are estimated from letters.
  const Tokenizer* tokenizer = nullptr;

  template <typename F>
  void visit(F&& f) {
    constexpr double kMaxTokens = 1 << 20;
    f("chunking.max_tokens", max_tokens,
      {"maximum length of a chunk in tokens of the embedder, without special tokens", Range{16, kMaxTokens}});
    f("chunking.overlap_tokens", overlap_tokens,
      {"tokens of the previous chunk that are repeated if a paragraph is split", Range{0, kMaxTokens}});
  }
  /// Names what chunks depend on: an index made with other values chunks its files again.
  std::string recipe() const;
};

struct TextChunk {
  uint32_t begin = 0;
  uint32_t end = 0;
  int64_t line = 1;     // of `begin` in its file, from 1; every chunk of a record has the record's
  std::string heading;  // path of headings, " › " between
  Language language = Language::unknown;
  std::vector<Provision> references;  // the provisions that the chunk holds, sorted
};

/// `stem`: of the file's name, the last place where a law's name is looked for. The text is at most 4 GiB.
std::vector<TextChunk> chunk_document(const Document& document, std::string_view stem, const ChunkOptions& options,
                                      const LawTable& laws);

}  // namespace frugal
