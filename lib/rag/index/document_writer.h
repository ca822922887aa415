// Writes documents, their chunks, words and references into an index, changing only what differs from what is there.
// Internal to the write side. All calls belong inside a transaction of the caller.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rag/extract/extract.h"
#include "rag/index/chunk.h"
#include "rag/index/sqlite.h"
#include "rag/index/terms.h"
#include "rag/law/provision.h"
#include "rag/text/language.h"

namespace frugal {

/// What the embedder is given for a chunk.
std::string embedding_text(std::string_view title, std::string_view text);

class DocumentWriter {
 public:
  DocumentWriter(Database& database, const ChunkOptions& options, const LawTable& laws);

  struct Counts {
    int64_t documents_written = 0, chunks_added = 0, chunks_removed = 0, vectors_reused = 0;
  };
  const Counts& counts() const { return counts_; }

  /// Row of the file, new or known. Its documents that are not put() before end_file() vanish.
  int64_t begin_file(const std::string& path);
  /// `chunks_are_stale`: the recipe changed, so a document is chunked again even if its text is the same.
  void put(Document document, bool chunks_are_stale);
  struct FileStamp {
    int64_t bytes = -1, mtime_ns = 0, ctime_ns = 0;
    bool operator==(const FileStamp&) const = default;
  };
  void end_file(const FileStamp& stamp, const std::string& sha256, const std::string& recipe, const std::string& note);
  void remove_file(int64_t file_id);

  /// Writes the word index anew from the chunks, for terms made by another version.
  void rebuild_terms();

 private:
  struct StoredChunk {
    int64_t id = 0;
    uint32_t begin = 0, end = 0;
    std::string key;
    std::string heading;
    std::string text;
    Language language = Language::unknown;
  };
  int64_t put_document(const Document& document, const std::string& name, const std::string& sha256,
                       bool& is_unchanged);
  std::string unique_name(const Document& document);
  std::vector<StoredChunk> stored_chunks(int64_t document_id);
  void put_chunks(int64_t document_id, const Document& document);
  void insert_chunk(int64_t document_id, const Document& document, const TextChunk& chunk, const std::string& key);
  void put_references(int64_t chunk_id, const std::vector<Provision>& references);
  void remove_chunk(const StoredChunk& chunk, std::string_view title);
  void remove_document(int64_t document_id);

  Database& database_;
  const ChunkOptions& options_;
  const LawTable& laws_;
  TermMaker terms_;
  Counts counts_;
  std::string path_;
  int64_t file_id_ = 0;
  int64_t pass_ = 0;

  Statement find_file_, insert_file_, update_file_, delete_file_;
  Statement find_document_, insert_document_, update_document_, delete_document_, stale_documents_, documents_of_file_;
  Statement chunks_of_document_, insert_chunk_, move_chunk_, move_record_, delete_chunk_, find_vector_;
  Statement insert_terms_, delete_terms_, insert_reference_, delete_references_;
};

}  // namespace frugal
