// Reads evaluation sets in the format of BEIR: corpus.jsonl {_id, title, text}, queries.jsonl {_id, text, answers?} and
// qrels.tsv (query-id, corpus-id, score). The corpus itself is not read here: it is indexed like any file of a user.
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
  std::vector<std::string> answers;  // accepted answers; empty: unknown
  Judgements judged;
};

struct EvalSet {
  std::string name;                // the name of its folder
  std::filesystem::path corpus;    // the file corpus.jsonl
  std::vector<EvalQuery> queries;  // those with a judgement, in the order of the file
};

/// Reads the first `limit` queries that have a judgement; 0: all. Judgements are in qrels.tsv or qrels/test.tsv, with
/// or without a header, in three columns or in TREC's four. Throws Error(bad_input) with file, line and field, or if
/// corpus.jsonl is missing or no query has a judgement; Error(io) if another file cannot be read.
EvalSet read_eval_set(const std::filesystem::path& folder, int64_t limit = 0);

/// Reads the first `limit` queries alone, with or without judgements; 0: all. Throws as read_eval_set().
std::vector<EvalQuery> read_eval_queries(const std::filesystem::path& queries_jsonl, int64_t limit = 0);

}  // namespace frugal
