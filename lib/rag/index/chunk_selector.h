// Finds the chunks of an SQLite index that pass a filter. Keys, globs and phrases are never part of a statement: they
// are compared here, or bound as values.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "rag/database/sqlite.h"
#include "rag/filter/chunk_filter.h"

namespace frugal {

/// The end of a file's recipe whose documents have their fields in the index.
constexpr std::string_view kFieldsRecipe = " fields-1";

/// The ids, sorted. Throws Error(mismatch) if the filter compares fields and a file that may have some was indexed
/// before they were stored.
std::vector<int64_t> select_chunks(const Database& database, const ChunkFilter& filter);
/// The documents that pass the paths and the fields of the filter: ids, sorted. Throws as select_chunks().
std::vector<int64_t> select_documents(const Database& database, const ChunkFilter& filter);

}  // namespace frugal
