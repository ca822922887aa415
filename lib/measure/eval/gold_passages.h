// Finds the passages that a file of hand-written questions names as the ones that answer. A name is one of
//
//   - the id of a document, as the corpus has it: "cdc/art-49"
//   - a file of the index, by its path or the end of it: "laws/cdc.txt"; of a record also "faq.jsonl#12"
//   - an article of a law, as any text would cite it: "art. 49 do CDC", "Lei 8.078/1990, art. 49", "CDC/art-49"
//   - an article of a file: "laws/cdc/art-49" is article 49 of laws/cdc.txt
//
// The same file therefore fits an index of articles and one of whole laws. Paragraphs and items are not compared.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "measure/eval/dataset.h"
#include "rag/index/store.h"
#include "rag/law/provision.h"
#include "rag/reply/reply.h"

namespace frugal {

/// The article of a law that `name` cites; nullopt unless it names both.
std::optional<Provision> gold_provision(std::string_view name, const LawTable& laws);

/// Caches chunks and names, so that each is read once. Borrows the store.
class GoldPassages {
 public:
  explicit GoldPassages(Store& store) : store_(store) {}

  /// True if the chunk with this id is of a passage in query.gold; false for a chunk that the store lacks.
  bool is_gold(const EvalQuery& query, int64_t chunk);
  /// The place of the first such chunk, from 1; nullopt: none is in the ranking. Chunks of one document that hold the
  /// same articles share a place, so that a long article counts once.
  std::optional<int64_t> rank(const EvalQuery& query, std::span<const Candidate> ranking);

 private:
  struct Passage {
    std::string external_id, document, path;
    std::vector<Provision> provisions;
    std::string place;  // equal for chunks that share one
  };
  const Passage* passage(int64_t chunk);
  void fetch_unknown(std::span<const Candidate> chunks);
  /// What a name means, besides the id of a document or its path.
  struct Meaning {
    std::optional<Provision> of_law;   // an article of a law
    std::string file;                  // an article of a file, without its extension; empty: none
    std::optional<Provision> of_file;  // that article, of any law
  };
  const Meaning& meaning(const std::string& name);
  bool is_named(const Passage& passage, const std::string& name);

  Store& store_;
  std::unordered_map<int64_t, Passage> passages_;
  std::map<std::string, Meaning> meanings_;  // by name
};

}  // namespace frugal
