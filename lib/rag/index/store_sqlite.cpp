// Reads an SQLite index and its vectors, from a mapped file or a server.
//
// Snapshot. A reader holds one read transaction while it lives. With the write-ahead log, that is a snapshot which
// later commits do not change. Rows of the vectors file do not change either once they are counted (vectors.h), so all
// results belong to one generation. A compaction may replace the vectors file between the snapshot and its mapping.
// Opening is then repeated: the next snapshot names the new file.
//
// Cold start. Many processes answer one question, so opening does little: statements are compiled, the law table is
// parsed and chunks are counted at first use.
//
// Vectors and token weights. Their files return rows, of which each has both. A row may have no chunk (it was removed)
// or several (of equal text), so the search requests more rows than `limit`, then four times as many, until there are
// enough chunks.
//
// Filters. A filter is resolved once to the ids of the chunks that pass (chunk_selector.h). Sparse search asks for each
// match whether it is one of them, before it is ranked, by a function that SQLite calls; dense search skips the rows of
// all others. So each list has as many chunks as there are, and costs no more than without a filter.
//
// Memory. SQLite maps the database if that takes at most 1/8 of the budget and is free; the rest is for models.
// Otherwise it reads through a cache of 2 MiB, because pages that SQLite has mapped cannot be evicted on request.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <unordered_map>

#include "base/error.h"
#include "base/hash.h"
#include "base/suggest.h"
#include "memory/budget.h"
#include "rag/database/sqlite.h"
#include "rag/extract/extract.h"
#include "rag/index/chunk_selector.h"
#include "rag/index/image_search.h"
#include "rag/index/provision_score.h"
#include "rag/index/schema.h"
#include "rag/index/source_places.h"
#include "rag/index/store.h"
#include "rag/index/store_kind.h"
#include "rag/index/terms.h"
#include "rag/text/language.h"
#include "rag/vectors/vector_home.h"

namespace frugal {
namespace {

constexpr int kOpenAttempts = 5;

constexpr uint64_t kMaxMappedBytes = 256 << 20;  // mmap_size in sqlite.cpp
constexpr uint64_t kSqliteCacheBytes = 2 << 20;  // SQLite's default
constexpr uint64_t kMinBudgetPerMappedByte = 8;

/// The index beside `folder` whose name is nearest to its name; empty if there is none.
std::string nearest_index(const std::filesystem::path& folder) {
  const std::filesystem::path whole = std::filesystem::absolute(folder).lexically_normal();
  const std::filesystem::path path = whole.has_filename() ? whole : whole.parent_path();
  std::vector<std::string> names;
  std::error_code unreadable;
  for (std::filesystem::directory_iterator each(path.parent_path(), unreadable), end; !unreadable && each != end;
       each.increment(unreadable))
    if (std::error_code ignored;
        each->path() != path && std::filesystem::exists(schema::database_path(each->path()), ignored))
      names.push_back(each->path().filename().native());
  const std::string name = nearest_name(path.filename().native(), names);
  return name.empty() ? name : (folder.parent_path() / name).native();
}

Error no_index(const std::filesystem::path& folder) {
  const std::string nearest = nearest_index(folder);
  Error error(Code::missing, fmt::format("no index at '{}'", folder.native()));
  error.hint(fmt::format("{}run rag-index add PATH --index {}",
                         nearest.empty() ? "" : fmt::format("did you mean --index {}? If not, ", nearest),
                         folder.native()));
  return error;
}

Database open_database(const std::filesystem::path& folder) {
  try {
    return Database(schema::database_path(folder), Database::Mode::read);
  } catch (const Error& error) {
    if (error.code() == Code::missing) throw no_index(folder);
    throw;
  }
}

class SqliteStore final : public Store {
 public:
  SqliteStore(const std::filesystem::path& folder, Budget& budget, const VectorOptions& vectors)
      : folder_(folder),
        budget_(budget),
        vector_options_(vectors),
        database_(open_database(folder)),
        snapshot_(database_, Transaction::Kind::read) {
    if (schema::is_empty(database_)) throw no_index(folder);  // its first commit is yet to come
    schema::check_version(database_);
    schema::check_tables(database_);
    generation_ = static_cast<uint64_t>(schema::meta_integer(database_, schema::kGeneration));
    if (budget.limited()) reserve_pages(budget);
    if (schema::meta_integer(database_, schema::kVectorRows) == 0) return;
    vectors_ = vector_home(folder, database_, schema::kChunkVectors, vectors)->open(budget);
    if (const schema::PostingsPlace place = schema::postings(database_); place.number > 0)
      postings_.emplace(schema::postings_path(folder, place.number), place.file_id, place.valid, budget);
  }

