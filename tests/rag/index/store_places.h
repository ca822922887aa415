// The kinds of store, each with a place that is empty at first. The conformance suite runs over this list; a new kind
// of store adds a class and a line.
#pragma once

#include <array>
#include <memory>

#include "memory/budget.h"
#include "rag/index/store.h"
#include "rag/index/store_writer.h"
#include "rag/memory_store.h"
#include "support/temp_folder.h"

namespace frugal::testing {

class StorePlace {
 public:
  virtual ~StorePlace() = default;
  virtual std::unique_ptr<StoreWriter> writer() = 0;
  virtual std::unique_ptr<Store> reader() = 0;
  /// True if another process can write to it; its writers are then also killed for real.
  virtual bool is_shared() const = 0;
};

class SqlitePlace : public StorePlace {
 public:
  std::unique_ptr<StoreWriter> writer() override { return open_store_writer(folder_ / "index"); }
  std::unique_ptr<Store> reader() override { return open_store(folder_ / "index", Budget::unlimited()); }
  bool is_shared() const override { return true; }

 private:
  TempFolder folder_;
};

class MemoryPlace : public StorePlace {
 public:
  std::unique_ptr<StoreWriter> writer() override { return std::make_unique<MemoryStoreWriter>(index_); }
  std::unique_ptr<Store> reader() override {
    if (!index_.newest) throw Error(Code::missing, "no index");
    return std::make_unique<MemoryStore>(index_.newest);
  }
  bool is_shared() const override { return false; }

 private:
  MemoryIndex index_;
};

struct StoreUnderTest {
  const char* name;
  std::unique_ptr<StorePlace> (*place)();
};
inline constexpr std::array kStoresUnderTest = {
    StoreUnderTest{"sqlite", []() -> std::unique_ptr<StorePlace> { return std::make_unique<SqlitePlace>(); }},
    StoreUnderTest{"memory", []() -> std::unique_ptr<StorePlace> { return std::make_unique<MemoryPlace>(); }},
};

}  // namespace frugal::testing
