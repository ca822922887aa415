// Answers given before, one small file each: the same question of the same index with the same models and options.
// A cache and nothing more: losing it, or any file of it, costs time only; it never fails a query.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "rag/query.h"

namespace frugal {

/// The words of a question with white space made single; nothing else, for case and accents may carry meaning.
std::string normalise_question(std::string_view question);

/// Everything an answer depends on. The index is its folder, generation and embedder; the models are their packs'
/// identities.
struct CacheKey {
  std::string question;
  std::string options;
  std::string index;
  std::string models;
  /// SHA-256 over the parts (each with its length) and the version of the stored form.
  std::string hex() const;
};

/// Safe for any number of processes: files appear by rename, are checked against a checksum when read, and are spread
/// over 256 folders, each of which keeps its share of the size by dropping what was used longest ago.
class AnswerCache {
 public:
  AnswerCache(std::filesystem::path folder, uint64_t max_bytes);

  /// The reply as it was stored, without timings and memory; nullopt if there is none or it cannot be used.
  std::optional<Reply> find(const CacheKey& key) const;
  /// Stores a reply. A failure (read-only folder, full disk) is logged and otherwise ignored.
  void put(const CacheKey& key, const Reply& reply) const;

 private:
  std::filesystem::path path_of(const std::string& hex) const;
  void make_room(const std::filesystem::path& folder) const;

  std::filesystem::path folder_;
  uint64_t max_bytes_;
};

}  // namespace frugal
