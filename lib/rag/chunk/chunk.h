// Splits documents into chunks: by headings, articles of law, paragraphs and sentences, within the embedder's token
// budget. A chunk is a byte range of the document's text. Together, chunks cover all of the text that is not blank.
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
  int64_t max_tokens = 220;     // of the chunk's text, without the tokens of the model's template
  int64_t overlap_tokens = 32;  // of the previous chunk, repeated if a paragraph had to be split; whole sentences only
  /// Counts tokens; null: their number is estimated. Borrowed.
  const Tokenizer* tokenizer = nullptr;

  template <typename F>
  void visit(F&& f) {
    constexpr double kMaxTokens = 1 << 20;
    f("chunking.max_tokens", max_tokens,
      {"maximum length of a chunk in tokens of the embedder, without special tokens", Range{16, kMaxTokens}});
    f("chunking.overlap_tokens", overlap_tokens,
      {"tokens of the previous chunk that are repeated if a paragraph is split", Range{0, kMaxTokens}});
  }
  /// Identifies the options that chunks depend on: a file that was chunked with another recipe is chunked again.
  std::string recipe() const;
};

struct TextChunk {
  uint32_t begin = 0;
  uint32_t end = 0;
  int64_t line = 1;     // of `begin` in the file, from 1; in a record, the line of the record
  std::string heading;  // path of headings, joined by " › "
  Language language = Language::unknown;
  std::vector<Provision> references;  // the provisions whose text the chunk contains, sorted
  int64_t page = 0;                   // of `begin`, from 1; 0: the document has no pages
};

/// The chunks of a document, in order. The text must be smaller than 4 GiB. stem: the file name without its extension;
/// it is searched for the name of the law if title and text have none.
std::vector<TextChunk> chunk_document(const Document& document, std::string_view stem, const ChunkOptions& options,
                                      const LawTable& laws);

}  // namespace frugal
