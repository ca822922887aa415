// The index of a user's files: chunks, their words, their vectors and their references, in one folder.
// Readers map it and keep the generation they opened; a single writer adds generations.
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

struct StoreInfo {
  int64_t documents = 0;
  int64_t chunks = 0;
  int64_t vectors = 0;
  int64_t dimension = 0;
  uint64_t generation = 0;
  uint64_t bytes_on_disk = 0;
  std::string embedder_fingerprint;  // empty: index without vectors
};

/// What a question asks of the words of the index.
struct SparseQuery {
  std::string text;
  /// Language of the question where it is known; otherwise detected.
  Language language = Language::unknown;
};

/// Read side. Thread-safe for concurrent readers in different processes; one thread per object.
class Store {
 public:
  virtual ~Store() = default;
  /// Counts rows and walks the index's folder: for reports. A question asks for what follows instead.
  virtual StoreInfo info() const = 0;
  virtual uint64_t generation() const = 0;
  /// As info() has them, but read once for the generation that is open.
  virtual int64_t chunk_count() const = 0;
  virtual const std::string& embedder_fingerprint() const = 0;

  /// BM25 over stems (Robertson & Zaragoza 2009), exact spelling as a boost. Ties by id. Best first.
  virtual std::vector<ScoredChunk> search_sparse(const SparseQuery& query, int64_t limit) = 0;
  /// Cosine against int8 vectors, exact search. query: [dimension], unit length.
  virtual std::vector<ScoredChunk> search_dense(std::span<const float> query, int64_t limit) = 0;
  /// Chunks that bear a reference; the more of its parts match, the higher the score (1 = all of them).
  virtual std::vector<ScoredChunk> search_provision(const Provision& reference, int64_t limit) = 0;
  /// In the order of `ids`; one that the generation does not hold is left out.
  virtual std::vector<Chunk> fetch(std::span<const int64_t> ids) = 0;
  /// Chunks that hold each of these folded words, as search_sparse would match them: what a word's rarity is judged by.
  /// The default counts matches up to 1000; a store that keeps document frequencies answers from them.
  virtual std::vector<int64_t> count_chunks(std::span<const std::string> words, Language language) {
    std::vector<int64_t> counts;
    for (const std::string& word : words)
      counts.push_back(static_cast<int64_t>(search_sparse({word, language}, 1000).size()));
    return counts;
  }
  /// The laws the index was made with: a question is read with the same table, and no YAML is parsed for it.
  virtual const LawTable& laws() const {
    static const LawTable none;
    return none;
  }
};

/// Opens the newest generation. Borrows `budget` (may be null): where it has no room for the index's pages, vectors are
/// searched through a window and the database is read through a small cache. Throws Error(missing) "no index at …" with
/// the hint "run rag-index add", Error(corrupt_file), Error(over_budget) if not even that fits.
std::unique_ptr<Store> open_store(const std::filesystem::path& folder, Budget* budget = nullptr);

}  // namespace frugal
