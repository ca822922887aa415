#include "measure/eval/document_names.h"

#include <string_view>
#include <unordered_set>

namespace frugal {

std::vector<std::string> DocumentNames::rank(std::span<const Candidate> chunks, int64_t depth) {
  fetch_unknown(chunks);
  std::vector<std::string> documents;
  std::unordered_set<std::string_view> seen;
  for (const Candidate& chunk : chunks) {
    if (static_cast<int64_t>(documents.size()) == depth) break;
    const auto name = names_.find(chunk.id);
    if (name != names_.end() && seen.insert(name->second).second) documents.push_back(name->second);
  }
  return documents;
}

void DocumentNames::fetch_unknown(std::span<const Candidate> chunks) {
  std::vector<int64_t> unknown;
  for (const Candidate& chunk : chunks)
    if (!names_.contains(chunk.id)) unknown.push_back(chunk.id);
  for (Chunk& chunk : store_.fetch(unknown))
    names_[chunk.id] = chunk.external_id.empty() ? std::move(chunk.document) : std::move(chunk.external_id);
}

}  // namespace frugal
