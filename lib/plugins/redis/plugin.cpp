// The table of rag/cache/redis_abi.h. hiredis' reader builds its values through callbacks; those here append to one
// flat list, count what they append, and refuse above the limit. A reply that claims a billion elements therefore
// allocates nothing.
#include <hiredis/hiredis.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <new>
#include <vector>

#include "connection.h"
#include "rag/cache/redis_abi.h"

namespace frugal_redis {
namespace {

template <typename Body>
int32_t guarded(const Body& body) noexcept {
  return frugal_plugins::guard(FRUGAL_REDIS_REFUSED, body);
}

/// The values of one call, flat and in reading order.
struct Values {
  std::vector<frugal_redis_item> items;
  std::deque<std::string> texts;  // their bytes, which stay where they are
  uint64_t max_items = 0;
};

// The reader has the values of its call as private data, and keeps only the address of a value.
void* append(const redisReadTask* task, frugal_redis_item item, const char* text = nullptr, size_t bytes = 0) noexcept {
  auto& values = *static_cast<Values*>(task->privdata);
  try {
    if (values.items.size() >= values.max_items) return nullptr;
    if (text) {
      const std::string& kept = values.texts.emplace_back(text, bytes);
      item.text = {kept.data(), kept.size()};
    }
    values.items.push_back(item);
    return &values;
  } catch (...) {
    return nullptr;
  }
}

void* make_text(const redisReadTask* task, char* text, size_t bytes) {
  const int32_t kind = task->type == REDIS_REPLY_ERROR ? FRUGAL_REDIS_ERROR : FRUGAL_REDIS_STRING;
  return append(task, {kind, 0, {}}, text, bytes);
}

// hiredis counts elements in an int or, since version 1, in a size_t.
template <typename Count>
void* make_array(const redisReadTask* task, Count elements) {
  const auto count = static_cast<int64_t>(elements);
  if (count < 0 || static_cast<uint64_t>(count) > static_cast<Values*>(task->privdata)->max_items) return nullptr;
  return append(task, {FRUGAL_REDIS_ARRAY, count, {}});
}

void* make_integer(const redisReadTask* task, long long value) {
  return append(task, {FRUGAL_REDIS_INTEGER, value, {}});
}

void* make_nil(const redisReadTask* task) {
  return append(task, {FRUGAL_REDIS_NIL, 0, {}});
}

void free_nothing(void*) {}

redisReplyObjectFunctions flat_functions() {
  redisReplyObjectFunctions functions{};  // other types are of RESP3, which nothing asks for
  functions.createString = make_text;
  functions.createArray = make_array;
  functions.createInteger = make_integer;
  functions.createNil = make_nil;
  functions.freeObject = free_nothing;
  return functions;
}

struct FreeReader {
  void operator()(redisReader* reader) const { redisReaderFree(reader); }
};

}  // namespace
}  // namespace frugal_redis

struct frugal_redis_connection {
  frugal_redis::Socket socket;
  frugal_redis::Values values;
};

namespace frugal_redis {
namespace {

Clock::time_point after(int32_t timeout_ms) {
  return Clock::now() + std::chrono::milliseconds(std::max(timeout_ms, 0));
}

std::string written(const frugal_redis_command* commands, uint64_t count) {
  std::string bytes;
  for (const frugal_redis_command* command = commands; command != commands + count; ++command) {
    std::vector<const char*> texts;
    std::vector<size_t> sizes;
    texts.reserve(command->count);
    sizes.reserve(command->count);
    for (uint64_t i = 0; i < command->count; ++i) {
      texts.push_back(command->arguments[i].data);
      sizes.push_back(command->arguments[i].bytes);
    }
    char* formatted = nullptr;
    const auto size = redisFormatCommandArgv(&formatted, static_cast<int>(command->count), texts.data(), sizes.data());
    if (size < 0) throw std::bad_alloc();
    const std::unique_ptr<char, void (*)(char*)> owner(formatted, redisFreeCommand);
    bytes.append(formatted, static_cast<size_t>(size));
  }
  return bytes;
}

void read_replies(frugal_redis_connection& connection, uint64_t count, const frugal_redis_limits& limits,
                  Clock::time_point deadline) {
  static redisReplyObjectFunctions functions = flat_functions();
  const std::unique_ptr<redisReader, FreeReader> reader(redisReaderCreateWithFunctions(&functions));
  if (!reader) throw std::bad_alloc();
  reader->privdata = &connection.values;
  const auto refuse = [](const std::string& why) { throw Failure(FRUGAL_REDIS_REFUSED, why); };
  uint64_t received = 0, done = 0;
  std::vector<char> block(64 << 10);
  while (done < count) {
    const size_t bytes = connection.socket.receive(block.data(), block.size(), deadline);
    received += bytes;
    if (received > limits.max_bytes) refuse("the reply has more than " + std::to_string(limits.max_bytes) + " bytes");
    if (redisReaderFeed(reader.get(), block.data(), bytes) != REDIS_OK) refuse(reader->errstr);
    for (void* reply = nullptr; done < count; ++done, reply = nullptr) {
      if (redisReaderGetReply(reader.get(), &reply) != REDIS_OK)
        refuse(std::string("the reply is not of the Redis protocol, or too long: ") + reader->errstr);
      if (!reply) break;
    }
  }
  if (reader->pos < reader->len) refuse("there are more replies than commands");
}

const char* error_text() {
  return frugal_plugins::t_error;
}

int32_t connect(const char* host, int32_t port, const char* socket, int32_t timeout_ms,
                frugal_redis_connection** connection) {
  return guarded([&] {
    const auto deadline = after(timeout_ms);
    *connection = new frugal_redis_connection{
        socket ? Socket::to_path(socket, deadline) : Socket::to_port(host, port, deadline), {}};
  });
}

int32_t call(frugal_redis_connection* connection, const frugal_redis_command* commands, uint64_t count,
             const frugal_redis_limits* limits, frugal_redis_replies* replies) {
  return guarded([&] {
    const auto deadline = after(limits->timeout_ms);
    connection->values = {{}, {}, limits->max_items};
    connection->socket.send_all(written(commands, count), deadline);
    read_replies(*connection, count, *limits, deadline);
    *replies = {connection->values.items.data(), connection->values.items.size()};
  });
}

void close(frugal_redis_connection* connection) {
  delete connection;
}

constexpr frugal_redis_table kTable = {FRUGAL_REDIS_ABI, sizeof(frugal_redis_table), error_text, connect, call, close};

}  // namespace
}  // namespace frugal_redis

extern "C" __attribute__((visibility("default"))) const frugal_redis_table* frugal_redis_query(uint32_t host_abi) {
  return host_abi == FRUGAL_REDIS_ABI ? &frugal_redis::kTable : nullptr;
}
