// One question from words to a cited answer: cache → hyde → retrieve → rerank → answer, each stage on or off.
// It owns the order of the stages, their deadline and their record; what a stage does is in the header of that name.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/generate/generator.h"
#include "model/hub/models.h"
#include "rag/answer/answer_cache.h"
#include "rag/answer/answer_extract.h"
#include "rag/answer/boundary.h"
#include "rag/answer/evidence.h"
#include "rag/answer/hyde.h"
#include "rag/answer/query.h"
#include "rag/answer/question.h"
#include "rag/answer/retrieve.h"
#include "telemetry/trace.h"

namespace frugal {

struct PipelineOptions {
  bool dense = true;
  RetrieveOptions retrieve;
  int64_t top_k = 10;
  float min_score = 0;
  HydeOptions hyde;
  bool rerank = true;
  AnswerMode answer = AnswerMode::automatic;
  QuoteOptions extract;
  GenerateOptions generate;
  /// Below this confidence nothing is answered (evidence.h).
  float abstain_below = 0.5f;
  /// `automatic` generates only with a generator of at least so many weights; smaller ones invent
  /// (docs/tools/rag-query.md).
  int64_t min_generator_parameters = 1'000'000'000;
  /// Share of a generated sentence's content words that its source must hold.
  float min_support = 0.6f;
  int64_t deadline_ms = 0;  // for the whole question; 0: none
  /// Where the secret of the sources' delimiters is kept (boundary.h); empty: each process has its own.
  std::filesystem::path boundary_key;
  bool measure_pss = false;  // walks the page tables: a millisecond or more

  /// Everything above that may change an answer, as text for the cache's key; not the secret.
  std::string key() const;
};

class Pipeline {
 public:
  /// Borrows all; `cache` and `probes` may be null. `index_name` names the index in the cache's key (its folder).
  Pipeline(Store& store, Models& models, const LawTable& laws, PipelineOptions options, const AnswerCache* cache,
           std::string index_name, const ProbeCache* probes = nullptr);

  /// Text goes to `stream` as a generator writes it; an extracted answer comes whole in the reply. A `trace` that began
  /// with the process gives a reply whose timings cover it from its start. Throws Error(bad_input) for a question that
  /// is empty, too long or not UTF-8; Error(mismatch) if the index was made with another embedder; Error(missing) if a
  /// model it needs is not there. "Not in the sources" is a reply, not an error.
  Reply ask(const Query& query, const TokenSink& stream = {}, Trace trace = Trace(true));

 private:
  struct Asking;  // one question on its way

  CacheKey cache_key(const Query& query);
  std::vector<float> embed(Embedder& embedder, const std::string& text);
  void probe(Asking& asking);
  void retrieve(Asking& asking);
  void rerank(Asking& asking);
  void answer(Asking& asking);
  void extract(Asking& asking, const Evidence& evidence);
  bool generate(Asking& asking);
  void abstain(Asking& asking, std::string why);
  float confidence(const Asking& asking, const Evidence& evidence) const;
  bool names_absent_articles(const Asking& asking) const;
  AnswerMode answer_mode() const;
  void finish(Asking& asking) const;

  Store& store_;
  Models& models_;
  const LawTable& laws_;
  PipelineOptions options_;
  Retriever retriever_;
  const AnswerCache* cache_;
  std::string index_name_;
  const ProbeCache* probes_;
  std::optional<BoundaryKey> boundaries_;  // from the first prompt on
};

/// The embedder of `models`, which must be the one that made the index. Throws Error(mismatch) with the command that
/// repairs it.
std::shared_ptr<Embedder> embedder_for(const Store& store, Models& models, std::string_view index_name);

}  // namespace frugal
