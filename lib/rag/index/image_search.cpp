#include "rag/index/image_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "rag/extract/extract.h"
#include "rag/index/chunk_selector.h"
#include "rag/index/schema.h"

namespace frugal {
namespace {

using schema::kImageVectors;

constexpr std::string_view kCaptionMark = "#caption-";

bool is_before(const ScoredImage& a, const ScoredImage& b) {
  return a.score != b.score ? a.score > b.score : a.image.id < b.image.id;
}

}  // namespace

std::string caption_name(const std::string& path, int64_t number) {
  return fmt::format("{}{}{}", path, kCaptionMark, number);
}

bool is_caption_name(std::string_view name, std::string_view path) {
  // Only files of records have other documents with such names, and they have no images.
  const std::optional<FileKind> kind = file_kind(path);
  return kind && may_have_images(*kind) && name.starts_with(path) && name.substr(path.size()).starts_with(kCaptionMark);
}

ImageSearch::ImageSearch(const std::filesystem::path& folder, const Database& database, Budget& budget,
                         const VectorOptions& vectors)
    : database_(database) {
  if (schema::meta_integer(database, kImageVectors.key(schema::kVectorRows)) > 0)
    vectors_ = vector_home(folder, database, kImageVectors, vectors)->open(budget);
}

/// The rows that an image of these documents has; both are sorted.
std::vector<bool> ImageSearch::rows_of(const std::vector<int64_t>& documents) const {
  std::vector<bool> rows(static_cast<size_t>(vectors_->rows()));
  Statement row = database_.prepare("SELECT vector_row, document_id FROM images WHERE vector_row IS NOT NULL", false);
  while (row.step()) {
    const int64_t number = row.integer(0);
    const bool passes = std::binary_search(documents.begin(), documents.end(), row.integer(1));
    if (passes && number >= 0 && number < vectors_->rows()) rows[static_cast<size_t>(number)] = true;
  }
  return rows;
}

std::vector<ScoredImage> ImageSearch::search(std::span<const float> query, int64_t limit, const ChunkFilter& filter) {
  if (!vectors_ || limit <= 0 || !filter.phrases.empty()) return {};
  std::optional<std::vector<int64_t>> documents;
  if (!filter.paths.empty() || !filter.where.empty()) documents = select_documents(database_, filter);
  std::optional<std::vector<bool>> only;
  if (documents) only = rows_of(*documents);
  Statement image = database_.prepare(
      "SELECT i.id, f.path, d.title, i.number, i.page, i.caption, i.document_id FROM images i "
      "JOIN documents d ON d.id=i.document_id JOIN files f ON f.id=d.file_id WHERE i.vector_row=?1");
  // A row may have no image (it was removed) or several (of equal content).
  for (int64_t wanted = limit + limit / 4 + 8;; wanted *= 4) {
    const std::vector<ScoredRow> rows =
        vectors_->search(query, std::min(wanted, vectors_->rows()), only ? &*only : nullptr);
    std::vector<ScoredImage> found;
    for (const ScoredRow& row : rows) {
      image.bind(row.row);
      while (image.step()) {
        if (documents && !std::binary_search(documents->begin(), documents->end(), image.integer(6))) continue;
        found.push_back(
            {{image.integer(0), image.string(1), image.string(2), image.integer(3), image.integer(4), image.string(5)},
             row.score});
      }
    }
    const bool is_all = wanted >= vectors_->rows() || static_cast<int64_t>(rows.size()) < wanted;
    if (static_cast<int64_t>(found.size()) < limit && !is_all) continue;
    std::sort(found.begin(), found.end(), is_before);
    if (static_cast<int64_t>(found.size()) > limit) found.resize(static_cast<size_t>(limit));
    return found;
  }
}

}  // namespace frugal
