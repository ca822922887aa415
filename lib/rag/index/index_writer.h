// The run that fills an index: files in, documents, chunks, words and vectors out, and nothing done twice.
// Every commit leaves a complete index, so a killed run loses at most the batch it was in, and the next run goes on.
// One writer at a time; readers are never in its way. It knows no kind of store: it writes through store_writer.h.
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
#include "rag/extract/extract.h"
#include "rag/index/chunk.h"
#include "rag/index/index_status.h"
#include "rag/law/provision.h"

namespace frugal {

struct IndexProgress {
  enum class Stage { reading, embedding };
  Stage stage = Stage::reading;
  int64_t done = 0;   // files read, or chunks embedded
  int64_t total = 0;  // chunks to embed; 0 while reading, where the end is not known
};

struct IndexOptions {
  Embedder* embedder = nullptr;  // borrowed; none: chunks wait without a vector until a run that has one
  bool re_embed = false;         // drop vectors of another embedder instead of refusing
  LawTable laws;
  ExtractOptions extract;
  ChunkOptions chunks;               // cut to what the embedder takes; the writer sets the tokenizer
  bool hidden = false;               // also files and folders whose names begin with '.'
  std::string stdin_name = "stdin";  // of the document that "-" stands for; its extension tells the format
  std::istream* stdin_stream = nullptr;
  /// Called between files and between batches; what it throws ends the run with everything committed so far kept.
  std::function<void(const IndexProgress&)> progress;
};

struct IndexReport {
  int64_t files_added = 0, files_changed = 0, files_unchanged = 0, files_removed = 0;
  int64_t files_ignored = 0;          // of kinds that are not read, met in folders
  int64_t documents = 0, chunks = 0;  // in the index now
  int64_t chunks_added = 0, chunks_removed = 0;
  int64_t vectors_computed = 0, vectors_reused = 0;
  int64_t chunks_without_vector = 0;
  double reading_seconds = 0, embedding_seconds = 0;
  uint64_t generation = 0;
  std::vector<SkippedFile> skipped;
  std::vector<SkippedFile> notes;  // files that were read otherwise than usual, and how
};

class IndexWriter {
 public:
  /// Creates the index where there is none. Throws Error(bad_input) if another writer has it, Error(mismatch) if it was
  /// made with another embedder.
  IndexWriter(const std::filesystem::path& folder, IndexOptions options);
  ~IndexWriter();

  /// Brings the index in line with files, folders and patterns ("-": standard input): what is new or changed is read,
  /// what is gone from them is removed. No arguments: every root that was ever added. Throws Error(bad_input) for an
  /// argument that names nothing.
  IndexReport add(const std::vector<std::string>& arguments);
  /// Takes files and folders out of the index. Throws Error(bad_input) for one that it does not hold.
  IndexReport remove(const std::vector<std::string>& arguments);

 private:
  class Run;
  std::unique_ptr<Run> run_;
};

}  // namespace frugal
