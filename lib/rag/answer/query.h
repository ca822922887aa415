// A question and what comes back: the types that every stage of the query side passes on.
// Plain data: how it is found is in retrieve.h, how it is answered in answer_*.h, how it is printed in render.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/setting.h"
#include "rag/index/store.h"
#include "rag/text/language.h"

namespace frugal {

struct Query {
  std::string id;  // of a batch; empty for a question asked alone
  std::string text;
};

/// A chunk that was found, and why. Ranks count from 1; what a list did not hold is absent.
struct Hit {
  Chunk chunk;
  float score = 0;  // fused; comparable within one reply only
  std::optional<int64_t> dense_rank, sparse_rank;
  std::optional<float> dense_score;      // cosine
  std::optional<float> sparse_score;     // BM25
  std::optional<float> reference_score;  // share of the named reference's parts that the chunk bears
  std::optional<float> rerank_score;
};

/// A chunk that was found, before its text is fetched. Ranks count from 1, 0 where a list lacks it.
struct Candidate {
  int64_t id = 0;
  float score = 0;  // fused
  int64_t dense_rank = 0, sparse_rank = 0;
  float dense_score = 0, sparse_score = 0;
  float reference_score = 0;  // above 0: bears a reference that the question names
};

enum class Fusion { weighted, rrf };
enum class HydeMode { automatic, always, never };
enum class AnswerMode { automatic, extract, generate, none };

constexpr std::array<Named<Fusion>, 2> names_of(Fusion) {
  return {{{Fusion::weighted, "weighted"}, {Fusion::rrf, "rrf"}}};
}
constexpr std::array<Named<HydeMode>, 3> names_of(HydeMode) {
  return {{{HydeMode::automatic, "auto"}, {HydeMode::always, "always"}, {HydeMode::never, "never"}}};
}
constexpr std::array<Named<AnswerMode>, 4> names_of(AnswerMode) {
  return {{{AnswerMode::automatic, "auto"},
           {AnswerMode::extract, "extract"},
           {AnswerMode::generate, "generate"},
           {AnswerMode::none, "none"}}};
}

/// Where words of the answer come from: bytes [start_byte, end_byte) of the document's extracted text are `quote`.
struct Citation {
  int64_t n = 0;   // the [n] of the answer's text
  int64_t id = 0;  // of the chunk
  std::string path;
  uint64_t start_byte = 0;
  uint64_t end_byte = 0;
  int64_t line = 0;    // of the quote's first byte, from 1
  int64_t page = 0;    // 0 where the format has none
  std::string sha256;  // of the document's extracted text
  std::string quote;
};

struct Answer {
  std::optional<std::string> text;  // absent: none was asked for, or nothing supports one
  AnswerMode mode = AnswerMode::none;
  bool abstained = false;
  std::optional<float> confidence;  // 0…1; absent where no answer was asked for
  std::string note;                 // why it abstained or fell back; empty otherwise
};

enum class CacheStatus { off, miss, exact, semantic };
constexpr std::array<Named<CacheStatus>, 4> names_of(CacheStatus) {
  return {{{CacheStatus::off, "off"},
           {CacheStatus::miss, "miss"},
           {CacheStatus::exact, "exact"},
           {CacheStatus::semantic, "semantic"}}};
}

struct Timings {
  double total_ms = 0, startup_ms = 0, cache_ms = 0, hyde_ms = 0, embed_ms = 0, retrieve_ms = 0, rerank_ms = 0,
         answer_ms = 0, other_ms = 0;
};

struct MemoryPeak {
  uint64_t anon_bytes = 0;
  uint64_t file_bytes = 0;
  std::optional<uint64_t> pss_bytes;
};

/// What the generator had to do for an answer; absent where it was not run.
struct GenerationNote {
  int64_t prompt_tokens = 0;
  int64_t prefix_tokens_reused = 0;  // of the prompt: known from an earlier question or process
  int64_t new_tokens = 0;
  double prefill_ms = 0, decode_ms = 0;
};

/// How the lists were weighed, for --explain.
struct FusionNote {
  Fusion fusion = Fusion::weighted;
  Language language = Language::unknown;  // that the weight was chosen by
  float dense_weight = 0;
  int64_t dense_hits = 0, sparse_hits = 0, reference_hits = 0;
  std::vector<std::string> references;  // named in the question and found
  std::vector<std::string> missing;     // named in the question, borne by no chunk
};

struct Reply {
  Query query;
  Answer answer;
  std::vector<Citation> citations;
  std::vector<Hit> hits;
  CacheStatus cache = CacheStatus::off;
  std::optional<float> cache_similarity;
  bool hyde_ran = false;
  std::string hyde_reason;
  FusionNote fusion;
  std::vector<Candidate> ranking;  // all that was found, best first; hits are the first of it. Neither printed nor kept
  std::optional<GenerationNote> generated;
  std::vector<std::string> skipped;  // "rerank: no reranker configured": stages that did not run, and why
  bool cut_short = false;            // the deadline skipped something: a better reply was possible
  Timings timings;
  MemoryPeak memory;
};

}  // namespace frugal
