#include "rag/postings/postings_writer.h"

#include "base/folder.h"
#include "memory/budget.h"
#include "rag/database/meta.h"
#include "rag/postings/postings_place.h"

namespace frugal {
namespace {

// A search looks every token up in every block, and a commit writes one. A copy costs as much as writing the file.
constexpr int64_t kMaxPartialBlocks = 16;

}  // namespace

bool PostingsWriter::is_on() const {
  return file_number() > 0;
}

int64_t PostingsWriter::file_number() const {
  return schema::postings(database_).number;
}

std::filesystem::path PostingsWriter::current() const {
  return schema::postings_path(folder_, file_number());
}

void PostingsWriter::start(bool on) {
  appender_.reset();
  schema::start_postings(database_, on);
}

void PostingsWriter::check_readable() const {
  const schema::PostingsPlace place = schema::postings(database_);
  if (place.number > 0 && place.valid.rows > 0)
    const PostingsFile readable(current(), place.file_id, place.valid, Budget::unlimited());
}

bool PostingsWriter::is_missing() const {
  return is_on() && !std::filesystem::exists(current());
}

void PostingsWriter::append(std::span<const TokenWeight> weights) {
  if (!appender_) open_appender(schema::postings(database_).valid);
  appender_->append(weights);
}

void PostingsWriter::open_appender(const PostingsExtent& valid) {
  appender_.emplace(current(), schema::postings(database_).file_id, valid);
  // A database that the user has opened to others stays of use to them.
  std::error_code ignored;
  std::filesystem::permissions(current(), std::filesystem::status(database_.path(), ignored).permissions(), ignored);
}

void PostingsWriter::flush() {
  if (appender_) schema::set_meta(database_, schema::kPostingsBytes, static_cast<int64_t>(appender_->sync().bytes));
}

bool PostingsWriter::is_worth_merging() const {
  const schema::PostingsPlace place = schema::postings(database_);
  if (place.number == 0 || place.valid.rows == 0) return false;
  const PostingsFile file(current(), place.file_id, place.valid, Budget::unlimited());
  return file.partial_blocks() > kMaxPartialBlocks;
}

void PostingsWriter::copy(const std::function<bool(int64_t row)>& keep) {
  const schema::PostingsPlace place = schema::postings(database_);
  std::optional<PostingsFile> old;
  if (place.valid.rows > 0) old.emplace(current(), place.file_id, place.valid, Budget::unlimited());
  start(true);
  open_appender({});  // the database still counts the rows of the old file
  int64_t row = 0;
  for (size_t block = 0; old && block < old->blocks(); ++block)
    for (const std::vector<TokenWeight>& weights : old->rows_of(block))
      if (keep(row++)) append(weights);
  flush();
}

void PostingsWriter::remove_old_files() const {
  std::error_code ignored;
  for (const std::filesystem::path& entry : folder_entries(folder_))
    if (schema::is_postings_path(entry) && entry != current()) std::filesystem::remove(entry, ignored);
}

}  // namespace frugal
