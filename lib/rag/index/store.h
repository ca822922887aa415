// Reads an index of a user's files: its chunks, and searches by words, by vectors and by provisions. A reader keeps the
// generation that it opened; a single writer adds generations (store_writer.h). The interface does not assume SQL,
// local files or a single process.
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
#include "model/nn/token_weight.h"
#include "rag/extract/source_map.h"
#include "rag/filter/chunk_filter.h"
#include "rag/index/chunk_set.h"
#include "rag/law/provision.h"
#include "rag/scan/coverage.h"
#include "rag/text/language.h"
#include "rag/vectors/milvus_options.h"

namespace frugal {

struct Chunk {
  int64_t id = 0;           // stable while the chunk's text and position are unchanged
  std::string document;     // its path, or path#id for a record of a jsonl or csv file
  std::string external_id;  // id of a record, else empty
  std::string path;
  std::string title;
  std::string heading;  // path of headings, joined by " › "
  /// The bytes [start_byte, end_byte) of the document's extracted text; for txt and md files, of the file itself.
  std::string text;
  uint64_t start_byte = 0;
  uint64_t end_byte = 0;
  /// Where the text is in the file: bytes and line, by `source` if it is set, else as they are. If `in_file` is false
  /// there are no such bytes, or the index does not know them: the place is one in the extracted text.
  SourceMap::Place place;
  bool in_file = false;
  std::optional<SourceMap> source;  // of each byte of the text
  int64_t file_bytes = -1;          // size of the file when it was indexed; -1: it was standard input
  int64_t file_mtime_ns = 0;
  int64_t line = 0;    // first line, from 1
  int64_t page = 0;    // from 1; 0 if the format has none
  std::string sha256;  // of the document's extracted text
  Language language = Language::unknown;
  std::vector<Provision> references;  // the provisions whose text the chunk contains
  bool generated = false;             // a caption that a model wrote about an image of the file: no source says it
};

/// The name of the document with the caption of an image, numbered from 1, of the file at `path`; and whether `name` is
/// one.
std::string caption_name(const std::string& path, int64_t number);
bool is_caption_name(std::string_view name, std::string_view path);

struct ScoredChunk {
  int64_t id = 0;
  float score = 0;  // greater is better
};

/// Row counts for reports.
struct StoreInfo {
  int64_t documents = 0;
  int64_t chunks = 0;
  int64_t vectors = 0;    // chunks that have a vector
  int64_t dimension = 0;  // of the vectors; 0: none
  int64_t images = 0;
  int64_t image_dimension = 0;  // of their vectors; 0: none
  int64_t token_weights = 0;    // of the vectors of chunks, those of removed ones included; 0: none
};

/// A file of the index, as it was when it was indexed.
struct StoredFile {
  std::string path;
  int64_t bytes = -1;  // -1: it was standard input
  int64_t mtime_ns = 0;
  std::string sha256;           // of its bytes
  std::vector<int64_t> chunks;  // in reading order: documents as they were added, then by position
};

/// A word that is searched for beside a question's, folded.
struct WeightedWord {
  std::string word;
  float weight = 0;
};

struct ChunkVector {
  int64_t id = 0;  // of the chunk
  std::vector<float> values;
};

/// An image of a document: the file itself, or a figure in it.
struct StoredImage {
  int64_t id = 0;  // not that of a chunk; stable while the image and its place in the document are unchanged
  std::string path;
  std::string title;    // of its document
  int64_t number = 0;   // in its document, from 1
  int64_t page = 0;     // from 1; 0 if the format has none
  std::string caption;  // written by a model; empty: none
};

struct ScoredImage {
  StoredImage image;
  float score = 0;  // cosine
};

/// A query to the word index.
struct SparseQuery {
  std::string text;
  Language language = Language::unknown;  // unknown: detected from the text
  std::string law = {};                   // only chunks with a provision of this law; empty: all chunks
  const ChunkSet* within = nullptr;       // only these chunks; null: all
  /// The score of a chunk is that of the text plus, for each of these, weight times the score of the word alone.
  std::span<const WeightedWord> expansion = {};
};

/// One generation of an index, unchanged by later writes. There may be any number of readers in any number of
/// processes; each is used by one thread. Every store passes tests/rag/index/store_conformance_test.cpp. Searches
/// return at most `limit` chunks, best first, each once; none if the limit is 0 or less.
class Store {
 public:
  virtual ~Store() = default;
  /// Counts rows, which takes time on a large index; queries use the functions below.
  virtual StoreInfo info() const = 0;
  virtual uint64_t generation() const = 0;
  virtual int64_t chunk_count() const = 0;
  /// A hash of everything that answers depend on and show, paths and ids among it: equal for copies of one index on
  /// several machines. Reads a row for each document. Empty: not known.
  virtual std::string content_identity() const { return {}; }
  /// The fingerprint of the embedder that made the vectors; empty: no vectors.
  virtual const std::string& embedder_fingerprint() const = 0;
  /// True if search_learned() has weights to search.
  virtual bool has_weights() const = 0;
  /// The law table that the index was made with. Questions are parsed with the same table, and without reading YAML.
  virtual const LawTable& laws() const = 0;

