// The file and its neighbours.
//
// SQLite's write-ahead log lets processes read while one writes. Nothing is synced to the disk: after a power failure
// the file may be damaged, which is found and costs the cache. Each result has a checksum over its key, question and
// body, so that bytes that rot inside a healthy file are a miss.
//
// A damaged file is replaced under an exclusive lock of a file beside it. The process that gets the lock compares the
// inode with that of the file it found damaged: if another process has replaced it already, it opens the new one. The
// log goes first, then the file. Processes that still have the old file open keep writing to it, and lose that.
//
// The name carries the version of the tables, so versions of frugal with other tables use other files. The form of the
// bodies is part of the keys (answer_cache.cpp): versions with the same tables share a file and never read each other's
// results.
#include "rag/cache/sqlite_result_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

namespace frugal {
namespace {

constexpr int kTables = 1;                      // version, also in the name of the file
constexpr int64_t kApplicationId = 0x66726763;  // "frgc"
constexpr int kBusyMs = 250;                    // a cache is not worth a longer wait

int64_t now_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

uint64_t inode_of(const std::filesystem::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_ino) : 0;
}

uint64_t bytes_of(const std::filesystem::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
}

// Columns of every query that returns results.
constexpr std::string_view kColumns = "key, question, body, created, used, hits, checksum, id";

// nullopt if its bytes are not those that were stored.
std::optional<StoredResult> result_of(const Statement& row) {
  StoredResult result{row.string(0), row.string(1), row.string(2), row.integer(3), row.integer(4), row.integer(5)};
  if (checksum_of_result(result.key, result.question, result.body) != row.integer(6)) return std::nullopt;
  return result;
}

}  // namespace

SqliteResultStore::SqliteResultStore(std::filesystem::path folder, ResultLimits limits)
    : folder_(std::move(folder)), path_(folder_ / fmt::format("answers-{}.sqlite", kTables)), limits_(limits) {
  metric_registry().add(*this);
}

SqliteResultStore::~SqliteResultStore() {
  metric_registry().remove(*this);
}

void SqliteResultStore::report(MetricSink& sink) const {
  const MetricLabels labels = {{"cache", "answers"}};
  const auto hits = static_cast<double>(hits_), lookups = static_cast<double>(lookups_);
  sink.counter("frugal_cache_lookups_total", "Lookups in a cache of results", lookups, labels);
  sink.ratio("frugal_cache_hit_ratio", "Share of lookups found in a cache of results", hits, lookups, labels);
}

void SqliteResultStore::create_tables(Database& database) {
  database.execute(fmt::format("PRAGMA busy_timeout={}; PRAGMA synchronous=OFF", kBusyMs));
  const auto is_ours = [&] {
    return database.integer("PRAGMA user_version") == kTables &&
           database.integer("PRAGMA application_id") == kApplicationId;
  };
  if (is_ours()) return;
  Transaction transaction(database, Transaction::Kind::write);
  if (is_ours()) return;  // another process was first
  if (database.integer("SELECT count(*) FROM sqlite_schema") != 0)
    throw Error(Code::corrupt_file, fmt::format("'{}' is not a cache of frugal", path_.native()));
  database.execute(
      "CREATE TABLE results(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, scope TEXT NOT NULL, signature TEXT NOT "
      "NULL, question TEXT NOT NULL, body BLOB NOT NULL, checksum INTEGER NOT NULL, created INTEGER NOT NULL, used "
      "INTEGER NOT NULL, hits INTEGER NOT NULL DEFAULT 0);"
      "CREATE INDEX results_by_signature ON results(scope, signature);"
      "CREATE INDEX results_by_use ON results(used);"
      "CREATE TABLE matches(id INTEGER PRIMARY KEY, asked TEXT NOT NULL, question TEXT NOT NULL, at INTEGER NOT "
      "NULL);");
  database.execute(fmt::format("PRAGMA user_version={}; PRAGMA application_id={}", kTables, kApplicationId));
  transaction.commit();
}

