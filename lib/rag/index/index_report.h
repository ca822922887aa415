// What rag-index prints about an index, as text and as JSON (docs/tools/rag-index.md). It renders; index_writer.h and
// index_status.h find out.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "rag/index/index_status.h"
#include "rag/index/index_writer.h"

namespace frugal {

enum class IndexFormat { text, json };

/// Each returns whole lines, the last newline included. Paths that are not UTF-8 are shown with U+FFFD in JSON.
std::string render_report(const IndexReport& report, IndexFormat format);
std::string render_status(const IndexStatus& status, const std::filesystem::path& folder, IndexFormat format);
std::string render_check(const CheckReport& report, IndexFormat format);

/// A line for each file that was skipped or read otherwise than usual, the first of many only: for standard error.
std::vector<std::string> render_warnings(const IndexReport& report);

}  // namespace frugal
