#include "rag/vectors/vector_set.h"

#include <fmt/format.h>

#include "base/ascii.h"
#include "base/error.h"
#include "rag/database/meta.h"

namespace frugal::schema {

std::filesystem::path vectors_path(const std::filesystem::path& folder, int64_t number, const VectorSet& set) {
  return folder / fmt::format("{}-{}.i8", set.file_stem, number);
}

bool is_vectors_path(const std::filesystem::path& path, const VectorSet& set) {
  const std::string stem = path.stem().native(), begin = fmt::format("{}-", set.file_stem);
  return path.extension() == ".i8" && stem.starts_with(begin) && is_digits(stem.substr(begin.size()));
}

VectorLayout vector_layout(const Database& database, const VectorSet& set) {
  const VectorLayout layout{meta_integer(database, set.key(kDimension)),
                            static_cast<uint64_t>(meta_integer(database, set.key(kVectorsId)))};
  if (layout.dimension < 1 || layout.dimension > VectorLayout::kMaxDimension)
    throw Error(Code::corrupt_file, fmt::format("'{}' has {} {} (table meta)", database.path().native(),
                                                set.key(kDimension), layout.dimension))
        .hint("delete the index folder and run rag-index add again");
  return layout;
}

}  // namespace frugal::schema
