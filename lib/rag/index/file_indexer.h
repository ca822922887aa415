// Adds single files to a store and removes them: an unchanged file is left alone, a new or changed file is extracted
// and chunked, and a file that cannot be read is recorded as skipped, without documents. Part of IndexWriter.
#pragma once

#include <cstdint>
#include <filesystem>
#include <istream>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "rag/chunk/chunk.h"
#include "rag/extract/extract.h"
#include "rag/extract/extraction_child.h"
#include "rag/index/image_indexer.h"
#include "rag/index/index_writer.h"
#include "rag/index/store_writer.h"

namespace frugal {

class FileIndexer {
 public:
  /// Borrows all three. Counts are added to `report`.
  FileIndexer(StoreWriter& store, const IndexOptions& options, IndexReport& report);

  /// named: the path itself was given, so the file is read whatever its extension.
  void add(const std::filesystem::path& path, bool named);
  void add_stdin();
  void remove(int64_t file);
  void skip(const std::filesystem::path& path, const std::string& reason);
  /// The same for a path of which nothing was read.
  void skip_unread(const std::filesystem::path& path, const std::string& reason);
  void commit();

  /// Files that earlier runs skipped. One of which add() finds the same bytes is skipped again.
  void remember_skipped(const std::vector<SkippedFile>& skipped);
  /// The remembered files that were not skipped since.
  std::vector<std::string> take_remembered();

  /// The ids of files that add() read or found unchanged since the last call.
  std::vector<int64_t> take_added();

 private:
  struct Source {
    std::istream& input;
    FileKind kind;
    std::filesystem::path path;
    IndexedFile::Stamp stamp;
  };
  void ignore(const std::filesystem::path& path);
  void add_changed(const Source& source, const std::optional<IndexedFile>& known);
  std::optional<Extracted> put_documents(const Source& source);
  void put_document(const std::filesystem::path& path, const Document& document);
  std::vector<NewChunk> chunks_of(const std::filesystem::path& path, const Document& document) const;
  void count_added(const Source& source, const std::optional<IndexedFile>& known, const Extracted& extracted);
  std::string recipe(FileKind kind) const;
  bool is_unchanged(const IndexedFile& known, const IndexedFile::Stamp& stamp, FileKind kind) const;
  void count_read();
  void commit_if_large();
  int64_t chunks_touched() const;

  StoreWriter& store_;
  const IndexOptions& options_;
  IndexReport& report_;
  ChunkOptions chunking_;
  ExtractionChild child_;
  std::string recipe_;
  ImageIndexer images_;
  std::unordered_map<std::string, int64_t> copies_;  // in this file: by name, the last number behind a repeated one
  std::vector<int64_t> added_;
  std::map<std::string, std::string> remembered_;  // path → reason
  int64_t files_read_ = 0;
  int64_t files_in_batch_ = 0;
  int64_t chunks_at_commit_ = 0;
  int64_t images_at_commit_ = 0;
};

}  // namespace frugal
