// The documents of an index in SQLite: files, documents, chunks, words and references, changing only what differs from
// what is there. Part of the SQLite writer: all calls belong inside a transaction of the caller, and mean what
// StoreWriter says.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rag/index/sqlite.h"
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
  /// Whether the file's bytes or recipe differ from before.
  bool end_file(const IndexedFile::Stamp& stamp, const std::string& sha256, const std::string& note);
  void abandon_file();
  void remove_file(int64_t file_id);

  /// Writes the word index anew from the chunks, for terms made by another version.
  void rebuild_terms();

 private:
  struct StoredDocument {
    int64_t id = 0;
    std::string title;
    std::string sha256;
    int64_t pass = 0;  // in which it was last put
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
    bool chunks_are_stale = false;  // they were made by another recipe
    StoreWriter::Counts counts_before;
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
  void remove_documents_but_of_pass(int64_t file_id, int64_t pass);

  Database& database_;
  TermMaker terms_;
  StoreWriter::Counts counts_;
  OpenFile file_;
  int64_t pass_ = 0;  // counts the files begun: a document of an earlier pass was not put again

  Statement find_file_, insert_file_, update_file_, delete_file_;
  Statement find_document_, insert_document_, update_document_, delete_document_, stale_documents_;
  Statement title_of_document_, chunks_of_document_, insert_chunk_, move_chunk_, move_record_, delete_chunk_;
  Statement find_vector_, insert_terms_, delete_terms_, insert_reference_, delete_references_;
};

}  // namespace frugal
