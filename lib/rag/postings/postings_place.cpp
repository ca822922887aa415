#include "rag/postings/postings_place.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/ascii.h"
#include "rag/database/meta.h"

namespace frugal::schema {

std::filesystem::path postings_path(const std::filesystem::path& folder, int64_t number) {
  return folder / fmt::format("postings-{}.u16", number);
}

bool is_postings_path(const std::filesystem::path& path) {
  constexpr std::string_view kBegin = "postings-";
  const std::string stem = path.stem().native();
  return path.extension() == ".u16" && stem.starts_with(kBegin) && is_digits(stem.substr(kBegin.size()));
}

PostingsPlace postings(const Database& database) {
  PostingsPlace place;
  place.number = std::max<int64_t>(meta_integer(database, kPostingsFile), 0);
  if (place.number == 0) return place;
  place.file_id = static_cast<uint64_t>(meta_integer(database, kPostingsId));
  place.valid = {meta_integer(database, kVectorRows), static_cast<uint64_t>(meta_integer(database, kPostingsBytes))};
  return place;
}

void start_postings(Database& database, bool on) {
  const int64_t last = meta_integer(database, kPostingsFile);
  if (last == 0 && !on) return;
  // No number is used again: a reader may have the file of any earlier one.
  const int64_t number = std::max(last, -last) + (on ? 1 : 0);
  set_meta(database, kPostingsFile, on ? number : -number);
  set_meta(database, kPostingsId, random_file_id());
  set_meta(database, kPostingsBytes, 0);
}

}  // namespace frugal::schema