  uint64_t generation() const override { return generation_; }

  int64_t chunk_count() const override {
    if (!chunk_count_) chunk_count_ = database_.integer("SELECT count(*) FROM chunks").value_or(0);
    return *chunk_count_;
  }

  // Ids, because a cached answer is compared with a retrieval by them; stamps of files, because a reply has them.
  std::string content_identity() const override {
    Sha256 hash;
    const auto add = [&](std::string_view text) { hash.update(fmt::format("{}:", text.size())).update(text); };
    for (const std::string_view key : {schema::kLaws, schema::kTerms, schema::kEmbedder})
      add(schema::meta_text(database_, key).value_or(""));
    add(image_embedder_fingerprint());
    const auto add_rows = [&](std::string_view sql, int columns) {
      Statement rows = database_.prepare(sql, false);
      while (rows.step())
        for (int column = 0; column < columns; ++column) add(rows.text(column));
      add("");
    };
    add_rows("SELECT id, path, bytes, mtime_ns, sha256, recipe FROM files ORDER BY id", 6);
    add_rows("SELECT id, file_id, name, external_id, title, sha256 FROM documents ORDER BY id", 6);
    add_rows("SELECT document_id, min(id), max(id), count(*) FROM chunks GROUP BY document_id ORDER BY document_id", 4);
    add_rows("SELECT count(*), count(vector_row) FROM chunks", 2);
    if (schema::has_table(database_, "images"))
      add_rows("SELECT id, document_id, number, page, caption, vector_key FROM images ORDER BY id", 6);
    return hash.hex();
  }

  const std::string& embedder_fingerprint() const override {
    if (!embedder_) embedder_ = schema::meta_text(database_, schema::kEmbedder).value_or("");
    return *embedder_;
  }

  bool has_weights() const override { return postings_.has_value(); }

  StoreInfo info() const override {
    StoreInfo info;
    info.documents = database_.integer("SELECT count(*) FROM documents").value_or(0);
    info.chunks = chunk_count();
    info.vectors = database_.integer("SELECT count(*) FROM chunks WHERE vector_row IS NOT NULL").value_or(0);
    info.dimension = schema::meta_integer(database_, schema::kDimension);
    info.token_weights = postings_ ? postings_->postings() : 0;
    if (image_embedder_fingerprint().empty()) return info;
    info.images = database_.integer("SELECT count(*) FROM images").value_or(0);
    info.image_dimension = schema::meta_integer(database_, schema::kImageVectors.key(schema::kDimension));
    return info;
  }

  std::vector<ScoredChunk> search_sparse(const SparseQuery& query, int64_t limit) override {
    if (limit <= 0) return {};
    const std::string expression = term_maker_.match_expression(query);
    return query.expansion.empty() ? matches(expression, query, limit) : search_expanded(expression, query, limit);
  }

  ChunkSet select(const ChunkFilter& filter) override {
    // Two lists of ids while they are merged.
    Reservation held;
    if (budget_.limited())
      held = budget_.reserve(MemoryTag::index, 2 * sizeof(int64_t) * static_cast<uint64_t>(chunk_count()),
                             "the chunks that pass a filter");
    std::vector<int64_t> ids = select_chunks(database_, filter);
    ids.shrink_to_fit();
    held.shrink_to(std::min(held.bytes(), sizeof(int64_t) * ids.size()));
    return ChunkSet(std::move(ids), std::move(held));
  }

