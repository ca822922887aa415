// Writes an SQLite index (docs/design/0012-index.md). A batch is one transaction. Roots, skipped files and the batch
// are handled here, documents by DocumentWriter, vectors by VectorWriter.
//
// Commit. New rows of the vectors file are synced first. Their number, and the next generation if anything changed that
// a search can find, are then written in the transaction of the batch, which commits. A kill before that leaves rows
// beyond the stored number, which the next writer overwrites, so it loses at most one batch.
//
// Terms. If the fingerprint of TermMaker has changed, the word index is rebuilt when the index is opened, before any
// other change: DocumentWriter can delete a row only with the terms that were inserted.
//
// finish() merges the word index after many changes, compacts the vectors if most are unused, removes old vectors files
// and truncates the write-ahead log. A lock on writer.lock excludes other writers while the object lives.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "rag/database/sqlite.h"
#include "rag/index/document_writer.h"
#include "rag/index/schema.h"
#include "rag/index/store_kind.h"
#include "rag/index/store_writer.h"
#include "rag/index/terms.h"
#include "rag/vectors/vector_writer.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// After fewer changed chunks, the automatic merging of FTS5 is good enough.
constexpr int64_t kMinChunksToOptimise = 256;

fs::path create_folder(const fs::path& folder) {
  create_private_folders(folder);
  return folder;
}

FileLock take_lock(const fs::path& folder) {
  try {
    return FileLock(schema::lock_path(folder));
  } catch (Error& error) {
    if (error.code() == Code::bad_input)
      throw Error(Code::bad_input, fmt::format("the index at '{}' is in use by another writer", folder.native()))
          .hint("wait for it to finish; readers are not affected");
    throw;
  }
}

Database open_tables(const fs::path& folder) {
  Database database(schema::database_path(folder), Database::Mode::write);
  schema::create(database);
  return database;
}

class SqliteStoreWriter final : public StoreWriter {
 public:
  SqliteStoreWriter(const fs::path& folder, const VectorOptions& vectors)
      : folder_(create_folder(folder)),
        lock_(take_lock(folder_)),
        database_(open_tables(folder_)),
        documents_(database_),
        vectors_(folder_, database_, schema::kChunkVectors, vectors),
        image_vectors_(folder_, database_, schema::kImageVectors, vectors) {
    mend(vectors_);
    if (mend(image_vectors_)) read_images_again();
    commit();
    if (schema::meta_text(database_, schema::kTerms) == TermMaker::fingerprint()) return;
    open_batch();
    documents_.rebuild_terms();
    commit();
  }

  void commit() override {
    FRUGAL_CHECK(!in_file_);
    if (!batch_) return;
    check_lock();
    vectors_.flush();
    image_vectors_.flush();
    if (changed_)
      schema::set_meta(database_, schema::kGeneration, schema::meta_integer(database_, schema::kGeneration) + 1);
    batch_->commit();
    batch_.reset();
    changed_ = false;
  }

  Coverage coverage() override { return schema::coverage(database_); }

  void set_coverage(const Coverage& coverage) override {
    if (coverage == schema::coverage(database_)) return;
    open_batch();
    schema::set_coverage(database_, coverage);
  }

  std::vector<SkippedFile> skipped_under(const std::string& path) override {
    std::vector<SkippedFile> skipped;
    Statement row = schema::under(database_, "SELECT path, reason FROM skipped WHERE {} ORDER BY path", path);
    while (row.step()) skipped.push_back({row.string(0), row.string(1)});
    return skipped;
  }

  void add_skipped(const std::string& path, const std::string& reason) override {
    open_batch();
    database_.prepare("INSERT OR REPLACE INTO skipped VALUES(?1, ?2)", false).run(path, reason);
  }

  void forget_skipped(const std::string& path) override {
    open_batch();
    database_.prepare("DELETE FROM skipped WHERE path=?1", false).run(path);
  }

  std::optional<IndexedFile> find_file(const std::string& path) override {
    if (!find_file_.bind(path).step()) return std::nullopt;
    IndexedFile file{find_file_.integer(0),
                     {find_file_.integer(1), find_file_.integer(2), find_file_.integer(3)},
                     find_file_.string(4),
                     find_file_.string(5)};
    find_file_.reset();
    return file;
  }

  std::vector<int64_t> files_under(const std::string& path) override {
    std::vector<int64_t> ids;
    Statement row = schema::under(database_, "SELECT id FROM files WHERE {} ORDER BY path", path);
    while (row.step()) ids.push_back(row.integer(0));
    return ids;
  }

  void remove_file(int64_t id) override {
    open_batch();
    documents_.remove_file(id);
    changed_ = true;
  }

  void relocate(const std::string& from, const std::string& to) override {
    open_batch();
    relocate_files(from, to);
    const std::vector<SkippedFile> skipped = skipped_under(from);
    for (const SkippedFile& file : skipped) forget_skipped(file.path);
    for (const SkippedFile& file : skipped) add_skipped(relocated(file.path, from, to), file.reason);
    changed_ = true;
  }

