// Embeds chunks: defines the text that is embedded and the key of its vector, and embeds all chunks that have none.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "model/nn/embedder.h"
#include "rag/index/store_writer.h"

namespace frugal {

/// The text that is embedded for a chunk: title and text, or the text alone if it begins with the title.
std::string embedding_text(std::string_view title, std::string_view text);
/// Identifies an embedded text: 16 bytes of its SHA-256. Chunks with equal keys share a vector.
std::string vector_key(std::string_view embedding_text);

/// Embeds every chunk that has no vector, with its token weights if the store keeps them, in batches, and commits each.
/// Returns the number of vectors computed. progress: called after each batch with the number of chunks done.
int64_t embed_chunks(StoreWriter& store, Embedder& embedder, const std::function<void(int64_t done)>& progress);

}  // namespace frugal
