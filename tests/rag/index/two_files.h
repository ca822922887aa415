// Two short files, an index of them, and questions to it.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "memory/budget.h"
#include "rag/index/index_status.h"
#include "rag/index/index_writer.h"
#include "rag/index/store.h"
#include "rag/index_fakes.h"
#include "support/temp_folder.h"

namespace frugal::testing {

inline IndexOptions options_with(Embedder* embedder) {
  IndexOptions options;
  options.embedder = embedder;
  options.laws = few_laws();
  options.chunks.max_tokens = 40;
  return options;
}

inline IndexReport add(const TempFolder& folder, Embedder* embedder) {
  return IndexWriter(folder / "index", options_with(embedder)).add({(folder / "docs").native()});
}

inline std::vector<std::string> found(const TempFolder& folder, const std::string& question) {
  const auto store = open_store(folder / "index", Budget::unlimited());
  std::vector<int64_t> ids;
  for (const ScoredChunk& hit : store->search_sparse({question, Language::unknown}, 5)) ids.push_back(hit.id);
  std::vector<std::string> names;
  for (const Chunk& chunk : store->fetch(ids)) names.push_back(std::filesystem::path(chunk.path).filename().native());
  return names;
}

inline bool is_clean(const TempFolder& folder) {
  const CheckReport report = check_index(folder / "index");
  for (const std::string& problem : report.problems) MESSAGE(problem);
  return report.problems.empty();
}

struct TwoFiles : TempFolder {
  TwoFiles() {
    write_file(*this / "docs/penguins.txt", "Penguins swim in cold oceans and eat fish.");
    write_file(*this / "docs/deserts.md", "# Deserts\n\nCamels cross the sand.\n\n## Rain\n\nIt rarely rains.\n");
  }
};

}  // namespace frugal::testing
