// From a question to ranked chunks: words, vectors and named references, fused.
// Not the index itself (store.h), and no model: the question's vector comes from the caller, or there is no dense list.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "rag/answer/query.h"
#include "rag/index/store.h"
#include "rag/law/provision.h"
#include "rag/text/language.h"

namespace frugal {

/// What the dense list weighs against 1 − weight for the sparse one, by the language of the question: an embedder that
/// was trained on English orders Portuguese poorly (docs/design/0008).
struct DenseWeights {
  float english = 0.4f;
  float portuguese = 0.15f;
  float other = 0.2f;
  float of(Language language) const;
};

struct RetrieveOptions {
  bool sparse = true;
  bool references = true;
  Fusion fusion = Fusion::weighted;
  int64_t candidates = 100;  // of each list
  DenseWeights dense_weights;
};

/// What is searched for. An empty vector means no dense list.
struct Probe {
  std::string_view question;
  std::span<const float> vector;  // [dimension], unit length
};

struct Ranking {
  std::vector<Candidate> candidates;  // best first
  FusionNote note;
};

class Retriever {
 public:
  /// Borrows all.
  Retriever(Store& store, const LawTable& laws, RetrieveOptions options);

  /// Chunks that bear a reference named in the question come first, by how many of its parts they bear, then by fused
  /// score; the rest follow by fused score, ties by id. Where a question names articles and no chunk bears any of them,
  /// chunks that bear another article of that law are left out: Art. 75 is no answer to a question about Art. 72.
  Ranking rank(const Probe& probe) const;

  /// The same lists unfused, for ablations.
  std::vector<ScoredChunk> sparse_list(std::string_view question) const;
  std::vector<ScoredChunk> dense_list(std::span<const float> vector) const;
  Ranking fuse(std::string_view question, std::span<const ScoredChunk> dense,
               std::span<const ScoredChunk> sparse) const;

  /// Texts of the first `count` candidates whose score is at least `min_score`, as hits in the order of the ranking. A
  /// candidate whose chunk the store does not hold is left out, and the next one takes its place.
  std::vector<Hit> fetch(const Ranking& ranking, int64_t count, float min_score) const;

 private:
  Language language_of(std::string_view question, std::span<const ScoredChunk> dense,
                       std::span<const ScoredChunk> sparse) const;
  void route_references(std::string_view question, Ranking& ranking) const;
  void drop_other_articles(std::span<const Provision> asked, std::vector<Candidate>& candidates) const;

  Store& store_;
  const LawTable& laws_;
  RetrieveOptions options_;
};

}  // namespace frugal
