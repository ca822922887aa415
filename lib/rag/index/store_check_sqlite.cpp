// Status and check of an SQLite index. The check holds the writer lock. It runs SQLite's own checks, and compares the
// word index with the chunks, every vector and block of token weights with its checksum, and every chunk with the bytes
// of its file.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "memory/budget.h"
#include "rag/database/sqlite.h"
#include "rag/extract/extract.h"
#include "rag/extract/extraction_child.h"
#include "rag/index/schema.h"
#include "rag/index/store_kind.h"
#include "rag/vectors/vector_home.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxProblems = 100;  // enough for a diagnosis
constexpr int64_t kRowsAtOnce = 1024;

std::vector<SkippedFile> read_skipped(const Database& database) {
  std::vector<SkippedFile> skipped;
  Statement row = database.prepare("SELECT path, reason FROM skipped ORDER BY path", false);
  while (row.step()) skipped.push_back({row.string(0), row.string(1)});
  return skipped;
}

class IndexCheck {
 public:
  IndexCheck(const fs::path& folder, const VectorOptions& vectors)
      : folder_(folder),
        vectors_(vectors),
        lock_(schema::lock_path(folder)),
        database_(schema::database_path(folder), Database::Mode::write) {
    if (schema::is_empty(database_)) require_sqlite_index(folder);
    schema::check_version(database_);
  }

  CheckReport run() {
    try {
      schema::check_tables(database_);
      check_database();
      check_terms();
      check_vectors(schema::kChunkVectors);
      check_vectors(schema::kImageVectors);
      check_files();
    } catch (const Error& error) {
      if (error.code() != Code::corrupt_file) throw;
      problem(error.message());
    }
    return std::move(report_);
  }

 private:
  void problem(std::string text) {
    if (report_.problems.size() < kMaxProblems) report_.problems.push_back(std::move(text));
  }

  void check_database() {
    Statement row = database_.prepare("PRAGMA integrity_check", false);
    while (row.step())
      if (row.text(0) != "ok") problem(fmt::format("database: {}", row.text(0)));
    Statement key = database_.prepare("PRAGMA foreign_key_check", false);
    while (key.step())
      problem(fmt::format("database: row {} of {} refers to a missing row", key.integer(1), key.text(0)));
  }

  void check_terms() {
    try {
      database_.execute("INSERT INTO terms(terms) VALUES('integrity-check')");
    } catch (const Error& error) {
      if (error.code() == Code::over_budget) throw;
      problem("word index: " + error.message());
    }
    const int64_t unindexed =
        database_.integer("SELECT count(*) FROM chunks WHERE id NOT IN (SELECT id FROM terms_docsize)").value_or(0);
    const int64_t orphans =
        database_.integer("SELECT count(*) FROM terms_docsize WHERE id NOT IN (SELECT id FROM chunks)").value_or(0);
    if (unindexed > 0) problem(fmt::format("word index: {} chunks are missing", unindexed));
    if (orphans > 0) problem(fmt::format("word index: {} entries without a chunk", orphans));
  }

  void check_vectors(const schema::VectorSet& set) {
    if (!schema::has_table(database_, set.owners)) return;  // an index of before
    const int64_t rows = schema::meta_integer(database_, set.key(schema::kVectorRows));
    const std::string_view name = set.file_stem;
    const int64_t dangling =
        database_
            .integer(fmt::format("SELECT count(*) FROM {0} WHERE vector_row>={1} OR vector_row<0", set.owners, rows))
            .value_or(0);
    if (dangling > 0) problem(fmt::format("{}: {} {} refer to rows beyond the last", name, dangling, set.owners));
    const int64_t crossed = database_
                                .integer(fmt::format("SELECT count(*) FROM {} c LEFT JOIN {} v ON v.key=c.vector_key "
                                                     "WHERE c.vector_row IS NOT NULL AND v.row IS NOT c.vector_row",
                                                     set.owners, set.rows))
                                .value_or(0);
    if (crossed > 0) problem(fmt::format("{}: {} {} have the vector of another content", name, crossed, set.owners));
    if (rows == 0) return;
    const auto file = vector_home(folder_, database_, set, vectors_)->open(Budget::unlimited());
    std::vector<int64_t> some;
    for (int64_t row = 0; row < rows; row += static_cast<int64_t>(some.size())) {
      some.resize(static_cast<size_t>(std::min(kRowsAtOnce, rows - row)));
      std::iota(some.begin(), some.end(), row);
      const std::vector<VectorRow> read = file->read(some);
      for (size_t i = 0; i < some.size(); ++i)
        if (!read[i].intact) problem(fmt::format("{}: row {} fails its checksum", name, some[i]));
    }
    report_.vectors_checked += rows;
    if (set.may_have_weights) check_weights();
  }

  void check_weights() {
    const schema::PostingsPlace place = schema::postings(database_);
    if (place.number == 0) return;
    const PostingsFile file(schema::postings_path(folder_, place.number), place.file_id, place.valid,
                            Budget::unlimited());
    for (size_t block = 0; block < file.blocks(); ++block)
      if (!file.intact(block)) problem(fmt::format("vectors: block {} of the token weights is damaged", block));
    report_.token_weights_checked = file.postings();
  }

