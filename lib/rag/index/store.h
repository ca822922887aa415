// The read side of an index of a user's files: chunks, their words, their vectors and the provisions they bear.
// Readers keep the generation that they opened; a single writer adds generations (store_writer.h).
// Nothing here assumes SQL, local files or one process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "memory/budget.h"
#include "rag/law/provision.h"
#include "rag/text/language.h"

namespace frugal {

struct Chunk {
  int64_t id = 0;           // stable while the chunk's text and place are unchanged
  std::string document;     // id of the document: its path, or path#_id for a record of a jsonl or csv file
  std::string external_id;  // _id of a jsonl record, else empty
  std::string path;
  std::string title;
  std::string heading;  // path of headings, " › " between
  std::string
      text;  // exactly the bytes [start_byte, end_byte) of the document's extracted text (for txt and md: of the file)
  uint64_t start_byte = 0;
  uint64_t end_byte = 0;
  int64_t line = 0;    // first line, from 1
  int64_t page = 0;    // from 1; 0 where the format has none
  std::string sha256;  // of the document's extracted text
  Language language = Language::unknown;
  std::vector<Provision> references;  // what this chunk *is* (the article it holds), not what it mentions
};

struct ScoredChunk {
  int64_t id = 0;
  float score = 0;  // greater is better
};

/// Counts, for reports.
struct StoreInfo {
  int64_t documents = 0;
  int64_t chunks = 0;
  int64_t vectors = 0;    // chunks that have one
  int64_t dimension = 0;  // of the vectors
};

/// What a question asks of the words of the index.
struct SparseQuery {
  std::string text;
  /// Language of the question where it is known; otherwise detected.
  Language language = Language::unknown;
};

/// Read side: one generation, as it was when it was opened, whatever is written since. Readers may be many, in any
/// number of processes; one thread per object. Every store passes tests/rag/index/store_conformance_test.cpp.
/// Searches return `limit` chunks at most, best first, each once; none for a limit of 0 or less.
class Store {
 public:
  virtual ~Store() = default;
  /// Counts rows. A question asks for what follows instead.
  virtual StoreInfo info() const = 0;
  virtual uint64_t generation() const = 0;
  virtual int64_t chunk_count() const = 0;
  /// Of the embedder that made the vectors; empty: an index without vectors.
  virtual const std::string& embedder_fingerprint() const = 0;
  /// The laws that the index was made with, ready to use: a question is read with the same table, of the same
  /// generation, and no YAML is parsed for it.
  virtual const LawTable& laws() const = 0;

  /// Chunks that hold a word of the query, other than stop words, by how well they match: BM25 over stems (Robertson &
  /// Zaragoza 2009), exact spelling as a boost. Ties by id. A query of any bytes is answered, or finds nothing.
  virtual std::vector<ScoredChunk> search_sparse(const SparseQuery& query, int64_t limit) = 0;
  /// Cosine against int8 vectors, exact search over the chunks that have one. Ties by id. query: [dimension], unit
  /// length. Throws Error(mismatch) where it has another dimension.
  virtual std::vector<ScoredChunk> search_dense(std::span<const float> query, int64_t limit) = 0;
  /// Chunks that bear a provision of the article asked for, and of the law if one is named, by their best
  /// provision_score(). Ties in the order of reading: as their documents came in, then by place. None without an
  /// article.
  virtual std::vector<ScoredChunk> search_provision(const Provision& reference, int64_t limit) = 0;
  /// In the order of `ids`. One that the generation does not hold is left out, one that is asked for twice comes twice:
  /// results are told apart by their ids, not by their places.
  virtual std::vector<Chunk> fetch(std::span<const int64_t> ids) = 0;
  /// How many chunks hold each of these folded words, as search_sparse() matches them: how rare a word is. A store may
  /// stop counting at 1000.
  virtual std::vector<int64_t> count_chunks(std::span<const std::string> words, Language language) = 0;
};

/// Opens the newest generation. Borrows `budget` (may be null): a local store stays within it, by reading through
/// windows and small caches what has no room. Throws Error(missing) "no index at …" with the hint "run rag-index add",
/// Error(corrupt_file), Error(over_budget) if not even that fits.
std::unique_ptr<Store> open_store(const std::filesystem::path& folder, Budget& budget);

}  // namespace frugal
