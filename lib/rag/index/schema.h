// The tables of an SQLite index and the names of its files, shared by its reader and its writer.
// docs/design/0012-index.md explains the layout.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "rag/database/meta.h"
#include "rag/database/sqlite.h"
#include "rag/postings/postings_place.h"
#include "rag/scan/coverage.h"
#include "rag/vectors/vector_set.h"

namespace frugal::schema {

/// Raised when a table changes its meaning, or when a writer of before would leave a table wrong. An index of a version
/// below kOldestVersion or above kVersionWithWeights is not read; the user rebuilds it. The next writer raises an older
/// one. 2: documents have fields, which a writer of version 1 would leave behind for another document. 3: they have
/// images. 4: vectors have token weights, which a writer of version 3 would not add: only an index with them has this
/// version.
constexpr int64_t kVersion = 3;
constexpr int64_t kVersionWithWeights = 4;
constexpr int64_t kOldestVersion = 1;

/// BM25 weights of the columns stems, words, title of the word index (tuned: docs/design/0012-index.md).
constexpr double kStemsWeight = 1.0;
constexpr double kWordsWeight = 0.6;
constexpr double kTitleWeight = 0.8;

std::filesystem::path database_path(const std::filesystem::path& folder);
std::filesystem::path lock_path(const std::filesystem::path& folder);

/// Creates the tables if the database is empty; otherwise checks version and tables, and raises both to those of this
/// program.
void create(Database& database);
/// True if the database has no table yet: its index was never committed.
bool is_empty(const Database& database);
/// For tables that an index made before lacks.
bool has_table(const Database& database, std::string_view name);
/// Throws Error(mismatch) if the database is not an index, or has another version.
void check_version(const Database& database);
/// has_weights: the vectors of chunks have token weights, or will have them.
void set_version(Database& database, bool has_weights);
/// Throws Error(corrupt_file) if a table is missing, or there are views, triggers or virtual tables that are not ours:
/// a table that computes its rows could keep a question busy for ever.
void check_tables(const Database& database);

// Keys of `meta` (rag/database/meta.h), beside those of the vectors (rag/vectors/vector_set.h) and of the token weights
// (rag/postings/postings_place.h).
constexpr std::string_view kGeneration = "generation";  // commits that changed documents, chunks or vectors
constexpr std::string_view kTerms = "terms";            // TermMaker::fingerprint() of the word index
constexpr std::string_view kLaws = "laws";              // LawTable::serialise()

/// What the index covers. An index of before this was recorded has roots only.
Coverage coverage(const Database& database);
void set_coverage(Database& database, const Coverage& coverage);

/// Prepares `sql`, in which {} stands for a condition on the column path: at or under `path`, ?1 to ?3.
Statement under(const Database& database, std::string_view sql, const std::string& path);

}  // namespace frugal::schema
