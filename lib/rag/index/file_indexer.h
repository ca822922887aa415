// Files into a store, one by one: what is unchanged is left as it is, what is new or changed is extracted and chunked,
// what cannot be read is noted as skipped and leaves nothing behind. Part of the run of rag-index add and remove.
#pragma once

#include <cstdint>
#include <filesystem>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "rag/extract/extract.h"
#include "rag/index/chunk.h"
#include "rag/index/index_writer.h"
#include "rag/index/store_writer.h"

namespace frugal {

class FileIndexer {
 public:
  /// Borrows all three; counts into `report`.
  FileIndexer(StoreWriter& store, const IndexOptions& options, IndexReport& report);

  /// `named`: given by its own path, and then read whatever its extension.
  void add(const std::filesystem::path& path, bool named);
  void add_stdin();
  void remove(int64_t file);
  void skip(const std::filesystem::path& path, const std::string& reason);
  void commit();

  /// Files that add() found unchanged or has read, since this was last called.
  std::vector<int64_t> take_added();

 private:
  struct Source {
    std::istream& input;
    FileKind kind;
    std::filesystem::path path;
    IndexedFile::Stamp stamp;
  };
  void add_changed(const Source& source, const std::optional<IndexedFile>& known);
  std::optional<Extracted> put_documents(const Source& source);
  void put_document(const std::filesystem::path& path, const Document& document);
  std::vector<NewChunk> chunks_of(const std::filesystem::path& path, const Document& document) const;
  void count_added(const std::filesystem::path& path, const std::optional<IndexedFile>& known,
                   const Extracted& extracted);
  void count_read();
  void commit_if_large();
  int64_t chunks_touched() const;

  StoreWriter& store_;
  const IndexOptions& options_;
  IndexReport& report_;
  ChunkOptions chunking_;
  std::string recipe_;
  std::vector<int64_t> added_;
  int64_t files_read_ = 0;
  int64_t files_in_batch_ = 0;
  int64_t chunks_at_commit_ = 0;
};

}  // namespace frugal
