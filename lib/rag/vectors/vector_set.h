// The names of a set of vectors in an SQLite index: its file, its tables, its keys in the table `meta`. An index has a
// set for each embedder, so that vectors of two embedders never mix.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "rag/database/sqlite.h"
#include "rag/postings/postings_place.h"
#include "rag/vectors/vector_rows.h"

namespace frugal::schema {

struct VectorSet {
  std::string_view owners;     // table of what has a vector: its columns vector_key, and vector_row or NULL
  std::string_view rows;       // table of the row of each key
  std::string_view file_stem;  // of its file in the index: STEM-N.i8
  std::string_view prefix;     // of its keys in `meta`
  bool may_have_weights;       // its rows may have token weights (rag/postings/postings_place.h)

  std::string key(std::string_view name) const { return std::string(prefix).append(name); }
};
inline constexpr VectorSet kChunkVectors{"chunks", "vectors", "vectors", "", true};
inline constexpr VectorSet kImageVectors{"images", "image_vectors", "images", "image_", false};

// Keys of `meta`, each behind the prefix of its set; so is kVectorRows (rag/postings/postings_place.h).
constexpr std::string_view kEmbedder = "embedder";           // fingerprint; absent: no vectors
constexpr std::string_view kEmbedderName = "embedder_name";  // of its pack
constexpr std::string_view kDimension = "dimension";         // of the vectors
constexpr std::string_view kVectorsFile = "vectors_file";    // N of the current STEM-N.i8
constexpr std::string_view kVectorsId = "vectors_id";        // VectorLayout::file_id
constexpr std::string_view kVectorsStamp = "vectors_stamp";  // VectorRowWriter::stamp() of the newest row

std::filesystem::path vectors_path(const std::filesystem::path& folder, int64_t number,
                                   const VectorSet& set = kChunkVectors);
/// True for a path as vectors_path() makes them.
bool is_vectors_path(const std::filesystem::path& path, const VectorSet& set = kChunkVectors);
/// Throws Error(corrupt_file) if the dimension is out of range.
VectorLayout vector_layout(const Database& database, const VectorSet& set = kChunkVectors);

}  // namespace frugal::schema
