// Updates an index from files: adds documents, chunks, words and vectors, and repeats no work that is done. Every
// commit leaves a complete index: a killed run loses at most its current batch, and the next run continues. One writer
// at a time, with any number of readers. Independent of the kind of store: it writes through store_writer.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/nn/embedder.h"
#include "rag/chunk/chunk.h"
#include "rag/extract/extract.h"
#include "rag/index/index_status.h"
#include "rag/law/provision.h"

namespace frugal {

struct IndexProgress {
  enum class Stage { reading, embedding };
  Stage stage = Stage::reading;
  int64_t done = 0;   // files read, or chunks embedded
  int64_t total = 0;  // chunks to embed; 0 while reading: the number of files is unknown
};

struct IndexOptions {
  Embedder* embedder = nullptr;  // borrowed; null: new chunks have no vector until a run with an embedder
  bool re_embed = false;         // replace vectors of another embedder instead of throwing
  LawTable laws;
  ExtractOptions extract;
  ChunkOptions chunks;                   // max_tokens is lowered to the embedder's limit; the writer sets tokenizer
  bool hidden = false;                   // include files and folders whose names begin with '.'
  std::string stdin_name = "stdin";      // name of the document from "-"; its extension selects the format
  std::istream* stdin_stream = nullptr;  // borrowed
  /// Called after each file and each batch. An exception from it ends the run; everything committed so far is kept.
  std::function<void(const IndexProgress&)> progress;
};

struct IndexReport {
  int64_t files_added = 0, files_changed = 0, files_unchanged = 0, files_removed = 0;
  int64_t files_ignored = 0;          // in folders, of unsupported kinds
  int64_t documents = 0, chunks = 0;  // in the index now
  int64_t chunks_added = 0, chunks_removed = 0;
  int64_t vectors_computed = 0, vectors_reused = 0;
  int64_t chunks_without_vector = 0;
  double reading_seconds = 0, embedding_seconds = 0;
  uint64_t generation = 0;
  std::vector<SkippedFile> skipped;
  std::vector<SkippedFile> notes;  // files that were read in an unusual way; reason: how
};

class IndexWriter {
 public:
  /// Opens the index, or creates it. Throws Error(bad_input) if it has another writer, Error(mismatch) if it was made
  /// with another embedder.
  IndexWriter(const std::filesystem::path& folder, IndexOptions options);
  ~IndexWriter();

  /// Updates the index for files, folders and patterns ("-": standard input): reads new and changed files, removes
  /// vanished ones. Without arguments: for every root added so far. Throws Error(bad_input) for an argument that
  /// matches nothing.
  IndexReport add(const std::vector<std::string>& arguments);
  /// Removes files and folders from the index. Throws Error(bad_input) for a path without indexed files.
  IndexReport remove(const std::vector<std::string>& arguments);

 private:
  class Run;
  std::unique_ptr<Run> run_;
};

}  // namespace frugal
