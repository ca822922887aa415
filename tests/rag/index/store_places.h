// The kinds of store, each with a place that is empty at first. The conformance suite runs over this list; a new kind
// of store adds a class and a line.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "memory/budget.h"
#include "rag/index/store.h"
#include "rag/index/store_writer.h"
#include "rag/memory_store.h"
#include "rag/vectors/milvus_server.h"
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

/// Documents and words in a folder, vectors on a server that all places share.
class MilvusPlace : public StorePlace {
 public:
  explicit MilvusPlace(const MilvusServer& server) : options_(server.options()) {}
  std::unique_ptr<StoreWriter> writer() override { return open_store_writer(folder_ / "index", options_); }
  std::unique_ptr<Store> reader() override { return open_store(folder_ / "index", Budget::unlimited(), options_); }
  bool is_shared() const override { return true; }

 private:
  TempFolder folder_;
  VectorOptions options_;
};

struct StoreUnderTest {
  std::string name;
  std::function<std::unique_ptr<StorePlace>()> place;
};

/// Those that can be tested on this machine.
inline std::vector<StoreUnderTest> stores_under_test() {
  std::vector<StoreUnderTest> stores = {{"sqlite", [] { return std::make_unique<SqlitePlace>(); }},
                                        {"memory", [] { return std::make_unique<MemoryPlace>(); }}};
  for (const MilvusProgram& program : kMilvusPrograms)
    if (const MilvusServer* server = milvus_server(program))
      stores.push_back({program.name, [server] { return std::make_unique<MilvusPlace>(*server); }});
  return stores;
}

}  // namespace frugal::testing
