// A vectors file is named in the table `meta` before it exists, and created with its first row. Its random id
// (VectorLayout::file_id) prevents a file of another index or of an earlier attempt from being taken for it.
//
// Compaction copies the rows in use, in ascending order, to STEM-N+1.i8, and changes the row numbers of owners and
// keys in the transaction that names the new file. A new row number is never above the old one, so the update of one
// row never matches an owner that was moved before. If the transaction is rolled back, the old file is still the
// current one, and the next writer removes the other. The same copy moves the rows to another home (vector_home.h): a
// partition of a server, of which the same holds.
#include "rag/vectors/vector_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "memory/budget.h"
#include "rag/database/meta.h"

namespace frugal {
namespace {

// Fewer unused rows are always kept: a rename or an undo may use them again.
constexpr int64_t kMinUnusedRows = 1024;
constexpr size_t kMovedRows = 1024;  // that are read at once

}  // namespace

VectorWriter::VectorWriter(const std::filesystem::path& folder, Database& database, const schema::VectorSet& set,
                           const VectorOptions& options)
    : folder_(folder),
      database_(database),
      set_(set),
      options_(options),
      find_(database.prepare(fmt::format("SELECT row FROM {} WHERE key=?1", set.rows))),
      insert_(database.prepare(fmt::format("INSERT INTO {} VALUES(?1, ?2)", set.rows))),
      attach_(database.prepare(fmt::format(
          "UPDATE {} SET vector_row=(SELECT row FROM {} WHERE key=vector_key) WHERE id=?1", set.owners, set.rows))) {
  if (set.may_have_weights) weights_.emplace(folder, database);
}

int64_t VectorWriter::meta(std::string_view name) const {
  return schema::meta_integer(database_, set_.key(name));
}
void VectorWriter::set_meta(std::string_view name, int64_t value) {
  schema::set_meta(database_, set_.key(name), value);
}

int64_t VectorWriter::rows() const {
  return meta(schema::kVectorRows);
}
int64_t VectorWriter::rows_in_use() const {
  return database_
      .integer(fmt::format("SELECT count(DISTINCT vector_row) FROM {} WHERE vector_row IS NOT NULL", set_.owners))
      .value_or(0);
}

void VectorWriter::set_embedder_name(const std::string& name) {
  schema::set_meta(database_, set_.key(schema::kEmbedderName), name);
}

std::vector<bool> VectorWriter::used_rows() const {
  std::vector<bool> used(static_cast<size_t>(rows()));
  Statement row = database_.prepare(
      fmt::format("SELECT vector_row FROM {} WHERE vector_row>=0 AND vector_row<?1", set_.owners), false);
  row.bind(rows());
  while (row.step()) used[static_cast<size_t>(row.integer(0))] = true;
  return used;
}

std::optional<std::string> VectorWriter::embedder() const {
  return schema::meta_text(database_, set_.key(schema::kEmbedder));
}

void VectorWriter::replace_embedder(const std::string& fingerprint, int64_t dimension, bool has_weights) {
  schema::set_meta(database_, set_.key(schema::kEmbedder), fingerprint);
  drop_all(dimension, has_weights);
}

bool VectorWriter::is_unusable() const {
  if (rows() == 0) return false;
  try {
    home()->check();
    if (weights_) weights_->check_readable();
    return false;
  } catch (const Error& error) {
    if (error.code() != Code::corrupt_file && !(weights_ && weights_->is_missing())) throw;
    log(LogLevel::warn, "{}; its vectors are computed again", error.message());
    return true;
  }
}

void VectorWriter::drop_all() {
  drop_all(schema::vector_layout(database_, set_).dimension, keeps_weights());
}

void VectorWriter::drop_all(int64_t dimension, bool has_weights) {
  database_.execute(fmt::format("DELETE FROM {}; UPDATE {} SET vector_row=NULL WHERE vector_row IS NOT NULL;",
                                set_.rows, set_.owners));
  start(dimension);
  if (weights_) weights_->start(has_weights);
}

/// Names a new home, which is created with its first row.
void VectorWriter::start(int64_t dimension) {
  appender_.reset();
  has_unflushed_rows_ = false;
  start_vector_home(database_, set_, options_, dimension);
}

VectorRowWriter& VectorWriter::appender() {
  if (!appender_) appender_ = home()->append();
  return *appender_;
}

int64_t VectorWriter::owners_without_vector() const {
  return database_.integer(fmt::format("SELECT count(*) FROM {} WHERE vector_row IS NULL", set_.owners)).value_or(0);
}

bool VectorWriter::has(std::string_view key) {
  const bool found = find_.bind(Blob{key}).step();
  find_.reset();
  return found;
}

void VectorWriter::put(std::string_view key, std::span<const float> vector, std::span<const TokenWeight> weights) {
  insert_.run(Blob{key}, appender().append(vector));
  if (keeps_weights()) weights_->append(weights);
  has_unflushed_rows_ = true;
}

void VectorWriter::attach(int64_t owner) {
  attach_.run(owner);
}

void VectorWriter::flush() {
  if (!has_unflushed_rows_) return;
  appender_->sync();
  set_meta(schema::kVectorRows, appender_->rows());
  if (appender_->stamp() > 0) set_meta(schema::kVectorsStamp, static_cast<int64_t>(appender_->stamp()));
  is_unsettled_ = true;
  if (weights_) weights_->flush();
  has_unflushed_rows_ = false;
}

bool VectorWriter::is_worth_compacting() const {
  const int64_t all = rows(), used = rows_in_use();
  return all - used >= kMinUnusedRows && used * 2 <= all;
}

void VectorWriter::compact() {
  const int64_t all = rows(), dimension = schema::vector_layout(database_, set_).dimension;
  const std::vector<bool> used = used_rows();
  std::vector<int64_t> kept;
  kept.reserve(used.size());
  for (int64_t row = 0; row < all; ++row)
    if (used[static_cast<size_t>(row)]) kept.push_back(row);
  const std::unique_ptr<VectorRows> from = kept.empty() ? nullptr : home()->open(Budget::unlimited());
  if (keeps_weights()) weights_->copy([&](int64_t row) { return used[static_cast<size_t>(row)]; });
  start(dimension);
  database_.execute("CREATE TEMP TABLE IF NOT EXISTS moved(old INTEGER PRIMARY KEY, new INTEGER); DELETE FROM moved;");
  for (size_t begin = 0; begin < kept.size(); begin += kMovedRows)
    move_rows(*from, std::span(kept).subspan(begin, std::min(kMovedRows, kept.size() - begin)));
  database_.execute(
      fmt::format("DELETE FROM {0} WHERE row NOT IN (SELECT old FROM moved); "
                  "UPDATE {0} SET row=(SELECT new FROM moved WHERE old=row);",
                  set_.rows));
  has_unflushed_rows_ = appender_ != nullptr;
  flush();
  log(LogLevel::info, "{}: dropped {} unused rows of {}", set_.file_stem, all - rows(), all);
}

void VectorWriter::move_rows(const VectorRows& from, std::span<const int64_t> rows) {
  Statement move_owners =
      database_.prepare(fmt::format("UPDATE {} SET vector_row=?2 WHERE vector_row=?1", set_.owners));
  Statement note = database_.prepare("INSERT INTO moved VALUES(?1, ?2)");
  const std::vector<VectorRow> read = from.read(rows);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!read[i].intact)
      throw Error(Code::corrupt_file,
                  fmt::format("row {} of the {} of the index is missing or damaged", rows[i], set_.file_stem))
          .hint("run rag-index add with --re-embed to write the vectors again");
    const int64_t row = appender().append_codes(read[i].codes, read[i].scale);
    move_owners.run(rows[i], row);
    note.run(rows[i], row);
  }
}

void VectorWriter::merge_weights() {
  weights_->copy([](int64_t) { return true; });
}

void VectorWriter::remove_old_files() {
  if (weights_) weights_->remove_old_files();
  remove_old_homes(folder_, database_, set_, options_);
}

void VectorWriter::settle() {
  if (is_unsettled_) home()->settle();
  is_unsettled_ = false;
}

}  // namespace frugal
