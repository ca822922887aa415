// Writes the files, documents, chunks, words and provisions of an SQLite index, and leaves unchanged rows alone. Part
// of the SQLite writer: every call must be inside a transaction of the caller. Functions that StoreWriter has under the
// same name have its contract.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rag/database/sqlite.h"
#include "rag/index/source_places.h"
#include "rag/index/store_writer.h"
#include "rag/index/terms.h"
#include "rag/text/language.h"

namespace frugal {

class DocumentWriter {
 public:
  explicit DocumentWriter(Database& database);

  const StoreWriter::Counts& counts() const { return counts_; }

  int64_t begin_file(const std::string& path, const std::string& recipe);
  bool put(const std::string& name, const Document& document, const std::function<std::vector<NewChunk>()>& chunk);
  void put_images(std::span<const NewImage> images);
  /// True if the file's bytes or recipe changed.
  bool end_file(const IndexedFile::Stamp& stamp, const std::string& sha256, const std::string& note);
  void abandon_file();
  void remove_file(int64_t file_id);

  /// Rebuilds the word index from the chunks; needed if TermMaker::fingerprint() changed.
  void rebuild_terms();

 private:
  struct StoredDocument {
    int64_t id = 0;
    std::string title;
    std::string sha256;
    int64_t pass = 0;  // the pass that put it last
  };
  struct StoredChunk {
    int64_t id = 0;
    uint32_t begin = 0, end = 0;
    std::string key;
    std::string heading;
    std::string text;
    Language language = Language::unknown;
  };
  struct OpenFile {
    int64_t id = 0;
    std::string recipe;
    std::string old_sha256;         // empty: a new file
    bool chunks_are_stale = false;  // made by another recipe
    StoreWriter::Counts counts_before;
    int64_t last_document = 0;  // that was put
  };
  std::optional<StoredDocument> find_document(const std::string& name);
  int64_t insert_document(const std::string& name, const Document& document, const std::string& sha256);
  std::vector<StoredChunk> stored_chunks(int64_t document_id);
  void put_chunks(int64_t document_id, const Document& document, const std::vector<NewChunk>& chunks);
  void insert_chunk(int64_t document_id, const Document& document, const NewChunk& chunk);
  std::optional<int64_t> vector_of(const std::string& key);
  void put_references(int64_t chunk_id, const std::vector<Provision>& references);
  void remove_chunk(const StoredChunk& chunk, std::string_view title);
  void remove_document(int64_t document_id);
  void remove_stale_documents(int64_t file_id, int64_t pass);
  void put_fields(int64_t document_id, const DocumentFields& fields);

  Database& database_;
  SourcePlaces places_;
  TermMaker terms_;
  StoreWriter::Counts counts_;
  OpenFile file_;
  int64_t pass_ = 0;  // number of the current file; a document of an earlier pass is stale

  Statement find_file_, insert_file_, update_file_, delete_file_;
  Statement find_document_, insert_document_, update_document_, delete_document_, stale_documents_;
  Statement title_of_document_, chunks_of_document_, insert_chunk_, move_chunk_, move_record_, delete_chunk_;
  Statement find_vector_, insert_terms_, delete_terms_, insert_reference_, delete_references_;
  Statement put_fields_, delete_fields_, delete_images_;
};

}  // namespace frugal
