// Lines of a file of an index, as a citation or a hit names them: from the file, or as they were indexed if it has
// changed since. For rag-query get.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "memory/budget.h"
#include "rag/index/store.h"
#include "rag/reply/reply.h"

namespace frugal {

struct Passage {
  std::string path;
  int64_t first_line = 0, last_line = 0;  // of the text
  SourceState source = SourceState::unknown;
  bool from_index = false;  // the text is what the index holds: blank lines and spaces between chunks may differ
  std::string text;         // lines, each with its line feed
};

enum class PassageTime { indexed, now };

/// place: PATH, PATH:LINE or PATH:FIRST-LAST. The path is absolute, relative to the current folder, or relative to an
/// added folder. Lines are counted in the file, or in the extracted text where that is not the file's (`offsets` of a
/// hit); of html, csv and jsonl, the lines of the text that stand there. Throws Error(bad_input) if the index has no
/// such file, the file no such line, or, for PassageTime::now, the file cannot be read; Error(over_budget).
Passage read_passage(Store& store, std::string_view place, PassageTime time, Budget& budget);

/// The text as it is, for a file or a pipe; for a terminal with control characters made visible.
std::string render_passage(const Passage& passage, bool as_json, bool for_terminal);
/// What to say about the file on standard error; empty if it is unchanged.
std::string passage_note(const Passage& passage);

}  // namespace frugal
