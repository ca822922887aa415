// Vectors for chunks: what the embedder is given, the key that names it, and the run that gives every chunk its own.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "model/nn/embedder.h"
#include "rag/index/store_writer.h"

namespace frugal {

/// What the embedder is given for a chunk.
std::string embedding_text(std::string_view title, std::string_view text);
/// Names it by content: of equal keys, the texts are equal.
std::string vector_key(std::string_view embedding_text);

/// Embeds every chunk that has no vector, in batches that are committed one by one. Returns how many vectors were
/// computed. `progress` is called behind each batch with the chunks done so far.
int64_t embed_chunks(StoreWriter& store, Embedder& embedder, const std::function<void(int64_t done)>& progress);

}  // namespace frugal
