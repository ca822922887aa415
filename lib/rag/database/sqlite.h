// A thin layer over SQLite: connections with safe settings, prepared statements, transactions. Not an object mapper:
// statements are SQL, and columns are numbered. Every failure is an Error that names the file.
#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace frugal {

/// Bytes to bind as a blob instead of text.
struct Blob {
  std::string_view bytes;
};

/// Ends a step that takes too long.
struct StepLimit {
  int64_t work = 0;  // of the current step, in units of kWorkUnit instructions
};

/// A prepared statement. Bind all parameters at once, then step through the rows; the next bind() resets it.
class Statement {
 public:
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) noexcept = default;

  /// Parameters ?1, ?2, … in order. Texts and blobs are copied.
  template <typename... Values>
  Statement& bind(const Values&... values) {
    reset();
    int index = 0;
    (bind_one(++index, values), ...);
    return *this;
  }
  /// Moves to the next row; false if there is none.
  bool step();
  /// Runs to the end, ignores rows, and resets.
  void run();
  /// bind(values...) and run().
  template <typename... Values>
  void run(const Values&... values) {
    bind(values...);
    run();
  }
  void reset();

  int64_t integer(int column) const;
  double real(int column) const;
  /// Text or blob; valid until the next step().
  std::string_view text(int column) const;
  std::string string(int column) const { return std::string(text(column)); }
  bool is_null(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Statement(sqlite3* connection, StepLimit* limit, std::string path, std::string_view sql, bool persistent);
  template <std::integral Integer>
  void bind_one(int index, Integer value) {
    bind_integer(index, static_cast<int64_t>(value));
  }
  void bind_one(int index, double value);
  void bind_one(int index, std::string_view value);
  void bind_one(int index, const std::string& value) { bind_one(index, std::string_view(value)); }
  void bind_one(int index, const char* value) { bind_one(index, std::string_view(value)); }
  void bind_one(int index, Blob value);
  void bind_one(int index, std::nullptr_t);
  template <typename Value>
  void bind_one(int index, const std::optional<Value>& value) {
    value ? bind_one(index, *value) : bind_one(index, nullptr);
  }
  void bind_integer(int index, int64_t value);

  sqlite3* connection_ = nullptr;
  StepLimit* limit_ = nullptr;
  std::string path_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// A connection with trusted_schema off, defensive mode, checks of cell sizes, and limits on what a hostile file can
/// make it do: the bytes of a value, SQLite's heap (of the process) and, for reading, the work of one step. For one
/// thread at a time.
class Database {
 public:
  enum class Mode {
    read,   // the file must exist; if nothing can be written beside it, it is opened as immutable
    write,  // created if missing; write-ahead log, synchronous NORMAL: a power failure loses the last commits at most
  };
  static constexpr int kBusyTimeoutMs = 5000;  // for a lock of another process

  /// Throws Error(missing) if mode is read and the file does not exist, Error(corrupt_file), Error(io), std::bad_alloc.
  Database(const std::filesystem::path& path, Mode mode);
  Database(Database&&) noexcept = default;
  Database& operator=(Database&&) noexcept = default;

  /// Runs statements without parameters or results.
  void execute(const std::string& sql);
  /// persistent: a hint that the statement will be used many times.
  Statement prepare(std::string_view sql, bool persistent = true) const;
  /// The first column of the first row; nullopt if there is no row or the value is NULL.
  std::optional<std::string> text(std::string_view sql) const;
  std::optional<int64_t> integer(std::string_view sql) const;
  int64_t last_rowid() const;
  /// Defines the SQL function `name` of an integer for the statements of this connection; the schema cannot call it.
  /// `holds` is borrowed, and must not throw.
  void define(const char* name, const std::function<bool(int64_t)>& holds);
  const std::filesystem::path& path() const { return path_; }
  sqlite3* handle() const { return connection_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  void open(const std::string& name, int flags);
  void configure(Mode mode);
  static int count_work(void* limit);

  std::filesystem::path path_;
  std::unique_ptr<StepLimit> limit_;
  std::unique_ptr<sqlite3, Close> connection_;
};

/// Rolls back when it is destroyed before commit().
class Transaction {
 public:
  /// write: takes the write lock at once. read: the snapshot is taken at the first read.
  enum class Kind { read, write };
  Transaction(Database& database, Kind kind);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace frugal