  int64_t begin_file(const std::string& path, const std::string& recipe) override {
    FRUGAL_CHECK(!in_file_);
    open_batch();
    database_.execute("SAVEPOINT file");
    in_file_ = true;
    return documents_.begin_file(path, recipe);
  }

  bool put_document(const std::string& name, const Document& document,
                    const std::function<std::vector<NewChunk>()>& chunk) override {
    FRUGAL_CHECK(in_file_);
    return documents_.put(name, document, chunk);
  }

  void end_file(const IndexedFile::Stamp& stamp, const std::string& sha256, const std::string& note) override {
    FRUGAL_CHECK(in_file_);
    changed_ |= documents_.end_file(stamp, sha256, note);
    database_.execute("RELEASE file");
    in_file_ = false;
  }

  void abandon_file() override {
    FRUGAL_CHECK(in_file_);
    documents_.abandon_file();
    database_.execute("ROLLBACK TO file; RELEASE file");
    in_file_ = false;
  }

  void set_laws(const LawTable& laws) override {
    const std::string text = laws.serialise();
    if (schema::meta_text(database_, schema::kLaws) == text) return;
    open_batch();
    schema::set_meta(database_, schema::kLaws, text);
  }

  void use_embedder(const std::string& fingerprint, int64_t dimension, bool replace, bool has_weights) override {
    if (use_embedder(vectors_, "embedder", fingerprint, dimension, replace, has_weights))
      schema::set_version(database_, has_weights);
  }
  bool keeps_weights() override { return vectors_.keeps_weights(); }

  void set_embedder_name(const std::string& name) override {
    open_batch();
    vectors_.set_embedder_name(name);
  }

  void use_image_embedder(const std::string& fingerprint, int64_t dimension, bool replace) override {
    if (use_embedder(image_vectors_, "image-embedder", fingerprint, dimension, replace, false)) read_images_again();
  }

  void set_image_embedder_name(const std::string& name) override {
    open_batch();
    image_vectors_.set_embedder_name(name);
  }

  bool has_image_vector(std::string_view key) override { return image_vectors_.has(key); }

  void put_image_vector(std::string_view key, std::span<const float> vector) override {
    open_batch();
    image_vectors_.put(key, vector);
    changed_ = true;
  }

  std::optional<std::string> find_caption(std::string_view key) override {
    Statement row = database_.prepare("SELECT text FROM captions WHERE key=?1", false);
    return row.bind(Blob{key}).step() ? std::optional(row.string(0)) : std::nullopt;
  }

  void put_caption(std::string_view key, const std::string& caption) override {
    open_batch();
    database_.prepare("INSERT INTO captions VALUES(?1, ?2)", false).run(Blob{key}, caption);
  }

  void put_images(std::span<const NewImage> images) override {
    FRUGAL_CHECK(in_file_);
    documents_.put_images(images);
  }

  std::vector<PendingChunk> pending_chunks(int64_t after, int64_t limit) override {
    pending_.bind(after, limit);
    std::vector<PendingChunk> chunks;
    while (pending_.step())
      chunks.push_back({pending_.integer(0), pending_.string(1), pending_.string(2), pending_.string(3)});
    pending_.reset();
    return chunks;
  }

  bool has_vector(std::string_view key) override { return vectors_.has(key); }

  void put_vector(std::string_view key, std::span<const float> vector, std::span<const TokenWeight> weights) override {
    open_batch();
    vectors_.put(key, vector, weights);
    changed_ = true;
  }

  void attach_vector(int64_t chunk) override {
    open_batch();
    vectors_.attach(chunk);
    changed_ = true;
  }

  void finish() override {
    commit();
    if (counts().chunks_added + counts().chunks_removed >= kMinChunksToOptimise)
      database_.execute("INSERT INTO terms(terms) VALUES('optimize')");
    compact(vectors_);
    compact(image_vectors_);
    check_lock();
    for (VectorWriter* vectors : {&vectors_, &image_vectors_}) {
      vectors->remove_old_files();
      vectors->settle();
    }
    // If readers of older generations still use the log, a later run truncates it: none is waited for.
    database_.execute("PRAGMA busy_timeout=0");
    database_.integer("PRAGMA wal_checkpoint(TRUNCATE)");
    database_.execute(fmt::format("PRAGMA busy_timeout={}", Database::kBusyTimeoutMs));
  }

  Totals totals() override {
    return {database_.integer("SELECT count(*) FROM documents").value_or(0),
            database_.integer("SELECT count(*) FROM chunks").value_or(0), vectors_.owners_without_vector(),
            static_cast<uint64_t>(schema::meta_integer(database_, schema::kGeneration)),
            database_.integer("SELECT count(*) FROM images").value_or(0)};
  }

