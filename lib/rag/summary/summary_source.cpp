#include "rag/summary/summary_source.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/naming.h"
#include "base/units.h"
#include "rag/chunk/chunk.h"

namespace frugal {
namespace {

// Of the text's bytes, in memory: the chunks, their places and what belongs to them.
constexpr uint64_t kCopies = 3;

class SourceReading {
 public:
  SourceReading(const std::filesystem::path& path, FileKind kind, const LawTable& laws, Budget& budget)
      : path_(path), kind_(kind), laws_(laws), budget_(budget) {
    options_.overlap_tokens = 0;
  }

  void set_file(const struct stat& info) {
    file_bytes_ = info.st_size;
    file_mtime_ns_ = nanoseconds(info.st_mtim);
  }

  void add(const Document& document) {
    Reservation more =
        budget_.reserve(MemoryTag::io, kCopies * document.text.size(), fmt::format("the text of '{}'", path_.native()));
    source_.memory.absorb(std::move(more));
    const std::string sha256 = sha256_hex(document.text);
    for (TextChunk& piece : chunk_document(document, path_.stem().native(), options_, laws_)) {
      Hit hit;
      hit.chunk = chunk_of(document, std::move(piece), sha256);
      source_.chunks.push_back(std::move(hit));
    }
  }

  SummarySource take() { return std::move(source_); }

 private:
  Chunk chunk_of(const Document& document, TextChunk piece, const std::string& sha256) const {
    Chunk chunk;
    chunk.id = int64_t(source_.chunks.size()) + 1;
    chunk.path = path_.native();
    chunk.external_id = document.external_id;
    chunk.document = document.is_record ? fmt::format("{}#{}", chunk.path, document.external_id) : chunk.path;
    chunk.title = document.title;
    chunk.heading = std::move(piece.heading);
    chunk.text = document.text.substr(piece.begin, piece.end - piece.begin);
    chunk.start_byte = piece.begin;
    chunk.end_byte = piece.end;
    const bool is_file_text = (kind_ == FileKind::text || kind_ == FileKind::markdown) && !document.source;
    if (file_bytes_ >= 0 && document.source) chunk.source = document.source->slice(piece.begin, piece.end);
    if (chunk.source) *chunk.source = chunk.source->moved(document.source->source_begin(), document.source->line());
    chunk.in_file = file_bytes_ >= 0 && (is_file_text || chunk.source);
    chunk.place = chunk.source ? chunk.source->find(0, chunk.text.size())
                               : SourceMap::Place{chunk.start_byte, chunk.end_byte, piece.line};
    chunk.line = chunk.place.line;
    chunk.file_bytes = file_bytes_;
    chunk.file_mtime_ns = file_mtime_ns_;
    chunk.page = piece.page;
    chunk.sha256 = sha256;
    chunk.language = piece.language;
    chunk.references = std::move(piece.references);
    return chunk;
  }

  const std::filesystem::path& path_;
  FileKind kind_;
  const LawTable& laws_;
  Budget& budget_;
  ChunkOptions options_;
  int64_t file_bytes_ = -1, file_mtime_ns_ = 0;
  SummarySource source_;
};

}  // namespace

SummarySource read_summary_source(std::istream& input, const std::filesystem::path& path, bool is_file,
                                  const LawTable& laws, Budget& budget) {
  const FileKind kind = file_kind(path).value_or(FileKind::text);
  SourceReading reading(path, kind, laws, budget);
  struct stat info {};
  if (is_file && ::stat(path.c_str(), &info) == 0) reading.set_file(info);
  ExtractOptions options;
  options.budget = budget;
  const Extracted extracted = naming_file(path, [&] {
    return extract(input, kind, path, options, [&](const Document& document) { reading.add(document); });
  });
  SummarySource source = reading.take();
  source.note = extracted.note;
  if (!extracted.skipped_records.empty()) source.note += (source.note.empty() ? "" : "; ") + extracted.skipped_records;
  if (source.chunks.empty())
    throw Error(Code::bad_input, fmt::format("'{}' has no text", path.native()))
        .hint(source.note.empty() ? "summarize reads text, not pictures" : source.note);
  return source;
}

}  // namespace frugal
