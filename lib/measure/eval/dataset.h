// Questions with known answers, in the form of BEIR: corpus.jsonl {_id, title, text}, queries.jsonl {_id, text,
// answers?} and qrels.tsv (query-id, corpus-id, score). The corpus is not read here: rag-index reads it like any user's
// file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "measure/eval/ranking_metrics.h"

namespace frugal {

struct EvalQuery {
  std::string id;
  std::string text;
  std::vector<std::string> answers;  // empty where the set has none
  Judgements judged;
};

struct EvalSet {
  std::string name;  // of its folder
  std::filesystem::path corpus;
  std::vector<EvalQuery> queries;  // in the file's order, those with a judgement only
};

/// The first `limit` queries that have judgements; 0: all. qrels are in qrels.tsv or qrels/test.tsv, with or without a
/// header. Throws Error(bad_input) naming file, line and field; Error(io) where a file is missing.
EvalSet read_eval_set(const std::filesystem::path& folder, int64_t limit = 0);

/// The queries alone, judged or not: for questions that an index cannot answer.
std::vector<EvalQuery> read_eval_queries(const std::filesystem::path& queries_jsonl, int64_t limit = 0);

}  // namespace frugal
