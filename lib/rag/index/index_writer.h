// Updates an index from files: adds documents, chunks, words and vectors, and repeats no work that is done. Every
// commit leaves a complete index: a killed run loses at most its current batch, and the next run continues. One writer
// at a time, with any number of readers. Independent of the kind of store: it writes through store_writer.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <istream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/nn/embedder.h"
#include "model/nn/image_embedder.h"
#include "rag/chunk/chunk.h"
#include "rag/extract/extract.h"
#include "rag/index/index_status.h"
#include "rag/law/provision.h"
#include "rag/scan/coverage.h"
#include "rag/vectors/milvus_options.h"

namespace frugal {

struct IndexProgress {
  enum class Stage { reading, embedding };
  Stage stage = Stage::reading;
  int64_t done = 0;   // files read, or chunks embedded
  int64_t total = 0;  // chunks to embed; 0 while reading: the number of files is unknown
};

struct IndexOptions {
  Embedder* embedder = nullptr;  // borrowed; null: new chunks have no vector until a run with an embedder
  bool re_embed = false;         // replace the vectors of both embedders, also of others, instead of throwing
  LawTable laws;
  ExtractOptions extract;
  ChunkOptions chunks;                      // max_tokens is lowered to the embedder's limit; the writer sets tokenizer
  std::string embedder_name;                // for status: the pack
  VectorOptions vectors;                    // where vectors are written
  ImageEmbedder* image_embedder = nullptr;  // borrowed; null: images are not indexed, and those of the index stay
  std::string image_embedder_name;          // by which questions open it again
  /// Writes a caption of an image, which becomes a text of the index; null: those of the index stay. Only with an image
  /// embedder. Throws Error(bad_input) for an image that it cannot read: that one has no caption.
  std::function<std::string(const RgbImage&)> caption;
  std::string captioner;                 // identifies what writes them
  RootOptions scan;                      // of the paths that are added
  std::vector<std::string> exclude;      // patterns that the index excludes from now on, in the syntax of .gitignore
  std::vector<std::string> no_exclude;   // patterns that it excludes no longer
  std::string stdin_name = "stdin";      // name of the document from "-"; its extension selects the format
  std::istream* stdin_stream = nullptr;  // borrowed
  /// Called after each file and each batch. An exception from it ends the run; everything committed so far is kept.
  std::function<void(const IndexProgress&)> progress;
};

struct IndexReport {
  int64_t files_added = 0, files_changed = 0, files_unchanged = 0, files_removed = 0;
  int64_t files_relocated = 0;
  int64_t files_ignored = 0;               // in folders, of unsupported kinds
  std::map<std::string, int64_t> ignored;  // how many of each extension, in lower case with its dot; "" without one
  int64_t paths_excluded = 0;              // files and folders left out by a pattern, or because they were removed
  int64_t documents = 0, chunks = 0;       // in the index now
  int64_t chunks_added = 0, chunks_removed = 0;
  int64_t vectors_computed = 0, vectors_reused = 0;
  int64_t chunks_without_vector = 0;
  double reading_seconds = 0, embedding_seconds = 0;
  int64_t images = 0;           // in the index now
  int64_t images_embedded = 0;  // others have the vector of an equal image
  int64_t captions_written = 0;
  double image_seconds = 0;  // of reading_seconds: in the image embedder
  uint64_t generation = 0;
  std::vector<SkippedFile> skipped;       // those of earlier runs that still hold included
  std::vector<std::string> unread_roots;  // paths that were added and are absent or cannot be read
  std::vector<SkippedFile> notes;         // files that were read in an unusual way; reason: how
};

class IndexWriter {
 public:
  /// Opens the index, or creates it. Throws Error(bad_input) if it has another writer, Error(mismatch) if it was made
  /// with another embedder, of texts or of images.
  IndexWriter(const std::filesystem::path& folder, IndexOptions options);
  ~IndexWriter();

  /// Updates the index for files, folders and patterns ("-": standard input): reads new and changed files, removes
  /// vanished ones. Without arguments, or if exclusions change: for every root added so far. A root that is absent, or
  /// an empty folder, keeps its documents. Throws Error(bad_input) for an argument that matches nothing, before
  /// anything is changed.
  IndexReport add(const std::vector<std::string>& arguments);
  /// Removes files and folders from the index, all at once, until they are added again by name. Throws
  /// Error(bad_input) for a path that the index does not hold.
  IndexReport remove(const std::vector<std::string>& arguments);
  /// Follows files or folders that were moved, without reading them. Throws Error(bad_input) if the index holds nothing
  /// at `from`, or other files at `to`, or if there is nothing at `to`.
  IndexReport relocate(const std::string& from, const std::string& to);

 private:
  class Run;
  std::unique_ptr<Run> run_;
};

}  // namespace frugal