  std::vector<int64_t> count_chunks(std::span<const std::string> words, Language language) override {
    Statement& statement = prepared(count_chunks_, "SELECT count(*) FROM terms WHERE terms MATCH ?1");
    std::vector<int64_t> counts;
    for (const std::string& word : words) {
      const std::string expression = term_maker_.match_expression({word, language});
      counts.push_back(!expression.empty() && statement.bind(expression).step() ? statement.integer(0) : 0);
    }
    statement.reset();
    return counts;
  }

  std::vector<ScoredChunk> search_dense(std::span<const float> query, int64_t limit, const ChunkSet* within) override {
    return search_rows(vectors_.get(), query, limit, within);
  }

  std::vector<ScoredChunk> search_learned(std::span<const TokenWeight> query, int64_t limit,
                                          const ChunkSet* within) override {
    return search_rows(postings_ ? &*postings_ : nullptr, query, limit, within);
  }

  std::string image_embedder_fingerprint() const override {
    return schema::meta_text(database_, schema::kImageVectors.key(schema::kEmbedder)).value_or("");
  }
  std::string image_embedder_name() const override {
    return schema::meta_text(database_, schema::kImageVectors.key(schema::kEmbedderName)).value_or("");
  }

  std::vector<ScoredImage> search_images(std::span<const float> query, int64_t limit,
                                         const ChunkFilter& filter) override {
    if (!images_) images_.emplace(folder_, database_, budget_, vector_options_);
    return images_->search(query, limit, filter);
  }

  std::vector<ScoredChunk> search_provision(const Provision& reference, int64_t limit,
                                            const ChunkSet* within) override {
    if (reference.article.empty() || limit <= 0) return {};
    Statement& statement = prepared(search_reference_, kReferenceSql);
    statement.bind(reference.article, reference.law);
    std::vector<ScoredChunk> found;  // in reading order, each chunk with its best score
    while (statement.step()) {
      if (within && !within->contains(statement.integer(0))) continue;
      const Provision held{statement.string(1), reference.article, statement.string(2), statement.string(3),
                           statement.string(4)};
      const float score = provision_score(reference, held);
      if (!found.empty() && found.back().id == statement.integer(0))
        found.back().score = std::max(found.back().score, score);
      else
        found.push_back({statement.integer(0), score});
    }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
    found.resize(std::min(found.size(), static_cast<size_t>(limit)));
    return found;
  }

  std::vector<Chunk> fetch(std::span<const int64_t> ids) override {
    std::vector<Chunk> chunks;
    chunks.reserve(ids.size());
    for (const int64_t id : ids)
      if (auto chunk = fetch_one(id)) chunks.push_back(std::move(*chunk));
    return chunks;
  }

  std::vector<ChunkVector> fetch_vectors(std::span<const int64_t> ids) override {
    std::vector<ChunkVector> found;
    if (!vectors_) return found;
    Statement& statement = prepared(row_of_chunk_, "SELECT vector_row FROM chunks WHERE id=?1");
    std::vector<int64_t> rows;
    for (const int64_t id : ids) {
      if (!statement.bind(id).step() || statement.is_null(0)) continue;
      const int64_t row = statement.integer(0);
      if (row < 0 || row >= vectors_->rows()) continue;
      rows.push_back(row);
      found.push_back({id, {}});
    }
    statement.reset();
    const std::vector<VectorRow> read = vectors_->read(rows);
    for (size_t i = 0; i < found.size(); ++i) found[i].values = read[i].values();
    std::erase_if(found, [](const ChunkVector& each) { return each.values.empty(); });
    return found;
  }

  std::optional<StoredFile> find_file(const std::string& path) override {
    Statement row = database_.prepare("SELECT id, bytes, mtime_ns, sha256 FROM files WHERE path=?1", false);
    if (!row.bind(path).step()) return std::nullopt;
    StoredFile file{path, row.integer(1), row.integer(2), row.string(3), {}};
    Statement chunk = database_.prepare(
        "SELECT c.id FROM documents d JOIN chunks c ON c.document_id=d.id WHERE d.file_id=?1 "
        "ORDER BY d.id, c.start_byte, c.id",
        false);
    chunk.bind(row.integer(0));
    while (chunk.step()) file.chunks.push_back(chunk.integer(0));
    return file;
  }

