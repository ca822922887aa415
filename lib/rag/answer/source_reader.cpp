#include "rag/answer/source_reader.h"

#include <array>
#include <span>
#include <vector>

#include "rag/answer/answer_read.h"

namespace frugal {

SourceReader::SourceReader(Reader& reader, const std::string& question, const Evidence& evidence,
                           const std::unordered_map<int64_t, ChunkReading>& readings, uint32_t max_quote_bytes)
    : reader_(reader), question_(question), evidence_(evidence), before_(readings), max_quote_bytes_(max_quote_bytes) {}

bool SourceReader::answers(const Hit& source) {
  return read(source).reading.answerable >= 0;
}

std::optional<Quote> SourceReader::quote(const Hit& source) {
  if (!answers(source)) return std::nullopt;
  const std::span<const Hit> one(&source, 1);
  const std::optional<AnswerSpan> span = read_answer(one, {{source.chunk.id, read(source)}}, &evidence_);
  if (!span) return std::nullopt;
  const std::vector<Quote> quotes = quotes_around(one, span->place, max_quote_bytes_);
  return quotes.empty() ? std::nullopt : std::optional(quotes.back());
}

const ChunkReading& SourceReader::read(const Hit& source) {
  if (const auto known = before_.find(source.chunk.id); known != before_.end()) return known->second;
  const auto [read, is_new] = read_.try_emplace(source.chunk.id);
  if (!is_new) return read->second;
  ReaderPair pair = reader_.pair(question_, source.chunk.text);
  const std::vector<HalfRead> half = reader_.read_half(std::span(&pair, 1));
  const std::array<const HalfRead*, 1> rest = {&half.front()};
  read->second.reading = std::move(reader_.read_rest(rest).front());
  read->second.pieces = std::move(pair.pieces);
  return read->second;
}

}  // namespace frugal
