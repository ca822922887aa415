// Reads a file as the chunks that a summary is made from, without an index.
#pragma once

#include <filesystem>
#include <istream>
#include <string>
#include <vector>

#include "memory/budget.h"
#include "rag/extract/extract.h"
#include "rag/law/provision.h"
#include "rag/reply/reply.h"

namespace frugal {

struct SummarySource {
  std::vector<Hit> chunks;  // of all its documents, in order; their ids are their numbers from 1
  std::string note;         // how the file was read, and which records were left out; may be empty
  Reservation memory;       // of the texts
};

/// Reads `input` to its end. path: names the citations and decides the kind of file. is_file: `input` is the file at
/// `path`, whose size and time the citations then have. Throws what extract() throws, Error(bad_input) if there is no
/// text, Error(over_budget).
SummarySource read_summary_source(std::istream& input, const std::filesystem::path& path, bool is_file,
                                  const LawTable& laws, Budget& budget);

}  // namespace frugal
