// The table `meta` of an SQLite index: a value for each key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rag/database/sqlite.h"

namespace frugal::schema {

/// A value of the table `meta`; nullopt if it is absent.
std::optional<std::string> meta_text(const Database& database, std::string_view key);
int64_t meta_integer(const Database& database, std::string_view key);  // 0 if absent
void set_meta(Database& database, std::string_view key, std::string_view value);
void set_meta(Database& database, std::string_view key, int64_t value);

/// A number for a new file that no other has: with it in `meta` and in the file, no file is taken for another.
int64_t random_file_id();

}  // namespace frugal::schema
