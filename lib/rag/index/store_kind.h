// A kind of store: the functions that open_store.cpp calls for an index. A new kind defines one and adds a line there.
#pragma once

#include <filesystem>
#include <memory>

#include "memory/budget.h"
#include "rag/index/index_status.h"
#include "rag/index/store.h"
#include "rag/index/store_writer.h"
#include "rag/vectors/milvus_options.h"

namespace frugal {

/// Each has the contract of the public function that calls it.
struct StoreKind {
  std::unique_ptr<Store> (*open)(const std::filesystem::path& folder, Budget& budget, const VectorOptions& vectors);
  std::unique_ptr<StoreWriter> (*open_writer)(const std::filesystem::path& folder, const VectorOptions& vectors);
  void (*require)(const std::filesystem::path& folder);
  IndexStatus (*read_status)(const std::filesystem::path& folder);
  CheckReport (*check)(const std::filesystem::path& folder, const VectorOptions& vectors);
};

/// A folder with an SQLite database, and vectors in a file or on a server (docs/design/0012-index.md).
std::unique_ptr<Store> open_sqlite_store(const std::filesystem::path& folder, Budget& budget,
                                         const VectorOptions& vectors);
std::unique_ptr<StoreWriter> open_sqlite_writer(const std::filesystem::path& folder, const VectorOptions& vectors);
void require_sqlite_index(const std::filesystem::path& folder);
IndexStatus read_sqlite_status(const std::filesystem::path& folder);
CheckReport check_sqlite_store(const std::filesystem::path& folder, const VectorOptions& vectors);

}  // namespace frugal
