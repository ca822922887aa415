// A vectors file is named in the table `meta` before it exists, and created with its first row. Its random id
// (VectorLayout::file_id) prevents a file of another index or of an earlier attempt from being taken for it.
//
// Compaction copies the rows in use, in ascending order, to vectors-N+1.i8, and changes the row numbers of chunks and
// keys in the transaction that names the new file. A new row number is never above the old one, so the update of one
// row never matches a chunk that was moved before. If the transaction is rolled back, the old file is still the current
// one, and the next writer removes the other.
#include "rag/index/vector_writer.h"

#include <random>

#include "base/error.h"
#include "base/folder.h"
#include "base/log.h"
#include "memory/budget.h"
#include "rag/index/schema.h"

namespace frugal {
namespace {

// Fewer unused rows are always kept: a rename or an undo may use them again.
constexpr int64_t kMinUnusedRows = 1024;

int64_t random_id() {
  std::random_device device;
  return static_cast<int64_t>((static_cast<uint64_t>(device()) << 32 | device()) & INT64_MAX);
}

}  // namespace

VectorWriter::VectorWriter(const std::filesystem::path& folder, Database& database)
    : folder_(folder),
      database_(database),
      find_(database.prepare("SELECT row FROM vectors WHERE key=?1")),
      insert_(database.prepare("INSERT INTO vectors VALUES(?1, ?2)")),
      attach_(
          database.prepare("UPDATE chunks SET vector_row=(SELECT row FROM vectors WHERE key=vector_key) WHERE id=?1")),
      pending_(database.prepare(
          "SELECT c.id, c.vector_key, d.title, c.text FROM chunks c JOIN documents d ON d.id=c.document_id "
          "WHERE c.vector_row IS NULL AND c.id>?1 ORDER BY c.id LIMIT ?2")) {}

int64_t VectorWriter::file_number() const {
  return schema::meta_integer(database_, schema::kVectorsFile);
}
int64_t VectorWriter::rows() const {
  return schema::meta_integer(database_, schema::kVectorRows);
}
int64_t VectorWriter::rows_in_use() const {
  return database_.integer("SELECT count(DISTINCT vector_row) FROM chunks WHERE vector_row IS NOT NULL").value_or(0);
}

std::optional<std::string> VectorWriter::embedder() const {
  return schema::meta_text(database_, schema::kEmbedder);
}

void VectorWriter::replace_embedder(const std::string& fingerprint, int64_t dimension) {
  schema::set_meta(database_, schema::kEmbedder, fingerprint);
  drop_all(dimension);
}

bool VectorWriter::is_unusable() const {
  if (rows() == 0) return false;
  const std::filesystem::path path = schema::vectors_path(folder_, file_number());
  try {
    const VectorFile readable(path, schema::vector_layout(database_), rows(), Budget::unlimited());
    return false;
  } catch (const Error& error) {
    // Neither a full table of open files nor a refused permission says anything about the rows.
    if (error.code() != Code::corrupt_file && std::filesystem::exists(path)) throw;
    log(LogLevel::warn, "{}; its vectors are computed again", error.message());
    return true;
  }
}

void VectorWriter::drop_all() {
  drop_all(schema::vector_layout(database_).dimension);
}

void VectorWriter::drop_all(int64_t dimension) {
  database_.execute("DELETE FROM vectors; UPDATE chunks SET vector_row=NULL WHERE vector_row IS NOT NULL;");
  start_file(file_number() + 1, dimension);
}

/// Names a new vectors file, which is created with its first row.
void VectorWriter::start_file(int64_t number, int64_t dimension) {
  appender_.reset();
  has_unflushed_rows_ = false;
  schema::set_meta(database_, schema::kVectorsFile, number);
  schema::set_meta(database_, schema::kVectorsId, random_id());
  schema::set_meta(database_, schema::kDimension, dimension);
  schema::set_meta(database_, schema::kVectorRows, 0);
}

VectorAppender& VectorWriter::appender() {
  if (!appender_) {
    const std::filesystem::path file = schema::vectors_path(folder_, file_number());
    appender_.emplace(file, schema::vector_layout(database_), rows());
    // A database that the user has opened to others stays of use to them.
    std::error_code ignored;
    std::filesystem::permissions(file, std::filesystem::status(database_.path(), ignored).permissions(), ignored);
  }
  return *appender_;
}

int64_t VectorWriter::chunks_without_vector() const {
  return database_.integer("SELECT count(*) FROM chunks WHERE vector_row IS NULL").value_or(0);
}

std::vector<PendingChunk> VectorWriter::pending_chunks(int64_t after, int64_t limit) {
  pending_.bind(after, limit);
  std::vector<PendingChunk> chunks;
  while (pending_.step())
    chunks.push_back({pending_.integer(0), pending_.string(1), pending_.string(2), pending_.string(3)});
  pending_.reset();
  return chunks;
}

bool VectorWriter::has(std::string_view key) {
  const bool found = find_.bind(Blob{key}).step();
  find_.reset();
  return found;
}

void VectorWriter::put(std::string_view key, std::span<const float> vector) {
  insert_.run(Blob{key}, appender().append(vector));
  has_unflushed_rows_ = true;
}

void VectorWriter::attach(int64_t chunk) {
  attach_.run(chunk);
}

void VectorWriter::flush() {
  if (!has_unflushed_rows_) return;
  appender_->sync();
  schema::set_meta(database_, schema::kVectorRows, appender_->rows());
  has_unflushed_rows_ = false;
}

bool VectorWriter::is_worth_compacting() const {
  const int64_t all = rows(), used = rows_in_use();
  return all - used >= kMinUnusedRows && used * 2 <= all;
}

void VectorWriter::compact() {
  const int64_t all = rows();
  const VectorFile old(schema::vectors_path(folder_, file_number()), schema::vector_layout(database_), all,
                       Budget::unlimited());
  start_file(file_number() + 1, schema::vector_layout(database_).dimension);
  Statement each = database_.prepare(
      "SELECT DISTINCT vector_row FROM chunks WHERE vector_row IS NOT NULL AND vector_row>?1 ORDER BY vector_row LIMIT "
      "1");
  Statement move_chunks = database_.prepare("UPDATE chunks SET vector_row=?2 WHERE vector_row=?1");
  database_.execute("CREATE TEMP TABLE IF NOT EXISTS moved(old INTEGER PRIMARY KEY, new INTEGER); DELETE FROM moved;");
  Statement note = database_.prepare("INSERT INTO moved VALUES(?1, ?2)");
  for (int64_t last = -1; each.bind(last).step();) {
    last = each.integer(0);
    each.reset();
    const int64_t row = appender().append_codes(old.codes(last), old.scale(last));
    move_chunks.run(last, row);
    note.run(last, row);
  }
  database_.execute(
      "DELETE FROM vectors WHERE row NOT IN (SELECT old FROM moved); "
      "UPDATE vectors SET row=(SELECT new FROM moved WHERE old=row);");
  has_unflushed_rows_ = appender_.has_value();
  flush();
  log(LogLevel::info, "vectors: dropped {} unused rows of {}", all - rows(), all);
}

void VectorWriter::remove_old_files() const {
  const std::filesystem::path current = schema::vectors_path(folder_, file_number());
  std::error_code ignored;
  for (const std::filesystem::path& entry : folder_entries(folder_))
    if (schema::is_vectors_path(entry) && entry != current) std::filesystem::remove(entry, ignored);
}

}  // namespace frugal
