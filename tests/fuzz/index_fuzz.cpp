// Any bytes as an index: four bytes say how long the database is, then the database, then the file of vectors. A reader
// and the checker end well or in an Error.
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/expect.h"
#include "memory/budget.h"
#include "rag/index/index_writer.h"
#include "rag/index/store.h"

namespace {

namespace fs = std::filesystem;

fs::path make_folder() {
  std::string name = (fs::temp_directory_path() / "frugal-fuzz-index-XXXXXX").string();
  if (!mkdtemp(name.data())) abort();
  return name;
}

void write(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

void read_all(const fs::path& folder) {
  const auto store = frugal::open_store(folder, frugal::Budget::unlimited());
  std::vector<int64_t> ids{1, 2, 3, -1, int64_t{1} << 40};
  for (const auto& hit : store->search_sparse({"who wrote article 5", frugal::Language::english}, 10))
    ids.push_back(hit.id);
  const frugal::StoreInfo info = store->info();
  if (info.dimension > 0 && info.dimension <= 4096) {
    const std::vector<float> query(static_cast<size_t>(info.dimension), 0.1f);
    for (const auto& hit : store->search_dense(query, 10)) ids.push_back(hit.id);
  }
  for (const auto& hit : store->search_provision({"br/codigo-penal", "121", "2", "4", "b"}, 10)) ids.push_back(hit.id);
  store->fetch(ids);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t num_bytes) {
  static const fs::path folder = make_folder();
  if (num_bytes < 4) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data), num_bytes);
  uint32_t database_bytes = 0;
  std::memcpy(&database_bytes, data, 4);
  bytes.remove_prefix(4);
  fs::remove_all(folder);
  fs::create_directory(folder);
  write(folder / "index.sqlite", bytes.substr(0, database_bytes));
  if (database_bytes < bytes.size()) write(folder / "vectors-1.i8", bytes.substr(database_bytes));
  frugal::fuzz::expect_no_bug([&] { read_all(folder); });
  frugal::fuzz::expect_no_bug([&] { frugal::read_status(folder); });
  frugal::fuzz::expect_no_bug([&] { frugal::check_index(folder); });
  fs::remove_all(folder);
  return 0;
}
