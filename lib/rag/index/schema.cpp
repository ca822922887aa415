#include "rag/index/schema.h"

#include <fmt/format.h>

#include "base/ascii.h"
#include "base/error.h"

namespace frugal::schema {
namespace {

// "FRGL": marks an SQLite database as an index.
constexpr int64_t kApplicationId = 0x4652474c;

// A file has one document, or one per record; a document has chunks. `vector_key` identifies the embedded text of a
// chunk, `vector_row` is the row of its vector. Chunks with equal text share a row. A vector stays after its chunk is
// removed, until the vectors file is compacted, so that a renamed or restored file is not embedded again.
constexpr const char* kTables = R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE roots(path TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE skipped(path TEXT PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files(
  id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
  ctime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL, recipe TEXT NOT NULL, note TEXT NOT NULL);
CREATE TABLE documents(
  id INTEGER PRIMARY KEY, file_id INTEGER NOT NULL REFERENCES files(id), name TEXT NOT NULL, external_id TEXT NOT NULL,
  title TEXT NOT NULL, sha256 TEXT NOT NULL, pass INTEGER NOT NULL);
CREATE INDEX documents_by_file ON documents(file_id, name);
CREATE TABLE chunks(
  id INTEGER PRIMARY KEY, document_id INTEGER NOT NULL REFERENCES documents(id), start_byte INTEGER NOT NULL,
  end_byte INTEGER NOT NULL, line INTEGER NOT NULL, page INTEGER NOT NULL, language INTEGER NOT NULL,
  vector_row INTEGER, vector_key BLOB NOT NULL, heading TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX chunks_by_document ON chunks(document_id);
CREATE INDEX chunks_by_row ON chunks(vector_row) WHERE vector_row IS NOT NULL;
CREATE INDEX chunks_without_vector ON chunks(id) WHERE vector_row IS NULL;
CREATE TABLE vectors(key BLOB PRIMARY KEY, row INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE chunk_references(
  article TEXT NOT NULL, law TEXT NOT NULL, paragraph TEXT NOT NULL, item TEXT NOT NULL, letter TEXT NOT NULL,
  chunk_id INTEGER NOT NULL, PRIMARY KEY(article, law, paragraph, item, letter, chunk_id)) WITHOUT ROWID;
CREATE INDEX references_by_chunk ON chunk_references(chunk_id);
CREATE VIRTUAL TABLE terms USING fts5(stems, words, title, content='', tokenize="ascii tokenchars '-.,'");
)sql";

}  // namespace

std::filesystem::path database_path(const std::filesystem::path& folder) {
  return folder / "index.sqlite";
}
std::filesystem::path lock_path(const std::filesystem::path& folder) {
  return folder / "writer.lock";
}
std::filesystem::path vectors_path(const std::filesystem::path& folder, int64_t number) {
  return folder / fmt::format("vectors-{}.i8", number);
}
bool is_vectors_path(const std::filesystem::path& path) {
  const std::string stem = path.stem().native();
  return path.extension() == ".i8" && stem.starts_with("vectors-") && is_digits(stem.substr(8));
}

void create(Database& database) {
  if (database.integer("SELECT count(*) FROM sqlite_schema").value_or(0) > 0) return check_version(database);
  Transaction transaction(database, Transaction::Kind::write);
  database.execute(kTables);
  database.execute(fmt::format("PRAGMA application_id={}; PRAGMA user_version={};", kApplicationId, kVersion));
  transaction.commit();
}

void check_version(const Database& database) {
  const int64_t application = database.integer("PRAGMA application_id").value_or(0);
  const int64_t version = database.integer("PRAGMA user_version").value_or(0);
  if (application != kApplicationId)
    throw Error(Code::mismatch, fmt::format("'{}' is not an index of rag-index", database.path().native()))
        .hint("choose another folder with --index");
  if (version != kVersion)
    throw Error(Code::mismatch, fmt::format("'{}' has index version {}, this program reads {}",
                                            database.path().native(), version, kVersion))
        .hint("delete the index folder and run rag-index add again");
}

std::optional<std::string> meta_text(const Database& database, std::string_view key) {
  Statement statement = database.prepare("SELECT value FROM meta WHERE key=?1", false);
  if (!statement.bind(key).step()) return std::nullopt;
  return statement.string(0);
}

int64_t meta_integer(const Database& database, std::string_view key) {
  Statement statement = database.prepare("SELECT value FROM meta WHERE key=?1", false);
  return statement.bind(key).step() ? statement.integer(0) : 0;
}

void set_meta(Database& database, std::string_view key, std::string_view value) {
  database.prepare("INSERT OR REPLACE INTO meta VALUES(?1, ?2)", false).run(key, value);
}
void set_meta(Database& database, std::string_view key, int64_t value) {
  database.prepare("INSERT OR REPLACE INTO meta VALUES(?1, ?2)", false).run(key, value);
}

VectorLayout vector_layout(const Database& database) {
  const VectorLayout layout{meta_integer(database, kDimension),
                            static_cast<uint64_t>(meta_integer(database, kVectorsId))};
  if (layout.dimension < 1 || layout.dimension > VectorLayout::kMaxDimension)
    throw Error(Code::corrupt_file,
                fmt::format("'{}': dimension {} (table meta)", database.path().native(), layout.dimension))
        .hint("delete the index folder and run rag-index add again");
  return layout;
}

}  // namespace frugal::schema
