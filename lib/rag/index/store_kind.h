// A kind of store, as the functions that open an index see it. Another kind defines one, and gets a line in
// open_store.cpp.
#pragma once

#include <filesystem>
#include <memory>

#include "memory/budget.h"
#include "rag/index/index_status.h"
#include "rag/index/store.h"
#include "rag/index/store_writer.h"

namespace frugal {

/// The contracts are those of the functions that call them.
struct StoreKind {
  std::unique_ptr<Store> (*open)(const std::filesystem::path& folder, Budget& budget);
  std::unique_ptr<StoreWriter> (*open_writer)(const std::filesystem::path& folder);
  IndexStatus (*read_status)(const std::filesystem::path& folder);
  CheckReport (*check)(const std::filesystem::path& folder);
};

/// A folder with an SQLite database and a file of vectors (docs/design/0012-index.md).
std::unique_ptr<Store> open_sqlite_store(const std::filesystem::path& folder, Budget& budget);
std::unique_ptr<StoreWriter> open_sqlite_writer(const std::filesystem::path& folder);
IndexStatus read_sqlite_status(const std::filesystem::path& folder);
CheckReport check_sqlite_store(const std::filesystem::path& folder);

}  // namespace frugal
