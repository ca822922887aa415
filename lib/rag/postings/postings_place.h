// Where an SQLite index keeps its token weights: the name of the postings file, and its keys in the table `meta`. Row n
// of the file belongs to row n of the vectors of chunks, so that one count serves both.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "rag/database/sqlite.h"
#include "rag/postings/postings.h"

namespace frugal::schema {

// Keys of `meta`.
constexpr std::string_view kVectorRows = "vector_rows";        // number of valid rows in the file of vectors
constexpr std::string_view kPostingsFile = "postings_file";    // N of postings-N.u16; -N: it was the last, none is kept
constexpr std::string_view kPostingsId = "postings_id";        // the file id in its header
constexpr std::string_view kPostingsBytes = "postings_bytes";  // number of valid bytes in it

std::filesystem::path postings_path(const std::filesystem::path& folder, int64_t number);
/// True for a path as postings_path() makes them.
bool is_postings_path(const std::filesystem::path& path);

struct PostingsPlace {
  int64_t number = 0;  // of the file; 0: the vectors have no weights
  uint64_t file_id = 0;
  PostingsExtent valid;
};
PostingsPlace postings(const Database& database);
/// Names a new postings file without rows, or without `on` notes that there is none.
void start_postings(Database& database, bool on);

}  // namespace frugal::schema
