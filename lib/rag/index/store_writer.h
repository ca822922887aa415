// Writes an index: files, their documents and chunks, and vectors by content. Every kind of store implements it. A
// store only records changes and reports its contents; IndexWriter decides which files are new, how a text is chunked,
// and how large a batch is.
//
// Changes are collected in a batch, which the first change opens. commit() makes the whole batch part of the index. If
// a writer is destroyed without commit(), or its process dies between any two calls, the index is as of the last
// commit, and the next writer continues from there. Readers keep the generation that they opened. Every store passes
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

#include "model/nn/token_weight.h"
#include "rag/chunk/chunk.h"
#include "rag/extract/extract.h"
#include "rag/index/index_status.h"
#include "rag/law/provision.h"
#include "rag/scan/coverage.h"
#include "rag/vectors/milvus_options.h"

namespace frugal {

/// The state of a file when it was indexed.
struct IndexedFile {
  /// Detects an unchanged file without reading it. Standard input has none: bytes is -1.
  struct Stamp {
    int64_t bytes = -1, mtime_ns = 0, ctime_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  int64_t id = 0;
  Stamp stamp;
  std::string sha256;  // of the file
  std::string recipe;  // ChunkOptions::recipe() and laws of its chunks
};

/// A chunk to be stored. Its text is the bytes [begin, end) of the document's text.
struct NewChunk : TextChunk {
  std::string vector_key;  // identifies the embedded text; chunks with equal keys share a vector
};

/// An image of a document, to be stored: see StoredImage.
struct NewImage {
  int64_t number = 0;
  int64_t page = 0;
  std::string caption;
  std::string vector_key;  // identifies its content; images with equal keys share a vector
};

/// A chunk without a vector.
struct PendingChunk {
  int64_t id = 0;
  std::string vector_key;
  std::string title;  // of its document
  std::string text;
};

class StoreWriter {
 public:
  virtual ~StoreWriter() = default;

  /// Ends the batch. Readers that open later see all of it. It is a new generation if a document, a chunk or a vector
  /// changed. Not allowed between begin_file() and end_file().
  virtual void commit() = 0;

  /// What the index covers. Setting it makes no new generation.
  virtual Coverage coverage() = 0;
  virtual void set_coverage(const Coverage& coverage) = 0;

  // "Under" a path means the file at that path and, if it is a folder, every file in it.
  // Skipped files are files that could not be read, or not all of them.
  virtual std::vector<SkippedFile> skipped_under(const std::string& path) = 0;  // sorted by path
  virtual void add_skipped(const std::string& path, const std::string& reason) = 0;
  virtual void forget_skipped(const std::string& path) = 0;
  virtual std::optional<IndexedFile> find_file(const std::string& path) = 0;
  virtual std::vector<int64_t> files_under(const std::string& path) = 0;  // ids, ordered by path
  virtual void remove_file(int64_t id) = 0;
  /// Renames the files and skipped files under `from` to paths under `to`, and their documents with them. A file whose
  /// own name changes loses its recipe, because its title may come from its name. No other file may be under `to`.
  virtual void relocate(const std::string& from, const std::string& to) = 0;

  /// Begins to write a new or known file and returns its permanent id. Documents of the file that are not put before
  /// end_file() are removed then. If `recipe` differs from the stored one, all its documents are chunked again.
  virtual int64_t begin_file(const std::string& path, const std::string& recipe) = 0;
  /// Stores a document of that file; `name` identifies it in later runs. If title, text and recipe are unchanged, its
  /// chunks stay and `chunk` is not called, though a record may have moved to another line. If only the title is
  /// unchanged, a chunk with the same range, heading, language and vector key keeps its id. A new chunk takes the
  /// vector of its key if there is one. Returns false, without any effect, if the name was already put since
  /// begin_file().
  virtual bool put_document(const std::string& name, const Document& document,
                            const std::function<std::vector<NewChunk>()>& chunk) = 0;
  /// note: how the file was read, if in an unusual way; may be empty.
  virtual void end_file(const IndexedFile::Stamp& stamp, const std::string& sha256, const std::string& note) = 0;
  /// Undoes everything since begin_file().
  virtual void abandon_file() = 0;

  /// Sets the table that questions are parsed with. This alone does not make a new generation.
  virtual void set_laws(const LawTable& laws) = 0;

  /// Sets the embedder of the index. `replace` drops all vectors; without it, throws Error(mismatch) if it has another.
  /// has_weights: the vectors of an embedder that is set or replaced come with token weights.
  virtual void use_embedder(const std::string& fingerprint, int64_t dimension, bool replace,
                            bool has_weights = false) = 0;
  /// True if put_vector() stores weights: those of an index that was made without them stay out until all are replaced.
  virtual bool keeps_weights() = 0;
  /// Sets a name of the embedder for people. Makes no new generation.
  virtual void set_embedder_name(const std::string& name) = 0;
  /// Chunks without a vector and with ids above `after`, ordered by id, at most `limit`.
  virtual std::vector<PendingChunk> pending_chunks(int64_t after, int64_t limit) = 0;
  virtual bool has_vector(std::string_view key) = 0;
  /// vector: [dimension], unit length. weights: each token once. The key must be new. finish() may drop vectors whose
  /// key no chunk has.
  virtual void put_vector(std::string_view key, std::span<const float> vector,
                          std::span<const TokenWeight> weights = {}) = 0;
  /// Assigns to a chunk the vector of its key, which must exist.
  virtual void attach_vector(int64_t chunk) = 0;

  // Images have an embedder and vectors of their own. An image gets its vector when it is put, so that none ever waits.
  /// As use_embedder(). Where it drops vectors, the files that had images lose their recipes and are read again.
  virtual void use_image_embedder(const std::string& fingerprint, int64_t dimension, bool replace) = 0;
  /// As set_embedder_name(); readers open the embedder by it.
  virtual void set_image_embedder_name(const std::string& name) = 0;
  virtual bool has_image_vector(std::string_view key) = 0;
  /// As put_vector().
  virtual void put_image_vector(std::string_view key, std::span<const float> vector) = 0;
  /// The caption that was put for an image, by key.
  virtual std::optional<std::string> find_caption(std::string_view key) = 0;
  /// The key must be new. Captions stay when their images are removed.
  virtual void put_caption(std::string_view key, const std::string& caption) = 0;
  /// Sets the images of the document that was put last since begin_file(); each key must have a vector. They keep
  /// their ids if all of them are as before.
  virtual void put_images(std::span<const NewImage> images) = 0;

  /// Commits, then optimises the store if that is worth its time. Search results do not change.
  virtual void finish() = 0;

  struct Totals {
    int64_t documents = 0, chunks = 0, chunks_without_vector = 0;
    uint64_t generation = 0;
    int64_t images = 0;
  };
  /// Includes the open batch, except in `generation`.
  virtual Totals totals() = 0;

  struct Counts {
    int64_t chunks_added = 0, chunks_removed = 0;
    int64_t vectors_reused = 0;  // by added chunks
  };
  /// Since the writer was opened, without abandoned files.
  virtual Counts counts() const = 0;
};

/// Opens the index for writing, or creates it. Throws Error(bad_input) if it has another writer, Error(mismatch) if it
/// has another version, Error(io), Error(corrupt_file). vectors: where vectors are written, and how a server is asked;
/// its functions then throw Error(remote) if the server does not answer, and the next writer continues.
std::unique_ptr<StoreWriter> open_store_writer(const std::filesystem::path& folder, const VectorOptions& vectors = {});

}  // namespace frugal