  void check_files() {
    Statement file = database_.prepare("SELECT id, path, bytes, sha256 FROM files ORDER BY path");
    while (file.step()) {
      const fs::path path = file.string(1);
      if (file.integer(2) < 0) {
        check_chunk_lengths(file.integer(0));  // from standard input: there is no file to compare with
      } else if (std::error_code unreadable; !fs::is_regular_file(path, unreadable)) {
        report_.stale.push_back(
            {path.native(), "vanished, or no regular file any more"});  // a FIFO would be waited for
      } else if (std::ifstream input(path, std::ios::binary); !input) {
        report_.stale.push_back({path.native(), "vanished or unreadable since it was indexed"});
      } else if (sha256_file(path) != file.text(3)) {
        report_.stale.push_back({path.native(), "changed since it was indexed"});
      } else {
        ExtractOptions options;
        options.child = &child_;
        options.max_file_bytes = static_cast<uint64_t>(file.integer(2));  // so that the limit does not reject it now
        if (has_images(file.integer(0))) options.images = &figures_;
        check_file(file.integer(0), path, input, options);
      }
    }
  }

  bool has_images(int64_t file) const {
    if (!schema::has_table(database_, "images")) return false;  // an index of before
    Statement row =
        database_.prepare("SELECT 1 FROM images i JOIN documents d ON d.id=i.document_id WHERE d.file_id=?1", false);
    return row.bind(file).step();
  }

  /// Extracts the file again and compares each chunk with its byte range.
  void check_file(int64_t id, const fs::path& path, std::istream& input, const ExtractOptions& options) {
    Statement document = database_.prepare("SELECT id FROM documents WHERE file_id=?1 AND sha256=?2");
    try {
      extract(input, file_kind(path).value_or(FileKind::text), path, options, [&](const Document& each) {
        if (!document.bind(id, sha256_hex(each.text)).step())
          return problem(fmt::format("{}: a document is not in the index", path.native()));
        const int64_t document_id = document.integer(0);
        document.reset();
        check_chunks(document_id, path, each.text);
      });
    } catch (const Error& error) {
      if (error.code() != Code::bad_input) throw;
      report_.stale.push_back({path.native(), error.message()});
    }
  }

  void check_chunks(int64_t document_id, const fs::path& path, std::string_view text) {
    Statement chunk =
        database_.prepare("SELECT id, start_byte, end_byte, text FROM chunks WHERE document_id=?1", false);
    chunk.bind(document_id);
    while (chunk.step()) {
      const auto begin = static_cast<uint64_t>(chunk.integer(1)), end = static_cast<uint64_t>(chunk.integer(2));
      const bool same = begin <= end && end <= text.size() && text.substr(begin, end - begin) == chunk.text(3);
      if (!same)
        problem(fmt::format("{}: chunk {} differs from bytes {} to {} of its document", path.native(), chunk.integer(0),
                            begin, end));
      ++report_.chunks_checked;
    }
  }

  void check_chunk_lengths(int64_t file_id) {
    Statement chunk = database_.prepare(
        "SELECT c.id, c.start_byte, c.end_byte, length(CAST(c.text AS BLOB)) FROM chunks c "
        "JOIN documents d ON d.id=c.document_id WHERE d.file_id=?1",
        false);
    chunk.bind(file_id);
    while (chunk.step()) {
      if (chunk.integer(2) - chunk.integer(1) != chunk.integer(3))
        problem(fmt::format("chunk {}: its text and its byte range differ in length", chunk.integer(0)));
      ++report_.chunks_checked;
    }
  }

  fs::path folder_;
  const VectorOptions vectors_;
  FileLock lock_;
  Database database_;
  ExtractionChild child_;
  // Images are not compared, but a file without text is only read with them.
  const ImageReading figures_{.knows = [](const std::string&) { return true; }, .sink = [](const DocumentImage&) {}};
  CheckReport report_;
};

uint64_t bytes_of(const fs::path& path) {
  std::error_code ignored;
  const uint64_t bytes = fs::file_size(path, ignored);
  return ignored ? 0 : bytes;
}

}  // namespace

IndexStatus read_sqlite_status(const fs::path& folder) {
  IndexStatus status;
  const std::unique_ptr<Store> store = open_sqlite_store(folder, Budget::unlimited(), {});
  status.info = store->info();
  status.generation = store->generation();
  status.embedder_fingerprint = store->embedder_fingerprint();
  const fs::path path = schema::database_path(folder);
  const Database database(path, Database::Mode::read);
  status.files = database.integer("SELECT count(*) FROM files").value_or(0);
  status.chunks_without_vector = status.info.chunks - status.info.vectors;
  status.database_bytes = bytes_of(path) + bytes_of(path.native() + "-wal");
  for (const schema::VectorSet* set : {&schema::kChunkVectors, &schema::kImageVectors})
    status.vectors_bytes +=
        bytes_of(schema::vectors_path(folder, schema::meta_integer(database, set->key(schema::kVectorsFile)), *set));
  if (status.info.dimension > 0)
    status.vectors_server = vector_home(folder, database, schema::kChunkVectors, {})->location();
  status.weights_bytes = bytes_of(schema::postings_path(folder, schema::postings(database).number));
  status.embedder_name = schema::meta_text(database, schema::kEmbedderName).value_or("");
  status.image_embedder_fingerprint = store->image_embedder_fingerprint();
  status.image_embedder_name = store->image_embedder_name();
  status.coverage = schema::coverage(database);
  status.skipped = read_skipped(database);
  return status;
}

CheckReport check_sqlite_store(const fs::path& folder, const VectorOptions& vectors) {
  // Only a missing index is left to the reader's error; a damaged one is described by the check.
  if (bytes_of(schema::database_path(folder)) == 0) require_sqlite_index(folder);
  return IndexCheck(folder, vectors).run();
}

}  // namespace frugal
