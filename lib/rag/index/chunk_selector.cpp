// Paths and fields decide about files and documents, so they are compared once for each; phrases are looked up in the
// word index. Every list is sorted by id, and lists are merged.
#include "rag/index/chunk_selector.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>

#include "base/error.h"
#include "rag/extract/extract.h"
#include "rag/filter/field_value.h"
#include "rag/filter/path_filter.h"
#include "rag/index/schema.h"
#include "rag/index/terms.h"

namespace frugal {
namespace {

using Ids = std::vector<int64_t>;

class Selector {
 public:
  Selector(const Database& database, const ChunkFilter& filter) : database_(database), filter_(filter) {}

  Ids select() {
    std::optional<Ids> passing;
    if (!filter_.paths.empty() || !filter_.where.empty()) passing = chunks_of_documents();
    for (const std::string& phrase : filter_.phrases) {
      Ids with = chunks_with(phrase);
      passing = passing ? intersection(*passing, with) : std::move(with);
    }
    if (!passing) passing = all_chunks();
    for (const std::string& phrase : filter_.excluded) passing = difference(*passing, chunks_with(phrase));
    return std::move(*passing);
  }

  /// Those that pass paths and fields.
  Ids documents() const {
    const std::vector<int64_t> files = passing_files();
    const bool has_fields = !filter_.where.empty() && schema::has_table(database_, "document_fields");
    Statement document = database_.prepare(
        has_fields ? "SELECT d.id, f.fields FROM documents d LEFT JOIN document_fields f ON f.document_id=d.id "
                     "WHERE d.file_id=?1"
                   : "SELECT id, NULL FROM documents WHERE file_id=?1");
    Ids ids;
    for (const int64_t file : files) {
      document.bind(file);
      while (document.step())
        if (fields_pass(document.text(1))) ids.push_back(document.integer(0));
    }
    std::sort(ids.begin(), ids.end());
    return ids;
  }

 private:
  static Ids intersection(const Ids& a, const Ids& b) {
    Ids both;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
    return both;
  }
  static Ids difference(const Ids& a, const Ids& b) {
    Ids rest;
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(rest));
    return rest;
  }

  static Ids ids_of(Statement& row) {
    Ids ids;
    while (row.step()) ids.push_back(row.integer(0));
    return ids;
  }

  Ids all_chunks() const {
    // In the order of a small index that has them all: in their own, the texts would be read, too.
    Statement row = database_.prepare("SELECT id FROM chunks", false);
    Ids ids = ids_of(row);
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  Ids chunks_with(const std::string& phrase) const {
    Statement row = database_.prepare("SELECT rowid FROM terms WHERE terms MATCH ?1 ORDER BY rowid", false);
    row.bind(TermMaker::phrase_expression(phrase));
    return ids_of(row);
  }

  Ids chunks_of_documents() const {
    Statement chunk = database_.prepare("SELECT id FROM chunks WHERE document_id=?1");
    Ids ids;
    for (const int64_t document : documents()) {
      chunk.bind(document);
      while (chunk.step()) ids.push_back(chunk.integer(0));
    }
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  bool fields_pass(std::string_view bytes) const {
    if (filter_.where.empty()) return true;
    const DocumentFields fields = DocumentFields::parse(bytes);
    return std::all_of(filter_.where.begin(), filter_.where.end(),
                       [&](const FieldCondition& each) { return holds(each, fields); });
  }

  Ids passing_files() const {
    std::optional<PathFilter> paths;
    if (!filter_.paths.empty()) paths.emplace(filter_.paths, schema::coverage(database_).roots);
    Ids files;
    std::string without_fields;
    int64_t num_without_fields = 0;
    Statement row = database_.prepare("SELECT id, path, recipe, bytes FROM files", false);
    while (row.step()) {
      const std::string path = row.string(1);
      if (paths && !paths->selects(path)) continue;
      files.push_back(row.integer(0));
      if (filter_.where.empty() || !lacks_fields(path, row.text(2), row.integer(3))) continue;
      if (num_without_fields++ == 0) without_fields = path;
    }
    if (num_without_fields > 0) throw made_before(num_without_fields, without_fields);
    return files;
  }

  /// Standard input cannot be read again, so it is searched without its fields.
  static bool lacks_fields(const std::string& path, std::string_view recipe, int64_t bytes) {
    const std::optional<FileKind> kind = file_kind(path);
    return kind && has_fields(*kind) && !recipe.ends_with(kFieldsRecipe) && bytes >= 0;
  }

  Error made_before(int64_t count, const std::string& path) const {
    const std::string folder = database_.path().parent_path().native();
    Error error(
        Code::mismatch,
        fmt::format("--where: {} file{} of the index at '{}' {} indexed before fields were stored, such as '{}'", count,
                    count == 1 ? "" : "s", folder, count == 1 ? "was" : "were", path));
    error.hint(fmt::format("run rag-index add --index {}", folder));
    return error;
  }

  const Database& database_;
  const ChunkFilter& filter_;
};

}  // namespace

std::vector<int64_t> select_chunks(const Database& database, const ChunkFilter& filter) {
  return Selector(database, filter).select();
}

std::vector<int64_t> select_documents(const Database& database, const ChunkFilter& filter) {
  return Selector(database, filter).documents();
}

}  // namespace frugal
