// The write side of an index, as every kind of store offers it: files, their documents and chunks, vectors by content.
// It stores and says what it has. What is new, how a text is cut and how large a batch becomes is for the run to decide
// (index_writer.h).
//
// Changes gather in a batch, which the first of them opens. commit() makes the whole batch part of the index. A writer
// that is destroyed without it, or whose process dies between any two calls, leaves the index as of the last commit,
// and the next writer goes on from there. Readers keep the generation that they opened. Every store passes
// tests/rag/index/store_conformance_test.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rag/extract/extract.h"
#include "rag/index/chunk.h"
#include "rag/law/provision.h"

namespace frugal {

/// A file as it was when it was indexed.
struct IndexedFile {
  /// How a file is known to be unchanged without reading it. Standard input has none: bytes is -1.
  struct Stamp {
    int64_t bytes = -1, mtime_ns = 0, ctime_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  int64_t id = 0;
  Stamp stamp;
  std::string sha256;  // of its bytes
  std::string recipe;  // that it was chunked by
};

/// A chunk to be stored. Its text is the bytes [begin, end) of the document's.
struct NewChunk : TextChunk {
  std::string vector_key;  // names the text that is embedded: chunks of equal key share a vector
};

/// A chunk that has no vector yet.
struct PendingChunk {
  int64_t id = 0;
  std::string vector_key;
  std::string title;  // of its document
  std::string text;
};

class StoreWriter {
 public:
  virtual ~StoreWriter() = default;

  /// Ends the batch. Readers that open from now on find all of it; it is a new generation if a document, a chunk or a
  /// vector changed. Not between begin_file() and end_file().
  virtual void commit() = 0;

  // The paths that were asked for, and the files below them that could not be read.
  virtual std::vector<std::string> roots() = 0;  // sorted
  virtual void add_root(const std::string& path) = 0;
  virtual void add_skipped(const std::string& path, const std::string& reason) = 0;
  virtual void forget_skipped_under(const std::string& path) = 0;
  virtual void forget_roots_under(const std::string& path) = 0;

  // Files. "Under" a path is the file of that path, and every file in it if it is a folder.
  virtual std::optional<IndexedFile> find_file(const std::string& path) = 0;
  virtual std::vector<int64_t> files_under(const std::string& path) = 0;  // ids, in the order of paths
  virtual void remove_file(int64_t id) = 0;

  /// Starts to write a file, new or known, and returns its id, which stays. Its documents that are not put before
  /// end_file() vanish then. If `recipe` is not the one it was chunked by, all its documents are chunked again.
  virtual int64_t begin_file(const std::string& path, const std::string& recipe) = 0;
  /// Stores a document of that file under a name that stays. If title, text and recipe are as before, its chunks stay
  /// and `chunk` is not called (a record may have moved to another line). Otherwise, under the same title, a chunk
  /// whose range, heading, language and vector key are as before keeps its id; a new one takes the vector of its key if
  /// there is one.
  /// Returns false, and does nothing, if the name was already put since begin_file().
  virtual bool put_document(const std::string& name, const Document& document,
                            const std::function<std::vector<NewChunk>()>& chunk) = 0;
  /// `note`: how the file was read, if otherwise than usual.
  virtual void end_file(const IndexedFile::Stamp& stamp, const std::string& sha256, const std::string& note) = 0;
  /// Undoes everything since begin_file().
  virtual void abandon_file() = 0;

  /// The table by which questions are read. Not a change that makes a generation.
  virtual void set_laws(const LawTable& laws) = 0;

  /// Makes the index one of this embedder. Throws Error(mismatch) if it is one of another, unless `replace`: then every
  /// vector is dropped.
  virtual void use_embedder(const std::string& fingerprint, int64_t dimension, bool replace) = 0;
  /// Chunks without a vector whose ids are above `after`, in the order of ids, `limit` at most.
  virtual std::vector<PendingChunk> pending_chunks(int64_t after, int64_t limit) = 0;
  virtual bool has_vector(std::string_view key) = 0;
  /// vector: [dimension], unit length. The key must be new. Vectors may be dropped by finish() if no chunk has their
  /// key.
  virtual void put_vector(std::string_view key, std::span<const float> vector) = 0;
  /// Gives a chunk the vector of its key, which must be there.
  virtual void attach_vector(int64_t chunk) = 0;

  /// Commits, then does the housekeeping that is worth its time at the end of a run. Questions find the same.
  virtual void finish() = 0;

  struct Totals {
    int64_t documents = 0, chunks = 0, chunks_without_vector = 0;
    uint64_t generation = 0;
  };
  /// The open batch is counted, its generation is not.
  virtual Totals totals() = 0;

  struct Counts {
    int64_t chunks_added = 0, chunks_removed = 0;
    int64_t vectors_reused = 0;  // by chunks added whose vector was there
  };
  /// Since the writer was opened; an abandoned file counts nothing.
  virtual Counts counts() const = 0;
};

/// Opens the index for writing, and creates it where there is none. Throws Error(bad_input) if another writer has it,
/// Error(mismatch) if it is of another version, Error(io), Error(corrupt_file).
std::unique_ptr<StoreWriter> open_store_writer(const std::filesystem::path& folder);

}  // namespace frugal
