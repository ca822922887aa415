#include "rag/database/meta.h"

#include <random>

namespace frugal::schema {

std::optional<std::string> meta_text(const Database& database, std::string_view key) {
  Statement statement = database.prepare("SELECT value FROM meta WHERE key=?1", false);
  if (!statement.bind(key).step()) return std::nullopt;
  return statement.string(0);
}

int64_t meta_integer(const Database& database, std::string_view key) {
  Statement statement = database.prepare("SELECT value FROM meta WHERE key=?1", false);
  return statement.bind(key).step() ? statement.integer(0) : 0;
}

void set_meta(Database& database, std::string_view key, std::string_view value) {
  database.prepare("INSERT OR REPLACE INTO meta VALUES(?1, ?2)", false).run(key, value);
}
void set_meta(Database& database, std::string_view key, int64_t value) {
  database.prepare("INSERT OR REPLACE INTO meta VALUES(?1, ?2)", false).run(key, value);
}

int64_t random_file_id() {
  std::random_device device;
  return static_cast<int64_t>((static_cast<uint64_t>(device()) << 32 | device()) & INT64_MAX);
}

}  // namespace frugal::schema
