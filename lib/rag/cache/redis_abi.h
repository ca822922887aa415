/* The C interface between the library and frugal_redis.so (docs/design/0044-redis.md): a connection to a server of the
 * Redis protocol, and pipelines of commands over it. What the commands mean is the library's business (redis_client.h).
 *
 * Plain data and integer statuses only: no exception, no standard-library type and no memory ownership crosses it. A
 * change of a struct or a function here needs a new FRUGAL_REDIS_ABI; a host refuses a plugin with another one. A
 * connection is used by one thread at a time. */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FRUGAL_REDIS_ABI 1u
#define FRUGAL_REDIS_SYMBOL "frugal_redis_query"

typedef struct frugal_redis_connection frugal_redis_connection;

/* Status of a call; error_text of the table describes the failure. After every failure the connection is closed. */
enum {
  FRUGAL_REDIS_OK = 0,
  FRUGAL_REDIS_TIMEOUT = 1, /* the time is over */
  FRUGAL_REDIS_CLOSED = 2,  /* the server closed the connection, or could not be reached */
  FRUGAL_REDIS_REFUSED = 3  /* the reply is too large, or none of the protocol */
};

enum { FRUGAL_REDIS_NIL, FRUGAL_REDIS_STRING, FRUGAL_REDIS_INTEGER, FRUGAL_REDIS_ERROR, FRUGAL_REDIS_ARRAY };

typedef struct frugal_redis_text {
  const char* data; /* any bytes */
  uint64_t bytes;
} frugal_redis_text;

typedef struct frugal_redis_command {
  const frugal_redis_text* arguments;
  uint64_t count;
} frugal_redis_command;

/* A value of a reply, in reading order: the elements of an array follow it. */
typedef struct frugal_redis_item {
  int32_t kind;
  int64_t integer;        /* of FRUGAL_REDIS_INTEGER; of FRUGAL_REDIS_ARRAY, the number of its elements */
  frugal_redis_text text; /* of FRUGAL_REDIS_STRING and FRUGAL_REDIS_ERROR */
} frugal_redis_item;

typedef struct frugal_redis_limits {
  int32_t timeout_ms; /* of the whole call */
  uint64_t max_bytes; /* of all replies, as they are sent */
  uint64_t max_items;
} frugal_redis_limits;

/* Valid until the next call on the connection. */
typedef struct frugal_redis_replies {
  const frugal_redis_item* items;
  uint64_t count;
} frugal_redis_replies;

typedef struct frugal_redis_table {
  uint32_t abi;   /* FRUGAL_REDIS_ABI of the plugin's build */
  uint32_t bytes; /* sizeof(frugal_redis_table) of the plugin's build */

  /* Text of this thread's last failure. */
  const char* (*error_text)(void); /* NOLINT(modernize-redundant-void-arg): C reads this too */

  /* Connects to a TCP port or, if `socket` is not 0, to a Unix socket. The name of a host is looked up within the
   * time, too. */
  int32_t (*connect)(const char* host, int32_t port, const char* socket, int32_t timeout_ms,
                     frugal_redis_connection** connection);
  /* Sends all commands at once and waits for one reply each. */
  int32_t (*call)(frugal_redis_connection* connection, const frugal_redis_command* commands, uint64_t count,
                  const frugal_redis_limits* limits, frugal_redis_replies* replies);
  void (*close)(frugal_redis_connection* connection);
} frugal_redis_table;

/* Returns the plugin's functions, which live as long as the shared object; 0 if it does not support `host_abi`. */
typedef const frugal_redis_table* (*frugal_redis_query_fn)(uint32_t host_abi);

#ifdef __cplusplus
}
#endif