  Counts counts() const override { return documents_.counts(); }

 private:
  void open_batch() {
    if (batch_) return;
    check_lock();
    batch_.emplace(database_, Transaction::Kind::write);
  }

  /// True if the vectors had to be dropped.
  bool mend(VectorWriter& vectors) {
    if (!vectors.is_unusable()) {
      move_or_clear(vectors);
      return false;
    }
    open_batch();
    vectors.drop_all();
    return changed_ = true;
  }

  /// Old files of a set that moves are removed by finish(): until the commit they are the current ones.
  void move_or_clear(VectorWriter& vectors) {
    if (!vectors.must_move()) return vectors.remove_old_files();
    open_batch();
    vectors.compact();
    changed_ = true;
  }

  void compact(VectorWriter& vectors) {
    if (vectors.is_worth_compacting()) {
      open_batch();
      vectors.compact();
      changed_ = true;
    } else if (vectors.is_worth_merging_weights()) {
      open_batch();
      vectors.merge_weights();
    }
    commit();
  }

  /// True if the vectors of another embedder were dropped. flag: that names one.
  bool use_embedder(VectorWriter& vectors, std::string_view flag, const std::string& fingerprint, int64_t dimension,
                    bool replace, bool has_weights) {
    const std::optional<std::string> present = vectors.embedder();
    if (present == fingerprint && !replace) return false;
    if (present && !replace)
      throw Error(Code::mismatch,
                  fmt::format("the index at '{}' was made with another {} (index: {}; now: {})", folder_.native(),
                              flag == "embedder" ? "embedder" : "image embedder", *present, fingerprint))
          .hint(fmt::format("run rag-index add --re-embed --index {}, or name the index's embedder with --{}",
                            folder_.native(), flag));
    open_batch();
    vectors.replace_embedder(fingerprint, dimension, has_weights);
    return changed_ = true;
  }

  /// An image is embedded when its file is read.
  void read_images_again() {
    database_.execute(
        "UPDATE files SET recipe='' WHERE id IN (SELECT d.file_id FROM documents d JOIN images i ON "
        "i.document_id=d.id); DELETE FROM images;");
  }

  /// Files are named by their paths, so a folder that replaced ours would lose its own.
  void check_lock() const {
    if (lock_.is_current()) return;
    throw Error(Code::io,
                fmt::format("the index at '{}' was deleted or replaced while it was written", folder_.native()))
        .hint("run the command again");
  }

  void relocate_files(const std::string& from, const std::string& to) {
    std::vector<std::pair<int64_t, std::string>> files;
    Statement row = schema::under(database_, "SELECT id, path FROM files WHERE {}", from);
    while (row.step()) files.emplace_back(row.integer(0), row.string(1));
    Statement rename = database_.prepare("UPDATE files SET path=?2 WHERE id=?1");
    // First to paths that no file has: a new path may be the old one of a file that is yet to be renamed.
    for (const auto& [id, path] : files) rename.run(id, fmt::format("relocating:{}", id));
    for (const auto& [id, path] : files) {
      rename.run(id, relocated(path, from, to));
      relocate_documents(id, from, to);
    }
    if (fs::path(from).filename() != fs::path(to).filename())
      database_.prepare("UPDATE files SET recipe='' WHERE path=?1", false).run(to);
  }

  /// The name of a document begins with the path of its file.
  void relocate_documents(int64_t file, const std::string& from, const std::string& to) {
    std::vector<std::pair<int64_t, std::string>> documents;
    Statement row = database_.prepare("SELECT id, name FROM documents WHERE file_id=?1", false);
    row.bind(file);
    while (row.step()) documents.emplace_back(row.integer(0), row.string(1));
    Statement rename = database_.prepare("UPDATE documents SET name=?2 WHERE id=?1", false);
    for (const auto& [id, name] : documents) rename.run(id, to + name.substr(std::min(from.size(), name.size())));
  }

  fs::path folder_;
  FileLock lock_;
  Database database_;
  DocumentWriter documents_;
  VectorWriter vectors_, image_vectors_;
  Statement find_file_ =
      database_.prepare("SELECT id, bytes, mtime_ns, ctime_ns, sha256, recipe FROM files WHERE path=?1");
  Statement pending_ = database_.prepare(
      "SELECT c.id, c.vector_key, d.title, c.text FROM chunks c JOIN documents d ON d.id=c.document_id "
      "WHERE c.vector_row IS NULL AND c.id>?1 ORDER BY c.id LIMIT ?2");
  std::optional<Transaction> batch_;
  bool in_file_ = false;
  bool changed_ = false;  // the batch has a change that a search can find
};

}  // namespace

std::unique_ptr<StoreWriter> open_sqlite_writer(const fs::path& folder, const VectorOptions& vectors) {
  return std::make_unique<SqliteStoreWriter>(folder, vectors);
}

}  // namespace frugal
