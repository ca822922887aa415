// One function per format, called by extract(), and their shared readers. Private to this room.
#pragma once

#include <functional>
#include <istream>
#include <string>

#include "base/hash.h"
#include "rag/extract/extract.h"

namespace frugal {

using DocumentSink = std::function<void(Document)>;

/// The memory of one document while it is read: a few times its bytes.
class DocumentMemory {
 public:
  DocumentMemory(Budget& budget, uint64_t copies, const std::filesystem::path& name)
      : budget_(budget), copies_(copies), name_(name) {}
  /// Reserves for a document of `bytes`, before they are read. Throws Error(over_budget).
  void hold(uint64_t bytes);

 private:
  Budget& budget_;
  uint64_t copies_;
  const std::filesystem::path& name_;
  Reservation held_;
};

/// Reads a stream line by line and hashes it. A line longer than the limit is skipped and reported as too long.
class LineReader {
 public:
  LineReader(std::istream& input, Sha256& hash, uint64_t max_line_bytes, DocumentMemory& memory)
      : input_(input), hash_(hash), max_line_bytes_(max_line_bytes), memory_(memory) {}
  /// Next line without its "\n"; false at the end.
  bool next(std::string& line);
  bool too_long() const { return too_long_; }  // true if the last line was skipped; it is then empty
  int64_t number() const { return number_; }   // number of the last line, from 1
  uint64_t offset() const { return offset_; }  // of its first byte
  DocumentMemory& memory() { return memory_; }

 private:
  bool fill();
  std::istream& input_;
  Sha256& hash_;
  uint64_t max_line_bytes_;
  DocumentMemory& memory_;
  std::string buffer_;
  size_t at_ = 0;
  uint64_t buffer_offset_ = 0;
  uint64_t offset_ = 0;
  bool too_long_ = false;
  int64_t number_ = 0;
};

/// Counts skipped records by reason.
class SkippedRecords {
 public:
  void add(std::string_view why, int64_t line);
  std::string text() const;  // "2 records: no text (first: line 7)"; empty if nothing was added

 private:
  struct Reason {
    std::string why;
    int64_t count = 0;
    int64_t first_line = 0;
  };
  std::vector<Reason> reasons_;
};

Extracted extract_jsonl(LineReader& lines, const DocumentSink& sink);
Extracted extract_csv(LineReader& lines, const ExtractOptions& options, const DocumentSink& sink);
/// An e-mail as one document, and a mailbox as a record for each message.
Extracted extract_eml(const std::string& message, const DocumentSink& sink);
Extracted extract_mbox(LineReader& lines, const ExtractOptions& options, const DocumentSink& sink);

}  // namespace frugal
