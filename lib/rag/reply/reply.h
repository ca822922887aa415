// The data of a question and of its reply, without logic: the stages (stages/) fill it, render.h and reply_json.h print
// it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/setting.h"
#include "model/nn/reader.h"
#include "rag/filter/chunk_filter.h"
#include "rag/index/store.h"
#include "rag/text/language.h"

namespace frugal {

struct Query {
  std::string id;  // the "id" of a line of a batch, as JSON; else empty
  std::string text;
  ChunkFilter filter = {};     // beside what the text says
  bool has_operators = false;  // the text may have "phrases" and -words (rag/filter/search_operators.h)
};

/// A retrieved chunk with its scores. Ranks count from 1; rank and score are nullopt for a list that lacks the chunk.
struct Hit {
  Chunk chunk;
  float score = 0;  // fused; comparable only within one reply
  std::optional<int64_t> dense_rank, sparse_rank, learned_rank;
  std::optional<float> dense_score;      // cosine
  std::optional<float> sparse_score;     // BM25
  std::optional<float> learned_score;    // inner product of token weights
  std::optional<float> reference_score;  // share of the parts of the named provision that the chunk holds, 0…1
  std::optional<float> maxsim_score;     // mean of the highest cosines of the question's tokens; nullopt: not asked for
  std::optional<float> rerank_score;     // the reader's probability of relevance
};

/// A retrieved chunk before its text is fetched. Ranks count from 1; 0: the list lacks the chunk.
struct Candidate {
  int64_t id = 0;   // of the chunk
  float score = 0;  // fused
  int64_t dense_rank = 0, sparse_rank = 0, learned_rank = 0;
  float dense_score = 0, sparse_score = 0, learned_score = 0;
  float reference_score = 0;               // above 0: the chunk holds a provision that the question names
  std::optional<float> maxsim_score = {};  // nullopt: it was not computed
  std::optional<float> rerank_score = {};  // the reader's probability of relevance; nullopt: it was not asked
};

enum class Fusion { weighted, rrf };
/// Of a stage that need not run for every question (hyde, rerank).
enum class StageMode { automatic, always, never };
enum class AnswerMode { automatic, extract, generate, none };

constexpr std::array<Named<Fusion>, 2> names_of(Fusion) {
  return {{{Fusion::weighted, "weighted"}, {Fusion::rrf, "rrf"}}};
}
constexpr std::array<Named<StageMode>, 3> names_of(StageMode) {
  return {{{StageMode::automatic, "auto"}, {StageMode::always, "always"}, {StageMode::never, "never"}}};
}
constexpr std::array<Named<AnswerMode>, 4> names_of(AnswerMode) {
  return {{{AnswerMode::automatic, "auto"},
           {AnswerMode::extract, "extract"},
           {AnswerMode::generate, "generate"},
           {AnswerMode::none, "none"}}};
}

/// How a file is now, compared with the file that was indexed. `unknown`: there is none, or nobody looked.
enum class SourceState { unknown, unchanged, changed, gone };
constexpr std::array<Named<SourceState>, 4> names_of(SourceState) {
  return {{{SourceState::unknown, "unknown"},
           {SourceState::unchanged, "unchanged"},
           {SourceState::changed, "changed"},
           {SourceState::gone, "gone"}}};
}

/// The source of a statement: `quote` is the bytes [text_begin, text_end) of the document's extracted text.
struct Citation {
  int64_t n = 0;   // the number in the answer's mark "[n]"
  int64_t id = 0;  // of the chunk
  std::string path;
  std::string record;  // id of a record in the file; empty: the document is the whole file
  /// Where the quote is: bytes of the file, with what stands between its words there, or without `in_file` of the text.
  uint64_t start_byte = 0;
  uint64_t end_byte = 0;
  bool in_file = false;
  uint64_t text_begin = 0;
  uint64_t text_end = 0;
  int64_t line = 0;    // of the quote's first byte, from 1
  int64_t page = 0;    // from 1; 0: the format has no pages
  std::string sha256;  // of the document's extracted text
  std::string quote;
  int64_t file_bytes = -1;  // of the file that was indexed; -1: unknown
  int64_t file_mtime_ns = 0;
  SourceState source = SourceState::unknown;
};

struct Answer {
  std::optional<std::string> text;  // nullopt: no answer was requested, or it abstained
  std::optional<std::string> span;  // the short answer within `text`, as the reader found it; nullopt: none read
  AnswerMode mode = AnswerMode::none;
  bool abstained = false;
  std::optional<float> confidence;  // 0…1; nullopt: no answer was requested, or it abstained for another reason
  bool quoted_instead = false;      // a quote, because the generator's text was refused or it could not write
  std::string note;                 // why it abstained, or extracted instead of generating; else empty
  std::string remark;               // an article that several laws have, or that the index lacks; else empty
};

/// An article that the question names, as one law of the index has it, or one file if its law is unknown.
struct FoundArticle {
  Provision asked;  // as the question names it
  std::string law;  // the title of the law, or of the document
  /// The chunks to quote it from. First the one where it begins; of an inciso or alínea, also those with the words that
  /// it stands below.
  std::vector<int64_t> chunks;
};

enum class CacheStatus { off, miss, exact, semantic };
constexpr std::array<Named<CacheStatus>, 4> names_of(CacheStatus) {
  return {{{CacheStatus::off, "off"},
           {CacheStatus::miss, "miss"},
           {CacheStatus::exact, "exact"},
           {CacheStatus::semantic, "semantic"}}};
}

/// Wall time by stage. `retrieve` covers all stages that search and rank; `other` is the time outside the stages.
struct Timings {
  double total_ms = 0, startup_ms = 0, cache_ms = 0, hyde_ms = 0, embed_ms = 0, retrieve_ms = 0, rerank_ms = 0,
         answer_ms = 0, other_ms = 0;
};

/// Peak memory of the process while it answered, from memory_peak().
struct MemoryPeak {
  uint64_t anon_bytes = 0;            // anonymous memory, swapped pages included
  uint64_t file_bytes = 0;            // resident pages of mapped files
  std::optional<uint64_t> pss_bytes;  // proportional set size at the end; nullopt: not measured
};

/// What the generator did for an answer.
struct GenerationNote {
  int64_t prompt_tokens = 0;
  int64_t prefix_tokens_reused = 0;  // first tokens of the prompt, restored from the prefix cache
  int64_t new_tokens = 0;
  double prefill_ms = 0, decode_ms = 0;
  std::string generator;  // as the settings name it; empty: they name one
};

/// A remote model that failed, and what took its place.
struct FallbackNote {
  std::string stage;   // "embed", "rerank", "generate"
  std::string failed;  // as the settings name it
  std::string why;
  std::string used;  // the next model of the list, or "none", "extract"
};

/// How the ranking was made, for --explain.
struct FusionNote {
  Fusion fusion = Fusion::weighted;
  Language language = Language::unknown;  // selects the weight of the dense list
  float learned_weight = 0;               // 0…1; the other two lists share the rest
  float dense_weight = 0;                 // 0…1, of that rest; the sparse list has the remainder
  int64_t dense_hits = 0, sparse_hits = 0, learned_hits = 0, reference_hits = 0;
  std::vector<std::string> references;  // articles that the question names and a chunk holds
  std::vector<std::string> missing;     // articles that the question names and no chunk holds
};

/// What a model says about the image that was searched by. No source says it.
struct ImageAnswer {
  std::string text;
  std::string model;  // its pack
};

struct Reply {
  Query query;
  Answer answer;
  std::vector<Citation> citations;
  std::vector<Hit> hits;
  std::optional<std::vector<ScoredImage>> images;  // best first, a list of their own; nullopt: none were searched
  std::optional<ImageAnswer> image_answer;         // nullopt: none was asked for
  CacheStatus cache = CacheStatus::off;
  std::optional<float> cache_similarity;  // to the cached question, 0…1; nullopt: the cache was not used or missed
  std::string cache_note;  // which cached answer was used or refused, and why; empty: there was none to consider
  std::optional<ConfidenceFeatures> reading;  // what the confidence was made of; nullopt: the reader did not decide it
  bool hyde_ran = false;                      // the question was expanded
  std::string hyde_reason;                    // why it was or was not
  std::string hyde_engine;  // what made the expansion: "generator" or "feedback"; empty: it did not run
  FusionNote fusion;
  std::optional<int64_t> filtered_chunks;   // that pass the filter; nullopt: no filter, or not looked at
  std::vector<Candidate> ranking;           // all candidates, best first; neither printed nor cached
  std::optional<GenerationNote> generated;  // nullopt: the generator did not write an answer
  std::vector<std::string> skipped;         // "STAGE: REASON" of stages that did not run
  std::vector<FallbackNote> fallbacks;      // in the order in which they happened
  bool cut_short = false;                   // the deadline skipped a stage: with more time, the reply may be better
  Timings timings;
  MemoryPeak memory;
};

}  // namespace frugal
