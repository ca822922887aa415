// What the reader says about the sources of a generated answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "model/nn/reader.h"
#include "rag/answer/stage.h"
#include "rag/evidence/answer_extract.h"
#include "rag/evidence/evidence.h"
#include "rag/reply/reply.h"

namespace frugal {

/// Reads sources together with a question. Not thread-safe.
class SourceReader {
 public:
  /// Borrows its arguments. `readings`: what was read before, by chunk; other sources are read when they are asked for.
  SourceReader(Reader& reader, const std::string& question, const Evidence& evidence,
               const std::unordered_map<int64_t, ChunkReading>& readings, uint32_t max_quote_bytes);

  /// True if the source is more likely than not to hold an answer to the question.
  bool answers(const Hit& source);
  /// The first bytes to quote from a source that answers() the question, as an answer; `hit` of the quote is 0.
  /// nullopt: there is no answer in it.
  std::optional<Quote> quote(const Hit& source);

 private:
  const ChunkReading& read(const Hit& source);

  Reader& reader_;
  const std::string& question_;
  const Evidence& evidence_;
  const std::unordered_map<int64_t, ChunkReading>& before_;
  std::unordered_map<int64_t, ChunkReading> read_;
  uint32_t max_quote_bytes_;
};

}  // namespace frugal