void SqliteResultStore::open() {
  try {
    create_private_folders(folder_);
    database_.emplace(path_, Database::Mode::write);
    inode_ = inode_of(path_);
    create_tables(*database_);
    is_writable_ = true;
  } catch (const Error& error) {
    database_.reset();
    if (error.code() != Code::io) throw;
    // A read-only home: what is there can still be read.
    if (::access(path_.c_str(), R_OK) != 0) throw;
    database_.emplace(path_, Database::Mode::read);
    is_writable_ = false;
  }
}

void SqliteResultStore::replace_damaged() {
  database_.reset();
  const uint64_t damaged = inode_ != 0 ? inode_ : inode_of(path_);
  const FileDescriptor lock(
      ::open((path_.native() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock || ::flock(lock.get(), LOCK_EX) != 0) throw io_error("lock", path_.native());
  if (inode_of(path_) != damaged) return;
  for (const char* ending : {"-wal", "-shm", ""}) ::unlink((path_.native() + ending).c_str());
  inode_ = 0;
}

// Runs `body` on the open database; a second time, on a new file, if the first finds it damaged.
void SqliteResultStore::use(std::string_view doing, const Use& body) {
  const std::lock_guard guard(mutex_);
  if (!unusable_.empty()) return;
  for (int attempt = 0;; ++attempt) {
    try {
      if (!database_) open();
      return body(*database_);
    } catch (const Error& error) {
      const bool is_damaged = error.code() == Code::corrupt_file;
      if (!is_damaged || attempt > 0) {
        log(LogLevel::warn, "cache: {}: {}", doing, error.message());
        if (!database_ || is_damaged) unusable_ = error.message();
        return;
      }
      log(LogLevel::warn, "cache: {}; it is begun anew", error.message());
    }
    try {
      replace_damaged();
    } catch (const Error& error) {
      log(LogLevel::warn, "cache: {}", error.message());
      unusable_ = error.message();
      return;
    }
  }
}

void SqliteResultStore::mark_used(Database& database, const StoredResult& result) {
  if (!is_writable_) return;
  try {
    database.prepare("UPDATE results SET used = ?2, hits = hits + 1 WHERE key = ?1").run(result.key, now_s());
  } catch (const Error& error) {
    if (error.code() == Code::corrupt_file) throw;
    log(LogLevel::info, "cache: {}", error.message());  // in use, or the disk is full: the result is good
  }
}

std::optional<StoredResult> SqliteResultStore::find(std::string_view key) {
  std::optional<StoredResult> found;
  use("answer not looked up", [&](Database& database) {
    found.reset();
    Statement rows = database.prepare(fmt::format("SELECT {} FROM results WHERE key = ?1 AND created > ?2", kColumns));
    rows.bind(key, now_s() - limits_.max_age_s);
    if (rows.step()) found = result_of(rows);
    rows.reset();
    if (found) mark_used(database, *found);
  });
  ++lookups_;
  hits_ += found.has_value();
  return found;
}

std::vector<StoredResult> SqliteResultStore::find_similar(std::string_view scope, std::string_view signature,
                                                          int64_t limit) {
  std::vector<StoredResult> found;
  use("neighbours not looked up", [&](Database& database) {
    found.clear();
    Statement rows = database.prepare(fmt::format(
        "SELECT {} FROM results WHERE scope = ?1 AND signature = ?2 AND created > ?3 ORDER BY used DESC, id LIMIT ?4",
        kColumns));
    rows.bind(scope, signature, now_s() - limits_.max_age_s, limit);
    while (rows.step())
      if (auto result = result_of(rows)) found.push_back(std::move(*result));
  });
  return found;
}

void SqliteResultStore::put(std::string_view key, std::string_view scope, std::string_view signature,
                            std::string_view question, std::string_view body) {
  if (body.size() > std::min<uint64_t>(kMaxResultBytes, limits_.max_bytes / 4)) return;
  use("answer not stored", [&](Database& database) {
    if (!is_writable_) throw Error(Code::io, fmt::format("'{}' cannot be written", path_.native()));
    Transaction transaction(database, Transaction::Kind::write);
    const int64_t now = now_s();
    database
        .prepare(
            "INSERT OR REPLACE INTO results(key, scope, signature, question, body, checksum, created, used) "
            "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)")
        .run(key, scope, signature, question, Blob{body}, checksum_of_result(key, question, body), now);
    make_room(database);
    transaction.commit();
  });
}

// Pages in use count, not the file: free pages are used again.
void SqliteResultStore::make_room(Database& database) {
  database.prepare("DELETE FROM results WHERE created <= ?1").run(now_s() - limits_.max_age_s);
  const int64_t page = database.integer("PRAGMA page_size").value_or(4096);
  const auto used_bytes = [&] {
    return page *
           (database.integer("PRAGMA page_count").value_or(0) - database.integer("PRAGMA freelist_count").value_or(0));
  };
  const auto limit = static_cast<int64_t>(limits_.max_bytes);
  while (used_bytes() > limit) {
    database.execute("DELETE FROM results WHERE id IN (SELECT id FROM results ORDER BY used, id LIMIT 8)");
    if (database.integer("SELECT count(*) FROM (SELECT 1 FROM results LIMIT 1)") == 0) return;
  }
}

void SqliteResultStore::record_match(std::string_view key, std::string_view asked) {
  use("match not recorded", [&](Database& database) {
    if (!is_writable_) return;
    Transaction transaction(database, Transaction::Kind::write);
    database.prepare("INSERT INTO matches(asked, question, at) SELECT ?2, question, ?3 FROM results WHERE key = ?1")
        .run(key, asked, now_s());
    database.prepare("UPDATE results SET used = ?2, hits = hits + 1 WHERE key = ?1").run(key, now_s());
    database.execute(fmt::format("DELETE FROM matches WHERE id <= (SELECT max(id) FROM matches) - {}", kMaxMatches));
    transaction.commit();
  });
}

void SqliteResultStore::clear() {
  use("not cleared", [&](Database& database) {
    if (!is_writable_) throw Error(Code::io, fmt::format("'{}' cannot be written", path_.native()));
    database.execute("DELETE FROM results; DELETE FROM matches");
    database.execute("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
  });
}

ResultStats SqliteResultStore::stats() {
  ResultStats stats;
  if (inode_of(path_) == 0) return stats;
  use("no statistics", [&](Database& database) {
    stats = {};
    Statement row =
        database.prepare("SELECT count(*), coalesce(sum(hits), 0), coalesce(min(created), 0) FROM results", false);
    row.step();
    stats.results = row.integer(0), stats.hits = row.integer(1), stats.oldest_s = row.integer(2);
    stats.matches = database.integer("SELECT count(*) FROM matches").value_or(0);
  });
  stats.bytes = bytes_of(path_) + bytes_of(path_.native() + "-wal");
  return stats;
}

int64_t SqliteResultStore::for_each(const std::function<void(const StoredResult&)>& visit) {
  std::vector<int64_t> damaged;
  if (inode_of(path_) == 0) return 0;
  use("not read", [&](Database& database) {
    damaged.clear();
    Statement rows = database.prepare(fmt::format("SELECT {} FROM results ORDER BY id", kColumns), false);
    while (rows.step()) {
      if (const auto result = result_of(rows))
        visit(*result);
      else
        damaged.push_back(rows.integer(7));
    }
    rows.reset();
    if (is_writable_)
      for (const int64_t id : damaged) database.prepare("DELETE FROM results WHERE id = ?1").run(id);
  });
  return static_cast<int64_t>(damaged.size());
}

std::vector<StoredMatch> SqliteResultStore::matches() {
  std::vector<StoredMatch> found;
  if (inode_of(path_) == 0) return found;
  use("matches not read", [&](Database& database) {
    found.clear();
    Statement rows = database.prepare("SELECT asked, question, at FROM matches ORDER BY id", false);
    while (rows.step()) found.push_back({rows.string(0), rows.string(1), rows.integer(2)});
  });
  return found;
}

}  // namespace frugal