  /// The chunks that pass the filter, of all that searches may find. The searches below find `limit` of them if there
  /// are as many; scores are those of a search without it. Throws Error(mismatch), with the command that repairs it, if
  /// the filter compares fields that an index made before does not have. Reserves memory for the ids in the budget.
  virtual ChunkSet select(const ChunkFilter& filter) = 0;

  /// Chunks that contain a word of the query other than a stop word, or one of its expansion, by BM25 over stems
  /// (Robertson & Zaragoza 2009) with a boost for exact spelling. Ties by id. Any bytes are a valid query.
  virtual std::vector<ScoredChunk> search_sparse(const SparseQuery& query, int64_t limit) = 0;
  /// Exact search by cosine over the int8 vectors of all chunks that have one. Ties by id. query: [dimension], unit
  /// length. Throws Error(mismatch) if its dimension differs.
  virtual std::vector<ScoredChunk> search_dense(std::span<const float> query, int64_t limit,
                                                const ChunkSet* within = nullptr) = 0;
  /// Exact search by the inner product of token weights (learned sparse retrieval), of the chunks whose weights share a
  /// token with the query's. Ties by id. query: each token once.
  virtual std::vector<ScoredChunk> search_learned(std::span<const TokenWeight> query, int64_t limit,
                                                  const ChunkSet* within = nullptr) = 0;
  /// The fingerprint of the embedder that made the vectors of images, which are a set of their own; empty: none.
  virtual std::string image_embedder_fingerprint() const = 0;
  /// Its pack, as the writer named it; may be empty.
  virtual std::string image_embedder_name() const = 0;
  /// Exact search by cosine over the vectors of images: of all, or of those whose documents pass the paths and fields
  /// of `filter`. Only images without text are there, so that a filter by a phrase lets none pass. Ties by id. query:
  /// as for search_dense(), of the image embedder.
  virtual std::vector<ScoredImage> search_images(std::span<const float> query, int64_t limit,
                                                 const ChunkFilter& filter = {}) = 0;
  /// Chunks with a provision of the article in `reference`, and of its law if it names one, by their best
  /// provision_score(). Ties in reading order: documents as they were added, then by position. Empty if `reference` has
  /// no article.
  virtual std::vector<ScoredChunk> search_provision(const Provision& reference, int64_t limit,
                                                    const ChunkSet* within = nullptr) = 0;
  /// The chunks with these ids, in the same order. An id that the generation lacks is skipped and a repeated id is
  /// returned twice, so results are matched by id, not by position.
  virtual std::vector<Chunk> fetch(std::span<const int64_t> ids) = 0;
  /// The vectors of the chunks with these ids, in the same order, as the index keeps them: [dimension], about unit
  /// length. An id that the generation lacks, or whose chunk has no vector, is skipped.
  virtual std::vector<ChunkVector> fetch_vectors(std::span<const int64_t> ids) = 0;
  /// The file at exactly this path; nullopt if the generation has none.
  virtual std::optional<StoredFile> find_file(const std::string& path) = 0;
  /// What the index covers.
  virtual Coverage coverage() = 0;
  /// The document frequency of each folded word: the number of chunks in which search_sparse() would find it. A store
  /// may stop counting at 1000.
  virtual std::vector<int64_t> count_chunks(std::span<const std::string> words, Language language) = 0;
};

/// Opens the newest generation. Borrows `budget`: a local store reserves its memory there, and reads through windows
/// and small caches if there is not enough. Throws Error(missing) "no index at …" with the hint "run rag-index add",
/// Error(corrupt_file), Error(over_budget) if there is no room even for the windows. vectors: how a server is asked if
/// the index has its vectors there; its searches by vectors then throw Error(remote) if the server does not answer.
std::unique_ptr<Store> open_store(const std::filesystem::path& folder, Budget& budget,
                                  const VectorOptions& vectors = {});

}  // namespace frugal
