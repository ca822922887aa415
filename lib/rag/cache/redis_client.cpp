// A connection is made with the first call, and kept. One that was idle may have been closed by the server, which shows
// only in use: such a call is made once more, on a new connection and within the same time. All commands of the stores
// may run twice.
//
// The stamp: an empty answer is never worth a second time-out, so the process that pays it writes a file whose
// modification time is the moment and whose content is the reason. The name has a hash of the place, so that another
// server is not taken for this one. A clock that was set back makes a stamp of the future; it counts for a minute at
// most.
#include "rag/cache/redis_client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <span>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/plugin_library.h"
#include "base/visible.h"
#include "rag/cache/redis_abi.h"

namespace frugal {
namespace {

using namespace std::chrono_literals;

constexpr auto kAwayTime = 60s;
constexpr uint64_t kMaxItems = 1 << 20;
constexpr int kMaxDepth = 4;
constexpr uint64_t kMaxStampBytes = 4096;
constexpr const char* kHint = "run scripts/setup to install libhiredis-dev, then build again (docs/plugins.md)";

class ValueReader {
 public:
  explicit ValueReader(frugal_redis_replies replies) : replies_(replies) {}

  RedisValue next(int depth = 0) {
    if (at_ >= replies_.count || depth > kMaxDepth) throw Error(Code::remote, "the reply is incomplete");
    const frugal_redis_item& item = replies_.items[at_++];
    RedisValue value{kind_of(item.kind), {}, item.integer, {}};
    if (item.text.data) value.text.assign(item.text.data, item.text.bytes);
    if (value.kind == RedisValue::Kind::array)
      for (int64_t i = 0; i < item.integer; ++i) value.items.push_back(next(depth + 1));
    return value;
  }

