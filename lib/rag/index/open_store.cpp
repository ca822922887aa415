// Selects the kind of store for a location.
#include "memory/budget.h"
#include "rag/index/index_status.h"
#include "rag/index/store.h"
#include "rag/index/store_kind.h"
#include "rag/index/store_writer.h"

namespace frugal {
namespace {

constexpr StoreKind kSqlite{open_sqlite_store, open_sqlite_writer, require_sqlite_index, read_sqlite_status,
                            check_sqlite_store};

/// Every folder is an SQLite store. Another kind of store gets a line here.
const StoreKind& kind_of(const std::filesystem::path&) {
  return kSqlite;
}

}  // namespace

std::unique_ptr<Store> open_store(const std::filesystem::path& folder, Budget& budget, const VectorOptions& vectors) {
  return kind_of(folder).open(folder, budget, vectors);
}

std::unique_ptr<StoreWriter> open_store_writer(const std::filesystem::path& folder, const VectorOptions& vectors) {
  return kind_of(folder).open_writer(folder, vectors);
}

void require_index(const std::filesystem::path& folder) {
  kind_of(folder).require(folder);
}

IndexStatus read_status(const std::filesystem::path& folder) {
  return kind_of(folder).read_status(folder);
}

CheckReport check_index(const std::filesystem::path& folder, const VectorOptions& vectors) {
  return kind_of(folder).check(folder, vectors);
}

}  // namespace frugal
