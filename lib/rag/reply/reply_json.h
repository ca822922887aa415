// A reply as JSON, as docs/tools/rag-query.md fixes it, and back. What is unknown is null, never 0.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "rag/reply/reply.h"

namespace frugal {

enum class ReplyDetail {
  contract,  // what the documentation fixes
  explain,   // and "explain": how the lists were weighed, which references were named
  stored,    // everything that printing needs, without timings and memory: for the cache
};

/// One object; `indent` below 0 puts it on one line. A batch's id comes as "id" where the query has one.
std::string reply_to_json(const Reply& reply, ReplyDetail detail, int indent = -1);

/// Citations as in a reply: an array.
std::string citations_to_json(std::span<const Citation> citations);

/// Reads what ReplyDetail::stored wrote. Throws Error(corrupt_file).
Reply reply_from_json(std::string_view json);

/// An answer as it was saved, for checking.
struct SavedAnswer {
  std::string name;  // "answer", or of a batch "line 7"
  std::optional<std::string> text;
  std::string mode;
  std::vector<Citation> citations;
  std::vector<std::string> paths = {};  // of its citations and hits
};
/// Reads saved answers: one object, or one object per line (a batch). Lines with an error have none. Throws
/// Error(bad_input) for any other text.
std::vector<SavedAnswer> answers_from_json(std::string_view answers);

struct AnswerCheck;
struct Passage;
/// What cite-check found, as one object.
std::string check_to_json(const AnswerCheck& check);

/// The lines that rag-query get prints, as one object.
std::string passage_to_json(const Passage& passage);

/// What a line of a batch that failed answers: {schema_version, id, query, error: {code, message, hint}}.
std::string error_to_json(const Query& query, const Error& error);

}  // namespace frugal
