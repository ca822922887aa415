// Reads a file of an index again, as rag-index read it.
#pragma once

#include <functional>
#include <string>

#include "memory/budget.h"
#include "rag/extract/extract.h"

namespace frugal {

/// Passes its documents to `sink`, as extract() does. Memory is reserved in `budget`; a size limit there is none, since
/// the index may have been made with another. Throws Error(bad_input) for anything but a regular file, which might be
/// waited for, Error(io) if it cannot be read, Error(over_budget).
Extracted extract_again(const std::string& path, Budget& budget, const std::function<void(const Document&)>& sink);

/// True for the name that standard input was given: the path of a file is absolute in an index.
bool was_standard_input(const std::string& path);

}  // namespace frugal