  Coverage coverage() override { return schema::coverage(database_); }

  const LawTable& laws() const override {
    if (!laws_) laws_ = LawTable::parse(schema::meta_text(database_, schema::kLaws).value_or(""));
    return *laws_;
  }

 private:
  static constexpr std::string_view kSparseSql =
      "SELECT rowid, bm25(terms, ?2, ?3, ?4) AS score FROM terms WHERE terms MATCH ?1{}{} ORDER BY score, rowid LIMIT "
      "?5";
  static constexpr std::string_view kInLaw = " AND rowid IN (SELECT chunk_id FROM chunk_references WHERE law=?6)";
  static constexpr std::string_view kWithin = " AND is_within(rowid)";
  static constexpr std::string_view kReferenceSql =
      "SELECT r.chunk_id, r.law, r.paragraph, r.item, r.letter FROM chunk_references r JOIN chunks c ON "
      "c.id=r.chunk_id "
      "WHERE r.article=?1 AND (?2='' OR r.law=?2) ORDER BY c.document_id, c.start_byte, c.id";
  static constexpr std::string_view kFetchSql =
      "SELECT d.name, d.external_id, f.path, d.title, c.heading, c.text, c.start_byte, c.end_byte, c.line, c.page, "
      "d.sha256, c.language, f.bytes, f.mtime_ns, f.note FROM chunks c JOIN documents d ON d.id=c.document_id JOIN "
      "files f ON f.id=d.file_id "
      "WHERE c.id=?1";

  // limit: -1 for all.
  std::vector<ScoredChunk> matches(const std::string& expression, const SparseQuery& query, int64_t limit) {
    if (expression.empty()) return {};
    const bool in_law = !query.law.empty();
    Statement& statement = sparse_statement(in_law, query.within);
    if (in_law)
      statement.bind(expression, schema::kStemsWeight, schema::kWordsWeight, schema::kTitleWeight, limit, query.law);
    else
      statement.bind(expression, schema::kStemsWeight, schema::kWordsWeight, schema::kTitleWeight, limit);
    std::vector<ScoredChunk> found;
    while (statement.step()) found.push_back({statement.integer(0), static_cast<float>(-statement.real(1))});
    return found;
  }

  /// file: of vectors or of postings; null: there is none.
  template <typename File, typename Query>
  std::vector<ScoredChunk> search_rows(const File* file, const Query& query, int64_t limit, const ChunkSet* within) {
    if (!file || limit <= 0) return {};
    std::optional<std::vector<bool>> only;
    if (within) only = rows_of(*within);
    for (int64_t wanted = limit + limit / 4 + 8;; wanted *= 4) {
      const int64_t asked = std::min(wanted, file->rows());
      const std::vector<ScoredRow> rows = file->search(query, asked, only ? &*only : nullptr);
      std::vector<ScoredChunk> found = chunks_of(rows);
      if (within) std::erase_if(found, [&](const ScoredChunk& each) { return !within->contains(each.id); });
      found = best_first(std::move(found), limit);
      const bool is_all = static_cast<int64_t>(rows.size()) < asked || asked == file->rows();
      // A row that was left out may have the chunk that comes first of those with the last score.
      if (is_all || (static_cast<int64_t>(found.size()) == limit && rows.back().score < found.back().score))
        return found;
    }
  }

