// Searches the images of an index by an image: rag-query --image (docs/tools/rag-query.md).
#pragma once

#include <string>

#include "app/cli/tool.h"
#include "app/wiring/settings.h"
#include "rag/reply/reply.h"

namespace frugal::cli {

/// Adds the flags about images. Tool::parse() writes --image into `file`, which must not move until then.
void declare_images(Tool& tool, std::string& file);

/// Prints the images of the index that are nearest to the one in `file` (`-`: standard input), as many as
/// retrieval.top_k says; `query` restricts them by its filter. If it has a text, the captioner of the settings answers
/// that about the image. The file is decoded by frugal-extract. Returns the exit code. Throws Error(usage) if there is
/// no captioner to ask, Error(missing) if there is no index or it has no images,
/// Error(bad_input) for a file that is no image, Error(mismatch) for another embedder than that of the index,
/// Error(io), Error(over_budget).
int find_images(const Tool& tool, const Settings& settings, const std::string& file, const Query& query);

}  // namespace frugal::cli
