#include "rag/index/schema.h"

#include <fmt/format.h>

#include <array>
#include <set>
#include <utility>
#include <vector>

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

// Tables that an index made before lacks until its next writer adds them; readers do without. `coverage` has all but
// the paths of the roots, by kinds: see the constants below. Places: see source_places.h. Fields: DocumentFields.
// Images of a document are numbered from 1 in its order; equal images share a row of their vectors file, as chunks do
// of theirs.
constexpr const char* kLaterTables = R"sql(
CREATE TABLE IF NOT EXISTS coverage(
  kind TEXT NOT NULL, value TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY(kind, value)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS document_places(
  document_id INTEGER PRIMARY KEY, start_byte INTEGER NOT NULL, line INTEGER NOT NULL, digest INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS chunk_places(chunk_id INTEGER PRIMARY KEY, map BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS document_fields(document_id INTEGER PRIMARY KEY, fields BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS images(
  id INTEGER PRIMARY KEY, document_id INTEGER NOT NULL REFERENCES documents(id), number INTEGER NOT NULL,
  page INTEGER NOT NULL, caption TEXT NOT NULL, vector_key BLOB NOT NULL, vector_row INTEGER);
CREATE INDEX IF NOT EXISTS images_by_document ON images(document_id);
CREATE INDEX IF NOT EXISTS images_by_row ON images(vector_row) WHERE vector_row IS NOT NULL;
CREATE TABLE IF NOT EXISTS image_vectors(key BLOB PRIMARY KEY, row INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS captions(key BLOB PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
)sql";
constexpr std::string_view kExclude = "exclude";          // a pattern
constexpr std::string_view kRemoved = "removed";          // a path
constexpr std::string_view kHidden = "hidden";            // a root whose hidden files are included
constexpr std::string_view kNoIgnoreFiles = "no-ignore";  // a root whose ignore files are not obeyed

constexpr std::array kRequiredTables = {"meta",   "roots",   "skipped",          "files", "documents",
                                        "chunks", "vectors", "chunk_references", "terms"};

Error damaged(const Database& database, std::string_view what) {
  Error error(Code::corrupt_file, fmt::format("'{}' {}", database.path().native(), what));
  error.hint("delete the index folder and run rag-index add again");
  return error;
}

std::vector<std::string> values_of(const Database& database, std::string_view kind) {
  std::vector<std::string> values;
  Statement row = database.prepare("SELECT value FROM coverage WHERE kind=?1 ORDER BY position", false);
  row.bind(kind);
  while (row.step()) values.push_back(row.string(0));
  return values;
}

}  // namespace

std::filesystem::path database_path(const std::filesystem::path& folder) {
  return folder / "index.sqlite";
}
std::filesystem::path lock_path(const std::filesystem::path& folder) {
  return folder / "writer.lock";
}

void create(Database& database) {
  if (!is_empty(database)) {
    check_version(database);
    check_tables(database);
    database.execute(kLaterTables);
    if (database.integer("PRAGMA user_version") < kVersion)
      database.execute(fmt::format("PRAGMA user_version={}", kVersion));
    return;
  }
  Transaction transaction(database, Transaction::Kind::write);
  database.execute(kTables);
  database.execute(kLaterTables);
  database.execute(fmt::format("PRAGMA application_id={}; PRAGMA user_version={};", kApplicationId, kVersion));
  transaction.commit();
}

bool is_empty(const Database& database) {
  return database.integer("SELECT count(*) FROM sqlite_schema").value_or(0) == 0;
}

bool has_table(const Database& database, std::string_view name) {
  Statement row = database.prepare("SELECT 1 FROM sqlite_schema WHERE type='table' AND name=?1", false);
  return row.bind(name).step();
}

void check_tables(const Database& database) {
  std::set<std::string> tables;
  Statement row = database.prepare("SELECT type, name, rootpage, sql FROM sqlite_schema", false);
  while (row.step()) {
    const std::string type = row.string(0), name = row.string(1);
    const bool is_virtual = type == "table" && row.integer(2) == 0;
    const bool is_ours = is_virtual ? row.text(3).starts_with("CREATE VIRTUAL TABLE terms USING fts5(")
                                    : type == "table" || type == "index";
    if (!is_ours) throw damaged(database, fmt::format("has a {} '{}', which an index never has", type, name));
    if (type == "table") tables.insert(name);
  }
  for (const char* name : kRequiredTables)
    if (!tables.contains(name)) throw damaged(database, fmt::format("has no table '{}'", name));
}

void check_version(const Database& database) {
  const int64_t application = database.integer("PRAGMA application_id").value_or(0);
  const int64_t version = database.integer("PRAGMA user_version").value_or(0);
  if (application != kApplicationId)
    throw Error(Code::mismatch, fmt::format("'{}' is not an index of rag-index", database.path().native()))
        .hint("choose another folder with --index");
  if (version < kOldestVersion || version > kVersionWithWeights)
    throw Error(Code::mismatch, fmt::format("'{}' has index version {}, this program reads {} to {}",
                                            database.path().native(), version, kOldestVersion, kVersionWithWeights))
        .hint("delete the index folder and run rag-index add again");
}

Coverage coverage(const Database& database) {
  Coverage coverage;
  Statement root = database.prepare("SELECT path FROM roots", false);
  while (root.step()) coverage.roots[root.string(0)] = {};
  if (!has_table(database, "coverage")) return coverage;
  for (const std::string& path : values_of(database, kHidden)) coverage.roots[path].hidden = true;
  for (const std::string& path : values_of(database, kNoIgnoreFiles)) coverage.roots[path].ignore_files = false;
  coverage.excludes = values_of(database, kExclude);
  for (std::string& path : values_of(database, kRemoved)) coverage.removed.insert(std::move(path));
  return coverage;
}

void set_coverage(Database& database, const Coverage& coverage) {
  database.execute("DELETE FROM roots; DELETE FROM coverage;");
  Statement root = database.prepare("INSERT INTO roots VALUES(?1)", false);
  Statement value = database.prepare("INSERT INTO coverage VALUES(?1, ?2, ?3)", false);
  for (const auto& [path, options] : coverage.roots) {
    root.run(path);
    if (options.hidden) value.run(kHidden, path, 0);
    if (!options.ignore_files) value.run(kNoIgnoreFiles, path, 0);
  }
  for (size_t i = 0; i < coverage.excludes.size(); ++i) value.run(kExclude, coverage.excludes[i], i);
  for (const std::string& path : coverage.removed) value.run(kRemoved, path, 0);
}

Statement under(const Database& database, std::string_view sql, const std::string& path) {
  // The paths inside a folder are between "folder/" and "folder0": '0' follows '/'.
  std::string begin = path.ends_with('/') ? path : path + '/', end = begin;
  end.back() = '0';
  Statement statement = database.prepare(fmt::format(fmt::runtime(sql), "(path=?1 OR (path>=?2 AND path<?3))"), false);
  statement.bind(path, begin, end);
  return statement;
}

void set_version(Database& database, bool has_weights) {
  database.execute(fmt::format("PRAGMA user_version={}", has_weights ? kVersionWithWeights : kVersion));
}

}  // namespace frugal::schema