  // FTS5 weighs columns and not words, so that each word is a search of its own.
  std::vector<ScoredChunk> search_expanded(const std::string& expression, const SparseQuery& query, int64_t limit) {
    std::unordered_map<int64_t, float> scores;
    const auto add = [&](const std::string& words, float weight) {
      for (const ScoredChunk& hit : matches(words, query, -1)) scores[hit.id] += weight * hit.score;
    };
    add(expression, 1);
    const Language language = query.language == Language::unknown ? detect_language(query.text) : query.language;
    for (const WeightedWord& each : query.expansion)
      add(term_maker_.match_expression({.text = each.word, .language = language}), each.weight);
    std::vector<ScoredChunk> found;
    found.reserve(scores.size());
    for (const auto& [id, score] : scores) found.push_back({id, score});
    return best_first(std::move(found), limit);
  }

  static std::vector<ScoredChunk> best_first(std::vector<ScoredChunk> found, int64_t limit) {
    std::stable_sort(found.begin(), found.end(), [](const ScoredChunk& a, const ScoredChunk& b) {
      return a.score != b.score ? a.score > b.score : a.id < b.id;
    });
    found.resize(std::min(found.size(), static_cast<size_t>(limit)));
    return found;
  }

  Statement& prepared(std::optional<Statement>& slot, std::string_view sql) {
    if (!slot) slot.emplace(database_.prepare(sql));
    return *slot;
  }

  /// `within` holds until the next call.
  Statement& sparse_statement(bool in_law, const ChunkSet* within) {
    within_ = within;
    std::optional<Statement>& slot = search_sparse_[(in_law ? 1 : 0) + (within ? 2 : 0)];
    if (slot) return *slot;
    if (within) database_.define("is_within", is_within_);
    return slot.emplace(database_.prepare(fmt::format(kSparseSql, in_law ? kInLaw : "", within ? kWithin : "")));
  }

  /// The rows of the vectors file that a chunk of the set has. A few chunks are looked up, many are found in a scan.
  std::vector<bool> rows_of(const ChunkSet& within) {
    std::vector<bool> rows(static_cast<size_t>(vectors_->rows()));
    const auto add = [&](const Statement& row) {
      if (row.is_null(0)) return;
      const int64_t number = row.integer(0);
      if (number >= 0 && number < vectors_->rows()) rows[static_cast<size_t>(number)] = true;
    };
    if (static_cast<int64_t>(within.ids().size()) < chunk_count() / kChunksScannedPerLookup) {
      Statement row = database_.prepare("SELECT vector_row FROM chunks WHERE id=?1");
      for (const int64_t id : within.ids())
        if (row.bind(id).step()) add(row);
    } else {
      Statement row = database_.prepare("SELECT vector_row, id FROM chunks WHERE vector_row IS NOT NULL", false);
      while (row.step())
        if (within.contains(row.integer(1))) add(row);
    }
    return rows;
  }

  std::vector<ScoredChunk> chunks_of(std::span<const ScoredRow> rows) {
    Statement& statement = prepared(chunks_of_row_, "SELECT id FROM chunks WHERE vector_row=?1 ORDER BY id");
    std::vector<ScoredChunk> found;
    for (const ScoredRow& row : rows) {
      statement.bind(row.row);
      while (statement.step()) found.push_back({statement.integer(0), row.score});
    }
    statement.reset();
    return found;
  }

  std::optional<Chunk> fetch_one(int64_t id) {
    Statement& row = prepared(fetch_, kFetchSql);
    if (!row.bind(id).step()) return std::nullopt;
    Chunk chunk;
    chunk.id = id;
    chunk.document = row.string(0);
    chunk.external_id = row.string(1);
    chunk.path = row.string(2);
    chunk.title = row.string(3);
    chunk.heading = row.string(4);
    chunk.text = row.string(5);
    chunk.start_byte = static_cast<uint64_t>(row.integer(6));
    chunk.end_byte = static_cast<uint64_t>(row.integer(7));
    chunk.line = row.integer(8);
    chunk.page = row.integer(9);
    chunk.sha256 = row.string(10);
    chunk.language = static_cast<Language>(std::clamp<int64_t>(row.integer(11), 0, kLanguages - 1));
    chunk.file_bytes = row.integer(12);
    chunk.file_mtime_ns = row.integer(13);
    const bool was_converted = !row.text(14).empty();
    row.reset();
    place(chunk, was_converted);
    chunk.references = references_of(id);
    chunk.generated = is_caption_name(chunk.document, chunk.path);
    return chunk;
  }

