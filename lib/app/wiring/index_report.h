// Renders the reports of rag-index as text or JSON (docs/tools/rag-index.md). index_writer.h and index_status.h provide
// the figures.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "rag/index/index_status.h"
#include "rag/index/index_writer.h"

namespace frugal {

enum class IndexFormat { text, json };

/// Each returns whole lines, including the last newline. In JSON, bytes of a path that are not UTF-8 become U+FFFD.
std::string render_report(const IndexReport& report, IndexFormat format);
std::string render_status(const IndexStatus& status, const std::filesystem::path& folder, IndexFormat format);
std::string render_check(const CheckReport& report, IndexFormat format);

/// Lines for standard error: the files that were skipped or read in an unusual way, at most 20 of each.
std::vector<std::string> render_warnings(const IndexReport& report);

}  // namespace frugal