 private:
  static RedisValue::Kind kind_of(int32_t kind) {
    switch (kind) {
      case FRUGAL_REDIS_STRING:
        return RedisValue::Kind::text;
      case FRUGAL_REDIS_INTEGER:
        return RedisValue::Kind::integer;
      case FRUGAL_REDIS_ERROR:
        return RedisValue::Kind::error;
      case FRUGAL_REDIS_ARRAY:
        return RedisValue::Kind::array;
      default:
        return RedisValue::Kind::nil;
    }
  }
  frugal_redis_replies replies_;
  uint64_t at_ = 0;
};

// A key of another type is another program's, and concerns nobody else.
bool concerns_one_key(const std::string& error) {
  return error.find("WRONGTYPE") != error.npos;
}

void require_service(const RedisValue& value) {
  if (value.kind == RedisValue::Kind::error && !concerns_one_key(value.text))
    throw Error(Code::remote, fmt::format("the server says: {}", value.text.substr(0, 200)));
}

// Seconds since the file was written; nullopt: there is none.
std::optional<int64_t> age_of(const std::filesystem::path& stamp) {
  struct stat info {};
  if (stamp.empty() || ::stat(stamp.c_str(), &info) != 0) return std::nullopt;
  return std::abs(static_cast<int64_t>(std::time(nullptr)) - static_cast<int64_t>(info.st_mtim.tv_sec));
}

}  // namespace

int64_t RedisValue::number() const {
  int64_t value = integer;
  if (kind == Kind::text) std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

struct RedisClient::Plugin : PluginTable<frugal_redis_table> {
  Plugin() : PluginTable(find_plugin("redis", kHint), FRUGAL_REDIS_SYMBOL, FRUGAL_REDIS_ABI, kHint) {}
};

struct RedisClient::Connection {
  const frugal_redis_table& table;
  frugal_redis_connection* handle = nullptr;
  bool was_used = false;
  ~Connection() {
    if (handle) table.close(handle);
  }
};

RedisClient::RedisClient(RedisOptions options)
    : options_(std::move(options)),
      stamp_(options_.folder.empty()
                 ? std::filesystem::path()
                 : options_.folder / fmt::format("redis-away-{}", sha256_hex(options_.place.text()).substr(0, 16))),
      plugin_(std::make_unique<Plugin>()) {}

RedisClient::~RedisClient() {
  connection_.reset();
}

std::string RedisClient::away() const {
  const std::lock_guard guard(mutex_);
  return away_;
}

bool RedisClient::is_away() {
  if (!has_read_stamp_ && !options_.always_try) {
    has_read_stamp_ = true;
    if (const auto age = age_of(stamp_); age && *age < 60) {
      try {
        away_ = read_file(stamp_, kMaxStampBytes);
      } catch (const Error&) {
        away_ = "it was away before";
      }
      away_until_ = Clock::now() + kAwayTime - std::chrono::seconds(*age);
      log(LogLevel::info, "cache: {} is not asked: {}", place(), away_);
    }
  }
  return away_until_ && Clock::now() < *away_until_;
}

void RedisClient::set_away(const std::string& why) {
  connection_.reset();
  away_ = why;
  away_until_ = Clock::now() + kAwayTime;
  log(LogLevel::warn, "cache: {} is away, and is not asked for a minute: {}", place(), why);
  if (stamp_.empty()) return;
  try {
    create_private_folders(options_.folder);
    const FileDescriptor file(
        ::open(stamp_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    if (!file) throw io_error("write", stamp_.native());
    write_all(file.get(), std::as_bytes(std::span(why.data(), std::min(why.size(), kMaxStampBytes))), 0, stamp_);
  } catch (const Error& error) {
    log(LogLevel::info, "cache: {}", error.message());
  }
}

void RedisClient::set_back() {
  if (!away_until_ && !options_.always_try) return;
  away_.clear();
  away_until_.reset();
  std::error_code ignored;
  if (!stamp_.empty()) std::filesystem::remove(stamp_, ignored);
}

// What a new connection begins with.
std::vector<RedisClient::Command> RedisClient::greeting() const {
  std::vector<Command> commands;
  const RedisPlace& place = options_.place;
  if (!place.password.empty())
    commands.push_back(place.user.empty() ? Command{"AUTH", place.password}
                                          : Command{"AUTH", place.user, place.password});
  if (place.database != 0) commands.push_back({"SELECT", std::to_string(place.database)});
  return commands;
}

// Connects if needed, and sends the greeting in front of the commands: one round trip.
std::vector<RedisValue> RedisClient::exchange(const std::vector<Command>& commands, uint64_t max_bytes,
                                              Clock::time_point deadline) {
  const frugal_redis_table& table = **plugin_;
  const auto left_ms = [&] {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return static_cast<int32_t>(std::clamp<int64_t>(left, 0, 1 << 30));
  };
  const auto check = [&](int32_t status) {
    was_closed_ = status == FRUGAL_REDIS_CLOSED;
    if (status != FRUGAL_REDIS_OK) throw Error(Code::remote, table.error_text());
  };
  std::vector<Command> all;
  if (!connection_) {
    const RedisPlace& place = options_.place;
    auto made = std::make_unique<Connection>(Connection{table});
    check(table.connect(place.host.c_str(), place.port, place.host.empty() ? place.socket.c_str() : nullptr, left_ms(),
                        &made->handle));
    connection_ = std::move(made);
    all = greeting();
  }
  const size_t greetings = all.size();
  all.insert(all.end(), commands.begin(), commands.end());

  std::vector<std::vector<frugal_redis_text>> texts(all.size());
  std::vector<frugal_redis_command> sent(all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    texts[i].reserve(all[i].size());
    for (const std::string& argument : all[i]) texts[i].push_back({argument.data(), argument.size()});
    sent[i] = {texts[i].data(), texts[i].size()};
  }
  const frugal_redis_limits limits{left_ms(), max_bytes, kMaxItems};
  frugal_redis_replies replies{};
  check(table.call(connection_->handle, sent.data(), sent.size(), &limits, &replies));
  connection_->was_used = true;

  ValueReader reader(replies);
  std::vector<RedisValue> values;
  values.reserve(commands.size());
  for (size_t i = 0; i < all.size(); ++i) {
    RedisValue value = reader.next();
    require_service(value);
    if (i >= greetings) values.push_back(std::move(value));
  }
  return values;
}

std::vector<RedisValue> RedisClient::attempt(const std::vector<Command>& commands, uint64_t max_bytes,
                                             Clock::time_point deadline) {
  const bool may_be_stale = connection_ && connection_->was_used;
  try {
    return exchange(commands, max_bytes, deadline);
  } catch (const Error&) {
    connection_.reset();
    if (!may_be_stale || !was_closed_) throw;
  }
  return exchange(commands, max_bytes, deadline);
}

std::optional<std::vector<RedisValue>> RedisClient::pipeline(const std::vector<Command>& commands, uint64_t max_bytes) {
  const std::lock_guard guard(mutex_);
  if (is_away()) return std::nullopt;
  try {
    auto values = attempt(commands, max_bytes, Clock::now() + std::chrono::milliseconds(options_.timeout_ms));
    set_back();
    return values;
  } catch (const Error& error) {
    set_away(visible_line(error.message()));
    return std::nullopt;
  }
}

std::optional<RedisValue> RedisClient::call(Command command, uint64_t max_bytes) {
  auto values = pipeline({std::move(command)}, max_bytes);
  if (!values || values->front().kind == RedisValue::Kind::error) return std::nullopt;
  return std::move(values->front());
}

}  // namespace frugal