  void place(Chunk& chunk, bool was_converted) {
    const FileKind kind = file_kind(chunk.path).value_or(FileKind::text);
    const bool is_file_text = (kind == FileKind::text || kind == FileKind::markdown) && !was_converted;
    if (chunk.file_bytes >= 0 && !is_file_text) {
      if (!places_) places_.emplace(database_);
      chunk.source = places_->find(chunk.id);
    }
    chunk.in_file = chunk.file_bytes >= 0 && (is_file_text || chunk.source);
    chunk.place = chunk.source ? chunk.source->find(0, chunk.text.size())
                               : SourceMap::Place{chunk.start_byte, chunk.end_byte, chunk.line};
    chunk.line = chunk.place.line;
  }

  std::vector<Provision> references_of(int64_t id) {
    Statement& row = prepared(references_,
                              "SELECT law, article, paragraph, item, letter FROM chunk_references WHERE chunk_id=?1 "
                              "ORDER BY law, article, paragraph, item, letter");
    row.bind(id);
    std::vector<Provision> references;
    while (row.step())
      references.push_back({row.string(0), row.string(1), row.string(2), row.string(3), row.string(4)});
    return references;
  }

  /// Reserves the whole database to be mapped; if it is too large for the budget, SQLite's cache.
  void reserve_pages(Budget& budget) {
    const uint64_t bytes = std::min(std::filesystem::file_size(schema::database_path(folder_)), kMaxMappedBytes);
    if (!budget.limited() || bytes <= budget.limit_bytes() / kMinBudgetPerMappedByte)
      pages_ = budget.reserve_up_to(MemoryTag::index, bytes + kSqliteCacheBytes, Budget::Reclaim::yes);
    if (pages_.bytes() == bytes + kSqliteCacheBytes) return;
    pages_ = Reservation();
    pages_ = budget.reserve(MemoryTag::index, kSqliteCacheBytes, "the SQLite cache of the index");
    database_.execute(fmt::format("PRAGMA mmap_size=0; PRAGMA cache_size=-{}", kSqliteCacheBytes / 1024));
  }

  // A lookup by id descends a tree; a scan reads an index in its order.
  static constexpr int64_t kChunksScannedPerLookup = 8;

  std::filesystem::path folder_;
  Budget& budget_;
  const VectorOptions vector_options_;
  Reservation pages_;
  Database database_;
  Transaction snapshot_;
  uint64_t generation_ = 0;
  std::unique_ptr<VectorRows> vectors_;
  std::optional<PostingsFile> postings_;  // with as many rows
  std::optional<SourcePlaceReader> places_;
  std::optional<ImageSearch> images_;
  TermMaker term_maker_;
  mutable std::optional<LawTable> laws_;
  mutable std::optional<int64_t> chunk_count_;
  mutable std::optional<std::string> embedder_;
  const ChunkSet* within_ = nullptr;  // of the sparse search that runs
  std::function<bool(int64_t)> is_within_ = [this](int64_t id) { return within_ && within_->contains(id); };
  std::array<std::optional<Statement>, 4> search_sparse_;  // of all chunks, in a law, within a set, both
  std::optional<Statement> count_chunks_, chunks_of_row_, row_of_chunk_, search_reference_, fetch_, references_;
};

}  // namespace

void require_sqlite_index(const std::filesystem::path& folder) {
  if (schema::is_empty(open_database(folder))) throw no_index(folder);
}

std::unique_ptr<Store> open_sqlite_store(const std::filesystem::path& folder, Budget& budget,
                                         const VectorOptions& vectors) {
  for (int attempt = 1;; ++attempt) {
    try {
      return std::make_unique<SqliteStore>(folder, budget, vectors);
    } catch (const Error& error) {
      if (error.code() != Code::io || attempt == kOpenAttempts) throw;
    }
  }
}

}  // namespace frugal
