// Reads evaluation sets in the format of BEIR: corpus.jsonl {_id, title, text}, queries.jsonl {_id, text, answers?,
// language?} and qrels.tsv (query-id, corpus-id, score). The corpus itself is not read here: it is indexed like any
// file of a user. Also reads files of questions alone, which may name their passages in a field "gold".
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "measure/eval/ranking_metrics.h"
#include "rag/text/language.h"

namespace frugal {

struct EvalQuery {
  std::string id;
  std::string text;
  std::vector<std::string> answers;  // accepted answers; empty: unknown
  Judgements judged;
  /// As the file says ("language": "pt"), else detected; where that is undecided, that of most questions of the file.
  Language language = Language::unknown;
  std::vector<std::string> gold = {};  // passages that answer the question (gold_passages.h); empty: none are named
};

struct EvalSet {
  std::string name;                // the name of its folder
  std::filesystem::path corpus;    // the file corpus.jsonl
  std::vector<EvalQuery> queries;  // those with a judgement, in the order of the file
  /// The file unanswerable.jsonl beside the queries: questions that the corpus seems to answer and does not. Empty: the
  /// set has none.
  std::filesystem::path unanswerable;
};

/// Reads the first `limit` queries that have a judgement; 0: all. Judgements are in qrels.tsv or qrels/test.tsv, with
/// or without a header, in three columns or in TREC's four. Throws Error(bad_input) with file, line and field, or if
/// corpus.jsonl is missing or no query has a judgement; Error(io) if another file cannot be read.
EvalSet read_eval_set(const std::filesystem::path& folder, int64_t limit = 0);

/// Reads the first `limit` queries alone, with or without judgements; 0: all. Throws as read_eval_set().
std::vector<EvalQuery> read_eval_queries(const std::filesystem::path& queries_jsonl, int64_t limit = 0);

}  // namespace frugal
