// The caches of answers and of question vectors, as the settings name them: files of this machine, or a server.
#pragma once

#include <memory>

#include "rag/answer/answer_cache.h"
#include "rag/cache/byte_cache.h"
#include "rag/cache/result_store.h"

namespace frugal {

struct Caches {
  std::unique_ptr<ResultStore> answers;  // null: there is no cache folder
  std::unique_ptr<ByteCache> vectors;    // as `answers`
};

/// Opens what cache.url names, else the files in the cache folder. `always_try`: asks a server even if it was away a
/// moment ago. Throws Error(usage) for a URL that is none, Error(missing) without the plugin, Error(bad_input) for a
/// file that holds no password.
Caches open_caches(const CacheOptions& options, bool always_try = false);

}  // namespace frugal
