#include "rag/database/sqlite.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <new>
#include <utility>

#include "base/error.h"
#include "base/file.h"

namespace frugal {
namespace {

// Limits for a database that somebody else may have made. A document's longest text is 64 MiB; a statement over a
// million chunks takes some fifteen million instructions, and the limit is reached in seconds.
constexpr int kMaxValueBytes = 256 << 20;
constexpr int64_t kMaxHeapBytes = int64_t(512) << 20;
constexpr int kWorkUnit = 100'000;
constexpr int64_t kMaxWork = 2'000;

[[noreturn]] void fail(sqlite3* connection, int status, std::string_view path) {
  const std::string message =
      fmt::format("'{}': {}", path, connection ? sqlite3_errmsg(connection) : sqlite3_errstr(status));
  switch (status & 0xff) {
    case SQLITE_NOMEM:
      throw std::bad_alloc();
    case SQLITE_MISUSE:
      throw Error(Code::internal, message);
    default:  // the SQL is fixed, so a failure means unexpected tables or values
      throw Error(Code::corrupt_file, message).hint("delete the index folder and run rag-index add again");
    case SQLITE_FULL:
      throw Error(Code::io, message).hint("free some disk space and run the command again; finished work is kept");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw Error(Code::bad_input, fmt::format("'{}' is in use by another process", path))
          .hint("wait for the other process to finish");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      throw Error(Code::io, message).hint("check the permissions of the folder and of the files in it");
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      throw Error(Code::io, message).hint("check the disk: is it full, or does it fail?");
    case SQLITE_INTERRUPT:
      throw Error(Code::corrupt_file, fmt::format("'{}': reading it does not come to an end", path))
          .hint("delete the index folder and run rag-index add again");
  }
}

bool file_exists(const std::filesystem::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

/// Creates an empty database for this user alone; SQLite would create it as the umask says, and gives the files beside
/// it the permissions of the database. One that exists is not opened here: closing it would release SQLite's locks.
void create_private(const std::filesystem::path& path) {
  const FileDescriptor made(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!made && errno != EEXIST) throw io_error("create", path.native());
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode))
    throw Error(Code::bad_input, fmt::format("'{}' is a link, or no file, and is not written", path.native()))
        .hint("choose another folder with --index");
}

bool has_bytes(const std::filesystem::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && info.st_size > 0;
}

/// An immutable "file:" URI of a path, with the special characters of URIs escaped.
std::string immutable_uri(const std::filesystem::path& path) {
  std::string uri = "file:";
  for (const char c : path.native()) {
    if (c == '%' || c == '?' || c == '#')
      uri += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    else
      uri += c;
  }
  return uri + "?immutable=1";
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement::Statement(sqlite3* connection, StepLimit* limit, std::string path, std::string_view sql, bool persistent)
    : connection_(connection), limit_(limit), path_(std::move(path)) {
  sqlite3_stmt* prepared = nullptr;
  const int status = sqlite3_prepare_v3(connection, sql.data(), static_cast<int>(sql.size()),
                                        persistent ? SQLITE_PREPARE_PERSISTENT : 0, &prepared, nullptr);
  statement_.reset(prepared);
  if (status != SQLITE_OK) fail(connection, status, path_);
}

bool Statement::step() {
  limit_->work = 0;
  const int status = sqlite3_step(statement_.get());
  if (status == SQLITE_ROW) return true;
  if (status == SQLITE_DONE) return false;
  // The reset comes before the throw: an unfinished statement would prevent the rollback of the transaction.
  const int extended = sqlite3_extended_errcode(connection_);
  try {
    fail(connection_, extended, path_);
  } catch (...) {
    sqlite3_reset(statement_.get());
    throw;
  }
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
}

int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}
double Statement::real(int column) const {
  return sqlite3_column_double(statement_.get(), column);
}

std::string_view Statement::text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int length = sqlite3_column_bytes(statement_.get(), column);
  return bytes ? std::string_view(static_cast<const char*>(bytes), static_cast<size_t>(length)) : std::string_view();
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Statement::bind_integer(int index, int64_t value) {
  const int status = sqlite3_bind_int64(statement_.get(), index, value);
  if (status != SQLITE_OK) fail(connection_, status, path_);
}

void Statement::bind_one(int index, double value) {
  const int status = sqlite3_bind_double(statement_.get(), index, value);
  if (status != SQLITE_OK) fail(connection_, status, path_);
}

void Statement::bind_one(int index, std::string_view value) {
  const char* data = value.data() ? value.data() : "";
  const int status = sqlite3_bind_text64(statement_.get(), index, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (status != SQLITE_OK) fail(connection_, status, path_);
}

void Statement::bind_one(int index, Blob value) {
  const char* data = value.bytes.data() ? value.bytes.data() : "";
  const int status = sqlite3_bind_blob64(statement_.get(), index, data, value.bytes.size(), SQLITE_TRANSIENT);
  if (status != SQLITE_OK) fail(connection_, status, path_);
}

void Statement::bind_one(int index, std::nullptr_t) {
  const int status = sqlite3_bind_null(statement_.get(), index);
  if (status != SQLITE_OK) fail(connection_, status, path_);
}

void Database::Close::operator()(sqlite3* connection) const {
  sqlite3_close_v2(connection);
}

Database::Database(const std::filesystem::path& path, Mode mode) : path_(path), limit_(std::make_unique<StepLimit>()) {
  if (mode == Mode::read && !file_exists(path)) throw Error(Code::missing, fmt::format("no file '{}'", path.native()));
  std::error_code unreadable;
  if (mode == Mode::read && !std::filesystem::is_regular_file(path, unreadable))  // a FIFO would be waited for
    throw Error(Code::mismatch, fmt::format("'{}' is not an index of rag-index", path.native()));
  if (mode == Mode::write) create_private(path);
  const int flags = mode == Mode::read ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  open(path.native(), flags);
  try {
    configure(mode);
  } catch (const Error& error) {
    // With a write-ahead log, even a reader creates a file beside the database. If the folder is read-only and has no
    // log, no process can be writing, so the database is opened as immutable.
    if (mode != Mode::read || error.code() != Code::io || has_bytes(path.native() + "-wal")) throw;
    open(immutable_uri(path), flags | SQLITE_OPEN_URI);
    configure(mode);
  }
}

void Database::open(const std::string& name, int flags) {
  sqlite3* connection = nullptr;
  const int status = sqlite3_open_v2(name.c_str(), &connection, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  connection_.reset(connection);
  if (status != SQLITE_OK) fail(connection, status, path_.native());
  sqlite3_extended_result_codes(connection, 1);
}

void Database::configure(Mode mode) {
  sqlite3_busy_timeout(handle(), kBusyTimeoutMs);
  sqlite3_hard_heap_limit64(kMaxHeapBytes);
  sqlite3_limit(handle(), SQLITE_LIMIT_LENGTH, kMaxValueBytes);
  if (mode == Mode::read) sqlite3_progress_handler(handle(), kWorkUnit, count_work, limit_.get());
  sqlite3_db_config(handle(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  execute("PRAGMA cell_size_check=ON");
  // A writer maps nothing: what it has touched of an index would stay resident, outside every budget.
  if (mode == Mode::read) execute("PRAGMA mmap_size=268435456");
  if (mode == Mode::write) execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;");
  if (mode == Mode::read)
    integer("SELECT count(*) FROM sqlite_schema");  // so that a database that cannot be read fails here
}

int Database::count_work(void* limit) {
  return ++static_cast<StepLimit*>(limit)->work > kMaxWork ? 1 : 0;
}

void Database::execute(const std::string& sql) {
  const int status = sqlite3_exec(handle(), sql.c_str(), nullptr, nullptr, nullptr);
  if (status != SQLITE_OK) fail(handle(), status, path_.native());
}

Statement Database::prepare(std::string_view sql, bool persistent) const {
  return Statement(handle(), limit_.get(), path_.native(), sql, persistent);
}

std::optional<std::string> Database::text(std::string_view sql) const {
  Statement statement = prepare(sql, false);
  if (!statement.step() || statement.is_null(0)) return std::nullopt;
  return statement.string(0);
}

std::optional<int64_t> Database::integer(std::string_view sql) const {
  Statement statement = prepare(sql, false);
  if (!statement.step() || statement.is_null(0)) return std::nullopt;
  return statement.integer(0);
}

void Database::define(const char* name, const std::function<bool(int64_t)>& holds) {
  const auto call = [](sqlite3_context* context, int, sqlite3_value** values) {
    const auto& function = *static_cast<const std::function<bool(int64_t)>*>(sqlite3_user_data(context));
    sqlite3_result_int(context, function(sqlite3_value_int64(values[0])) ? 1 : 0);
  };
  const int status = sqlite3_create_function(handle(), name, 1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                             const_cast<std::function<bool(int64_t)>*>(&holds), call, nullptr, nullptr);
  if (status != SQLITE_OK) fail(handle(), status, path_.native());
}

int64_t Database::last_rowid() const {
  return sqlite3_last_insert_rowid(handle());
}

Transaction::Transaction(Database& database, Kind kind) : database_(database) {
  database_.execute(kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN DEFERRED");
}

Transaction::~Transaction() {
  // A failure here is harmless: SQLite also rolls back when the connection closes.
  if (open_) sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace frugal
