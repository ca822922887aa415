// The tables of an index and the names of its files: what store_sqlite.cpp reads and store_writer_sqlite.cpp writes.
// docs/design/0012-index.md says why it is laid out so.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "rag/index/sqlite.h"
#include "rag/index/vectors.h"

namespace frugal::schema {

/// Raised when a table changes its meaning; an index of another version is rebuilt, not migrated.
constexpr int64_t kVersion = 1;

/// BM25 weights of the columns stems, words, title of the word index (tuned: docs/design/0012-index.md).
constexpr double kStemsWeight = 1.0;
constexpr double kWordsWeight = 0.6;
constexpr double kTitleWeight = 0.8;

std::filesystem::path database_path(const std::filesystem::path& folder);
std::filesystem::path lock_path(const std::filesystem::path& folder);
std::filesystem::path vectors_path(const std::filesystem::path& folder, int64_t number);

/// Creates the tables in an empty database. Throws Error(mismatch) if it holds an index of another version.
void create(Database& database);
/// Throws Error(mismatch) if the database is no index or one of another version.
void check_version(const Database& database);

/// One value of the table `meta`.
std::optional<std::string> meta_text(const Database& database, std::string_view key);
int64_t meta_integer(const Database& database, std::string_view key);  // 0 where absent
void set_meta(Database& database, std::string_view key, std::string_view value);
void set_meta(Database& database, std::string_view key, int64_t value);

// Keys of `meta`.
constexpr std::string_view kGeneration = "generation";     // counts the commits that changed what a reader may find
constexpr std::string_view kTerms = "terms";               // TermMaker::fingerprint() of the word index
constexpr std::string_view kLaws = "laws";                 // LawTable::serialise() as the documents were indexed
constexpr std::string_view kEmbedder = "embedder";         // fingerprint; absent: no vectors
constexpr std::string_view kDimension = "dimension";       // of the vectors
constexpr std::string_view kVectorsFile = "vectors_file";  // number in the name of the file in use
constexpr std::string_view kVectorsId = "vectors_id";      // VectorLayout::file_id
constexpr std::string_view kVectorRows = "vector_rows";    // rows of that file that count

VectorLayout vector_layout(const Database& database);

}  // namespace frugal::schema
