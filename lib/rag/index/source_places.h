// Where chunks are in their files, for texts that are not the files' bytes: a map for each chunk, and for each document
// the byte and line that its maps begin at, so that a record that moved in its file moves with one row. In tables of
// their own: an index made before has none, and is read all the same.
#pragma once

#include <cstdint>

#include "rag/database/sqlite.h"
#include "rag/extract/extract.h"

namespace frugal {

class SourcePlaces {
 public:
  explicit SourcePlaces(Database& database);

  /// Stores the places of a document whose chunks are stored. `chunks_stay`: they and their ranges are as before.
  void put(int64_t document_id, const Document& document, bool chunks_stay);
  void remove_chunk(int64_t chunk_id);
  void remove_document(int64_t document_id);

 private:
  Statement find_document_, put_document_, move_document_, delete_document_;
  Statement chunks_, put_chunk_, delete_chunk_, delete_chunks_;
};

/// Reads them for the store.
class SourcePlaceReader {
 public:
  explicit SourcePlaceReader(const Database& database);
  /// The map of a chunk's text; nullopt if none was stored.
  std::optional<SourceMap> find(int64_t chunk_id);

 private:
  std::optional<Statement> find_;  // absent: an index without these tables
};

}  // namespace frugal
